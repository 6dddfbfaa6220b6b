// The page: what is chosen, when it is asked again, and who draws what.

import * as api from "./api.js";
import { Fan } from "./chart.js";
import { HOUR, dateOf, dayText, daysLater, fullText, momentText, stepOf } from "./clock.js";
import { bandName, showRow, steer } from "./cursor.js";
import { all, fill, h, one, say } from "./dom.js";
import { offerFiles } from "./files.js";
import { Picker } from "./picker.js";
import { empty, state, stateOf, trouble, warnings } from "./state.js";
import { table } from "./table.js";
import * as tiles from "./tiles.js";
import { look, reasons, standpoint } from "./view.js";
import { drivers, similar } from "./why.js";
import { choose, language, preferred, speak, t } from "./words.js";

const SERIES_EVERY = 10 * 60_000;
const SKILL_EVERY = 5 * 60_000;
const chosen = { id: null, day: null, span: null };
const known = { series: new Map(), at: 0, view: null, skill: null, skillAt: 0, served: null, status: null, why: null, whyOf: null, asOf: null };
let turn = 0;
let timer = null;

const fan = new Fan(one("#chart"), (row) => known.view && showRow(row, known.view, one("#readout"), one("#chart")));
const picker = new Picker(one("#series"), one("#offers"), (id) => go({ id, day: null }));

// ---- what is chosen stands in the address, so that it can be kept and sent -----------------------------------------

function readAddress() {
  const told = new URLSearchParams(location.hash.slice(1));
  chosen.id = told.get("series") ?? localStorage.getItem("forecast.series");
  chosen.day = /^\d{4}-\d\d-\d\d$/.test(told.get("day") ?? "") ? told.get("day") : null;
  chosen.span = Number(localStorage.getItem("forecast.span")) || 2;
}

function writeAddress() {
  const told = new URLSearchParams({ series: chosen.id, ...(chosen.day ? { day: chosen.day } : {}) });
  history.replaceState(null, "", `#${told}`);
  localStorage.setItem("forecast.series", chosen.id);
}

function go(changes) {
  Object.assign(chosen, changes);
  localStorage.setItem("forecast.span", chosen.span);
  if (chosen.id) writeAddress();
  refresh();
}

// ---- what is asked -------------------------------------------------------------------------------------------------

async function readSeries(now) {
  if (known.series.size && now - known.at < SERIES_EVERY) return;
  // A series that somebody only asked about has no values to show.
  const told = (await api.series()).filter((one) => one.last);
  known.series = new Map(told.map((one) => [one.unique_id, {
    id: one.unique_id, zone: one.zone ?? "UTC", unit: one.unit, step: stepOf(one.step), last: one.last ? Date.parse(one.last) : null,
  }]));
  known.at = now;
  if (!known.series.has(chosen.id)) chosen.id = told[0]?.unique_id ?? null;
  picker.set([...known.series.keys()], chosen.id ?? "");
}

async function refresh() {
  const mine = (turn += 1);
  clearTimeout(timer);
  one("#chart-card").setAttribute("aria-busy", "true");
  try {
    await ask(mine, Date.now());
    if (mine === turn) trouble(null);
  } catch (problem) {
    if (mine === turn) trouble(problem, known.view === null);
    if (!(problem instanceof api.Refusal || problem instanceof api.Unreachable)) console.error(problem);
  } finally {
    if (mine === turn) {
      one("#chart-card").setAttribute("aria-busy", "false");
      again();
    }
  }
}

async function ask(mine, now) {
  const [, models, status] = await Promise.all([readSeries(now), api.models(), api.status()]);
  if (mine !== turn) return;
  Object.assign(known, { served: models.models[0] ?? null, status });
  if (!chosen.id) return nothing();
  empty(false);
  picker.choose(chosen.id);
  const info = known.series.get(chosen.id);
  const day = chosen.day ?? dateOf(standpoint(info, now).moment, info.zone);
  showDays(info, day, now);
  const [view, skill] = await Promise.all([look(info, day, chosen.span, now), readSkill(chosen.id, now)]);
  if (mine !== turn) return;
  if (view.lastActual !== null) info.last = Math.max(info.last ?? 0, view.lastActual);
  Object.assign(known, { view, skill, asOf: now });
  draw();
  await askWhy(mine, view);
}

/** How the last day turned out changes when values arrive: asked anew every few minutes. */
async function readSkill(id, now) {
  if (known.skill?.unique_id === id && now - known.skillAt < SKILL_EVERY) return known.skill;
  const told = await api.skill(id);
  known.skillAt = now;
  return told;
}

/** The reasons change with the data, and take long: asked anew when the hour or what is shown changes. */
async function askWhy(mine, view) {
  const key = [view.title, view.day, Math.floor(view.now / HOUR), view.ledger].join();
  if (key !== known.whyOf) {
    const told = await reasons(view);
    if (mine !== turn) return;
    Object.assign(known, { why: told, whyOf: key });
  }
  drawWhy();
}

function nothing() {
  known.view = null;
  empty(true);
  state(known.served ? "wait" : "bad", t(known.served ? "empty.series" : "state.no_model"));
}

// ---- what is drawn -------------------------------------------------------------------------------------------------

