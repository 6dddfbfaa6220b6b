// The chart's cursor by keyboard and for screen readers, and the values under it in words.

import { HOUR, dayText, timeText } from "./clock.js";
import { fill, h } from "./dom.js";
import { amount, percent, signed, t } from "./words.js";

/** Arrow keys move a step, Page keys a day, Home and End to the ends, Escape leaves. */
export function steer(slider, fan) {
  slider.addEventListener("keydown", (event) => {
    const rows = fan.shown?.rows ?? [];
    if (!rows.length) return;
    const day = Math.max(1, Math.round((24 * HOUR) / fan.shown.step));
    const start = fan.index ?? nearest(rows, fan.shown.now);
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageUp: -day, PageDown: day };
    const to = { Home: 0, End: rows.length - 1 }[event.key] ?? (event.key in moves ? start + moves[event.key] : null);
    if (event.key === "Escape") fan.leave();
    else if (to !== null) {
      event.preventDefault();
      fan.moveTo(to);
    }
  });
}

const nearest = (rows, moment) =>
  rows.reduce((best, row, place) => (Math.abs(row.ds - moment) < Math.abs(rows[best].ds - moment) ? place : best), 0);

/** What stands at a row, as [name, value, mark] in the order of the legend. */
export function valuesAt(row, { unit, levels }) {
  const told = [];
  const between = (low, high) => `${amount(row[low], "").trim()} – ${amount(row[high], unit)}`;
  if (row.actual !== null) told.push([t("legend.actual"), amount(row.actual, unit), "actual"]);
  if (row.middle !== null) told.push([t(levels.middle ? "legend.middle" : "legend.mean"), amount(row.middle, unit), "expected"]);
  if (row.inLow !== null) told.push([bandName(levels.inner), between("inLow", "inHigh"), "inner"]);
  if (row.low !== null) told.push([bandName(levels.outer), between("low", "high"), "outer"]);
  const earlier = row.earlier.find((value) => value !== undefined && value !== null);
  if (earlier !== undefined) told.push([t("legend.earlier_last"), amount(earlier, unit), "earlier"]);
  if (row.actual !== null && (row.middle ?? earlier) !== undefined && (row.middle ?? earlier) !== null) {
    told.push([t("legend.error"), signed((row.middle ?? earlier) - row.actual, (value) => amount(value, unit)), "none"]);
  }
  return told;
}

export const bandName = ([low, high]) => t("legend.band", { share: percent(high - low) });

/** Shows a row beside the chart, and tells the slider what it is. */
export function showRow(row, view, readout, slider) {
  if (!row) {
    fill(readout, h("span", { class: "quiet" }, t("chart.hint")));
    slider.removeAttribute("aria-valuetext");
    return;
  }
  const when = `${dayText(row.ds, view.zone)} ${timeText(row.ds, view.zone)}–${timeText(row.ds + view.step, view.zone)}`;
  const told = valuesAt(row, view);
  fill(readout, h("strong", { class: "when" }, when),
    told.map(([name, value, mark]) => h("span", { class: "value" }, h("i", { class: `mark mark-${mark}` }), `${name} `, h("b", {}, value))));
  slider.setAttribute("aria-valuemin", 0);
  slider.setAttribute("aria-valuemax", view.rows.length - 1);
  slider.setAttribute("aria-valuenow", view.rows.indexOf(row));
  slider.setAttribute("aria-valuetext", [when, ...told.map(([name, value]) => `${name} ${value}`)].join(", "));
}
