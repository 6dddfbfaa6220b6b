// The tiles: the peak and its hour, the day's energy, how the last day turned out, who answers, and how fresh the data is.

import { HOUR, dateText, fullText, hourOf, lengthText, longDay, momentText, timeText } from "./clock.js";
import { fill, h, one } from "./dom.js";
import { highest } from "./rows.js";
import { amount, number, percent, signed, t } from "./words.js";

const big = (text, name) => h("p", { class: "big", "data-value": name }, text);
const small = (...parts) => h("p", { class: "small" }, ...parts);
const pair = (name, value) => h("div", { class: "pair" }, h("dt", {}, name), h("dd", {}, value));
const put = (name, ...parts) => fill(one(`#tile-${name} .body`), ...parts);
const hours = (from, length, zone) => `${timeText(from, zone)}–${timeText(from + length, zone)}`;

function within(told, unit, levels) {
  const [low, high] = levels.outer ?? [];
  if (low === undefined || told[`q${low}`] === undefined) return null;
  const share = percent(high - low);
  return small(t("tile.between", { share, low: number(told[`q${low}`]), high: amount(told[`q${high}`], unit) }));
}

/** The peak: from the service where it tells it, else the highest hour of the middle line. */
export function peak(view) {
  const { told, unit, zone, levels, actualPeak } = view;
  if (!told) return put("peak", big("–", "peak"));
  const expected = told.peak;
  const line = told.quantiles["q0.5"] ?? told.mean;
  const top = highest(told.ds, line);
  const parts = [];
  if (expected?.value) {
    parts.push(big(amount(expected.value["q0.5"] ?? expected.value.mean, unit), "peak"), within(expected.value, unit, levels));
    parts.push(peakHour(expected.hour, zone));
  } else if (top) {
    parts.push(big(amount(top.value, unit), "peak"), small(t("tile.peak_at", { hours: hours(top.ds, view.step, zone) })),
      small(h("span", { class: "quiet" }, t("tile.no_probability"))));
  }
  if (view.partial) parts.push(small(h("span", { class: "quiet" }, t("tile.rest_of_day"))));
  if (actualPeak) parts.push(small(t("tile.peak_was", { value: amount(actualPeak.value, unit), hours: hours(actualPeak.ds, view.step, zone) })));
  return put("peak", ...parts);
}

function peakHour(told, zone) {
  const likely = told.map((entry) => ({ ds: Date.parse(entry.ds), share: entry.probability }));
  if (!likely.length) return null;
  const best = likely.reduce((one, other) => (other.share > one.share ? other : one));
  const words = t("tile.peak_hour", { hours: hours(best.ds, HOUR, zone), share: percent(best.share) });
  return [h("p", { class: "strong", "data-value": "peak-hour" }, words), hourStrip(likely, zone, best)];
}

/** 24 little columns: where in the day the peak may fall. */
function hourStrip(likely, zone, best) {
  const byHour = Array.from({ length: 24 }, () => 0);
  likely.forEach(({ ds, share }) => { byHour[hourOf(ds, zone)] += share; });
  const most = Math.max(...byHour, 1e-9);
  const columns = byHour.map((share, hour) => h("rect", {
    x: hour * 10 + 1, width: 8, y: 30 - (28 * share) / most, height: Math.max(share ? 1 : 0, (28 * share) / most),
    class: hour === hourOf(best.ds, zone) ? "bar best" : "bar",
  }, h("title", {}, `${String(hour).padStart(2, "0")}:00 ${percent(share, 1)}`)));
  const marks = [0, 6, 12, 18].map((hour) => h("text", { x: hour * 10 + 1, y: 43 }, String(hour).padStart(2, "0")));
  return h("svg", { class: "strip", viewBox: "0 0 240 46", role: "img", "aria-label": t("tile.peak_strip") },
    h("line", { x1: 0, x2: 240, y1: 30.5, y2: 30.5, class: "ground" }), columns, marks);
}