function draw() {
  const { view, skill, status } = known;
  if (!view) return;
  const info = known.series.get(view.title);
  say(one("#chart-title"), t("chart.title", { series: view.title, day: dayText(view.from, view.zone) }));
  fan.draw({ ...view, nowWords: t(view.past || view.old ? "chart.cutoff" : "chart.now") });
  showRow(fan.index === null ? null : view.rows[fan.index], view, one("#readout"), one("#chart"));
  legend(view);
  say(one("#note"), note(view, info));
  if (one("#numbers").open) table(one("#table"), view, view.from, view.until);
  tiles.peak(view);
  tiles.energy(view);
  tiles.skill(skill);
  tiles.model({ served: known.served, told: view.told, status });
  tiles.fresh({ last: info.last, now: known.asOf, step: view.step, zone: view.zone });
  stateOf(view);
  warnings(view.warnings);
  one("#issue").disabled = view.body === null || view.past;
  say(one("#updated"), t("updated", { moment: fullText(known.asOf, view.zone), zone: view.zone.replace(/^days:/, "") }));
}

function drawWhy() {
  drivers(one("#drivers"), known.why);
  similar(one("#similar"), known.why);
}

function legend(view) {
  const { levels } = view;
  const lines = [["actual", t("legend.actual")], ["expected", t(levels.middle ? "legend.middle" : "legend.mean")],
    levels.inner && ["inner", bandName(levels.inner)], levels.outer && ["outer", bandName(levels.outer)],
    view.earlier && ["earlier", t("legend.earlier")]].filter(Boolean);
  fill(one("#legend"), lines.map(([mark, words]) => h("li", {}, h("i", { class: `mark mark-${mark}` }), words)));
}

function note(view, info) {
  if (view.ledger) return t("note.ledger", { moment: momentText(Date.parse(view.main.issued_at), view.zone) });
  if (view.again) return t("note.again", { moment: momentText(view.now, view.zone) });
  return view.old ? t("note.old", { moment: fullText(info.last, view.zone) }) : "";
}

function showDays(info, day, now) {
  const stand = standpoint(info, now);
  const today = dateOf(stand.moment, info.zone);
  const box = one("#day");
  if (document.activeElement !== box) box.value = day;
  box.max = daysLater(today, 14);
  const buttons = [["today", today, stand.old ? "day.data" : "day.today"], ["tomorrow", daysLater(today, 1), stand.old ? "day.next" : "day.tomorrow"]];
  for (const [name, date, words] of buttons) {
    const button = one(`#${name}`);
    button.dataset.date = date;
    button.dataset.words = words;
    say(button, t(words));
    button.setAttribute("aria-pressed", String(day === date));
  }
  for (const button of all("[data-days]")) button.setAttribute("aria-pressed", String(Number(button.dataset.days) === chosen.span));
}

// ---- when it is asked again ----------------------------------------------------------------------------------------

function again() {
  clearTimeout(timer);
  const every = Number(one("#refresh").value);
  if (every && !document.hidden) timer = setTimeout(refresh, every * 1000);
}

// ---- what a person does --------------------------------------------------------------------------------------------

function wire() {
  const move = (days) => go({ day: daysLater(one("#day").value, days) });
  one("#day-before").addEventListener("click", () => move(-1));
  one("#day-after").addEventListener("click", () => move(1));
  one("#day").addEventListener("change", (event) => /^(19|20|21)\d\d-/.test(event.target.value) && go({ day: event.target.value }));
  one("#today").addEventListener("click", () => go({ day: null }));
  one("#tomorrow").addEventListener("click", (event) => go({ day: event.currentTarget.dataset.date }));
  for (const button of all("[data-days]")) button.addEventListener("click", () => go({ span: Number(button.dataset.days) }));
  one("#refresh").value = localStorage.getItem("forecast.refresh") ?? "60";
  one("#refresh").addEventListener("change", (event) => { localStorage.setItem("forecast.refresh", event.target.value); again(); });
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refresh()));
  one("#numbers").addEventListener("toggle", () => draw());
  steer(one("#chart"), fan);
  one("#chart").addEventListener("blur", () => fan.leave());
  offerFiles(() => known.view, refresh);
  window.addEventListener("hashchange", () => { readAddress(); refresh(); });
  wireLooks();
}

function wireLooks() {
  one("#language").value = language();
  one("#language").addEventListener("change", async (event) => {
    await choose(event.target.value);
    if (known.view) { draw(); drawWhy(); } else if (known.at) nothing();
  });
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  one("#theme").addEventListener("click", () => {
    const dark = (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("forecast.theme", document.documentElement.dataset.theme);
    draw();
  });
  system.addEventListener("change", draw);
}

function askKey(wrong) {
  const box = one("#key");
  say(one("#key-why"), t(wrong ? "key.wrong" : "key.why"));
  one("#key-text").value = "";
  box.showModal();
  return new Promise((resolve) => {
    box.addEventListener("close", () => resolve(box.returnValue === "use" ? one("#key-text").value.trim() || null : null), { once: true });
  });
}

api.askForKey(askKey);
readAddress();
await speak(preferred());
state("wait", t("state.loading"));
wire();
await refresh();
