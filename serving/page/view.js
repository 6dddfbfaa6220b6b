// One look at one series and one day: what is asked of the service, and what comes of it.

import * as api from "./api.js";
import { HOUR, dateOf, dayEnd, dayStart, daysLater } from "./clock.js";
import { highest, joined } from "./rows.js";

const OLD = 72 * HOUR;
const MOST_EARLIER = 5;
const SHADOW = "challenger";
/** Of a day that has begun the rest is asked for on purpose, and its tiles say so. */
const BEGUN = /delivery day .* began at .* before the cutoff/;
let refused = false;

/** The moment the page stands at: the present one, or the end of the data where that ended days ago. */
export function standpoint(info, now) {
  const end = info.last === null ? null : info.last + info.step;
  return end !== null && now - end > OLD ? { moment: end, old: true } : { moment: now, old: false };
}

/** Everything that is shown. */
export async function look(info, day, spanDays, now) {
  const { zone, step, unit, id } = info;
  const stand = standpoint(info, now);
  const [from, until] = [dayStart(day, zone), dayEnd(day, zone)];
  const today = dateOf(stand.moment, zone);
  const first = dayStart(daysLater(day < today ? day : today, -spanDays), zone);
  const lastShown = Math.max(until, stand.moment);
  const [actual, entries] = await Promise.all([
    api.observations(id, first, Math.min(lastShown, stand.moment)), api.ledger(id, from, until - 1, begins(info, stand.moment, until) ? null : from),
  ]);
  const said = await answer({ info, day, from, until, today, stand, entries });
  const shown = entries.filter((entry) => entry.rung !== SHADOW && entry.id !== said.main.id);
  const earlier = said.past ? [] : apart(shown.map(asPart));
  const { rows, levels } = joined(actual, said.parts, earlier);
  const measured = within(actual, from, until);
  return {
    ...said, rows, levels, earlier: earlier.length, zone, step, unit: said.main.unit ?? unit, day, from, until, title: id, old: stand.old, now: said.cutoff,
    actualPeak: stand.moment >= until ? highest(measured.ds, measured.y) : null, lastActual: lastKnown(actual),
  };
}

const within = ({ ds, y }, from, until) => {
  const places = [...ds.keys()].filter((place) => ds[place] >= from && ds[place] < until);
  return { ds: places.map((place) => ds[place]), y: places.map((place) => y[place]) };
};

function lastKnown({ ds, y }) {
  for (let place = ds.length - 1; place >= 0; place -= 1) if (y[place] !== null) return ds[place];
  return null;
}

/** The newest forecasts of different hours: not every minute's recording is worth a line. */
function apart(parts) {
  const kept = [];
  for (const part of parts) {
    if (kept.length < MOST_EARLIER && kept.every((one) => one.cutoff - part.cutoff >= HOUR)) kept.push(part);
  }
  return kept;
}

const asPart = (told) => ({ ...told, ds: told.ds.map((ds) => (typeof ds === "number" ? ds : Date.parse(ds))), cutoff: Date.parse(told.cutoff) });

/** The forecast of the day: that of the ledger for a day that is over, else a new one. */
async function answer({ info, day, from, until, today, stand, entries }) {
  const now = Math.floor(stand.moment / 60_000) * 60_000;
  const past = !begins(info, now, until);
  if (past) {
    const before = entries.filter((entry) => entry.rung !== SHADOW && Date.parse(entry.issued_at) <= from);
    const whole = before.find((entry) => covers(entry, from, until, info.step)) ?? before[0];
    if (whole) return ofLedger(whole);
  }
  const cutoff = past ? from : now;
  const body = api.question(info.id, { cutoff, day });
  const wanted = refused ? null : { peak: true, energy: true };
  const ahead = day > today ? between(today, day).filter((one) => begins(info, now, dayEnd(one, info.zone))).map((one) => quietly(api.question(info.id, { cutoff, day: one }))) : [];
  const [main, ...others] = await Promise.all([optional(body, wanted), ...ahead]);
  const told = asPart({ ...main.forecasts[0], cutoff: main.cutoff, unit: main.unit });
  const bridge = others.filter(Boolean).map((one) => asPart({ ...one.forecasts[0], cutoff: one.cutoff }));
  return {
    main: { ...main, id: null }, told, parts: [...bridge, told], cutoff, past, again: past, body, warnings: main.warnings.filter((text) => !BEGUN.test(text)), partial: cutoff > from, ledger: null,
  };
}

/** Whether a period of the series begins from now until then: of a day that is nearly over nothing is left to forecast. */
function begins({ last, step }, now, until) {
  return last === null ? now < until : last + Math.ceil((now - last) / step) * step < until;
}

const covers = (entry, from, until, step) => Date.parse(entry.ds[0]) <= from && Date.parse(entry.ds[entry.ds.length - 1]) + step >= until;

function ofLedger(entry) {
  const told = asPart(entry);
  const model = entry.model ? { name: entry.model, version: entry.model_version } : null;
  return {
    main: { id: entry.id, unit: entry.unit, model, issued_at: entry.issued_at }, told, parts: [told], cutoff: told.cutoff, past: true, again: false, body: null,
    warnings: entry.warnings, partial: false, ledger: entry.id,
  };
}

/** The days from today to the day before the one in question, so that the fan has no hole; a few at the most. */
function between(today, day) {
  const days = [];
  for (let one = today; one < day && days.length < 4; one = daysLater(one, 1)) days.push(one);
  return days[days.length - 1] === daysLater(day, -1) ? days : [];
}

const quietly = (body) => api.forecast(body).catch(() => null);

/** Asks with options; a service that does not know them is asked again without. */
async function optional(body, options) {
  if (!options) return api.forecast(body);
  try {
    return await api.forecast({ ...body, options });
  } catch (problem) {
    if (problem.status !== 422 || !/option/.test(`${problem.problem?.column} ${problem.message}`)) throw problem;
    refused = true;
    return api.forecast(body);
  }
}

/** Why: asked apart, for it takes longer; null where there is no answer to it. */
export async function reasons(view) {
  if (!view.body || refused) return null;
  try {
    const told = await api.forecast({ ...view.body, options: { explanation: true } });
    return told.forecasts[0].explanation ?? null;
  } catch (problem) {
    if (problem instanceof api.Refusal) return null;
    throw problem;
  }
}