export function energy({ told, levels, partial }) {
  if (!told?.energy) return put("energy", big("–", "energy"), small(h("span", { class: "quiet" }, t(told ? "tile.energy_none" : "state.none"))));
  const { unit } = told.energy;
  const rest = partial ? small(h("span", { class: "quiet" }, t("tile.rest_of_day"))) : null;
  return put("energy", big(amount(told.energy.mean, unit), "energy"), within(told.energy, unit, levels), rest);
}

/** The last day that is over: its error, and whether it was better than last week again. */
export function skill(told) {
  const score = told?.scored;
  if (!score) return put("skill", big("–", "mae"), small(h("span", { class: "quiet" }, t(told ? "tile.skill_none" : "state.none"))));
  const { unit, zone } = told;
  const day = longDay(Date.parse(`${told.day}T12:00:00Z`), "UTC");
  const verdict = score.skill === null ? small(t("tile.skill_unknown")) : verdictOf(score.skill);
  const of = score.scored < score.periods ? small(h("span", { class: "quiet" }, t("tile.scored", { scored: score.scored, periods: score.periods }))) : null;
  return put("skill", h("p", { class: "big" }, h("span", { "data-value": "mae" }, amount(score.mae, unit)),
    h("small", {}, ` ${score.mape === null ? "" : percent(score.mape / 100, 1)}`)), verdict,
    h("dl", {}, pair(t("tile.bias"), signed(score.bias, (value) => amount(value, unit))),
      pair(t("tile.coverage"), percent(score.coverage)), pair(t("tile.naive"), amount(score.naive_mae, unit))),
    of, small(h("span", { class: "quiet" }, t("tile.skill_day", { day, moment: momentText(Date.parse(score.issued_at), zone) }))));
}

function verdictOf(skill) {
  const close = Math.abs(skill) < 0.005;
  const words = close ? t("tile.skill_same") : t(skill > 0 ? "tile.skill_better" : "tile.skill_worse", { share: percent(Math.abs(skill)) });
  return h("p", { class: `verdict ${close ? "plain" : skill > 0 ? "good" : "poor"}`, "data-value": "skill" }, words);
}

/** Who answers. */
export function model({ served, told, status }) {
  const name = served ? [served.name, served.version && t("tile.version", { version: served.version })].filter(Boolean).join(" · ") : t("tile.no_model");
  const rows = served ? [pair(t("tile.recipe"), served.recipe), pair(t("tile.trained"), dateText(Date.parse(served.trained_until), served.zone))] : [];
  const rung = told ? rungWords(told) : null;
  const swap = status?.last_swap?.at ?? null;
  if (swap) rows.push(pair(t("tile.swapped"), fullText(Date.parse(swap), served?.zone)));
  if (served?.mlflow) rows.push(pair(t("tile.card"), h("a", { href: served.mlflow, target: "_blank", rel: "noopener noreferrer" }, "MLflow")));
  const help = served ? null : [small(t("tile.no_model_do")), h("pre", {}, t("tile.no_model_command"))];
  return put("model", h("p", { class: "big name", "data-value": "model" }, name), rows.length ? h("dl", {}, ...rows) : null, help, rung);
}

/** Which rung answered and why, as a badge. */
export function rungWords(told) {
  const rung = told.rung ?? "champion";
  const reason = told.reason ? t(`reason.${told.reason}`) : null;
  const words = reason ? t("tile.fallback", { rung: t(`rung.${rung}`), reason }) : t(`rung.${rung}`);
  return h("p", { class: `badge ${rung === "champion" ? "good" : "warn"}`, "data-value": "rung" }, words);
}

/** How old the newest value is. */
export function fresh({ last, now, step, zone }) {
  if (last === null) return put("fresh", big("–", "fresh"), small(t("tile.fresh_none")));
  const age = now - (last + step);
  const late = age > Math.max(6 * step, 6 * HOUR);
  return put("fresh", h("p", { class: `big ${late ? "late" : ""}`, "data-value": "fresh" }, lengthText(age)),
    small(t("tile.fresh_last", { moment: fullText(last, zone) })), late ? h("p", { class: "badge warn" }, t("tile.late")) : null);
}
