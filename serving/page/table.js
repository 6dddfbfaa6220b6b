// The same numbers as a table: for screen readers, and for whoever wants the digits.

import { dayText, timeText } from "./clock.js";
import { bandName } from "./cursor.js";
import { fill, h } from "./dom.js";
import { number, t } from "./words.js";

/** Rows of the day in question. */
export function table(place, view, from, until) {
  const { levels, unit, zone, step } = view;
  const rows = view.rows.filter((row) => row.ds >= from && row.ds < until);
  const heads = [t("table.time"), t("legend.actual"), t(levels.middle ? "legend.middle" : "legend.mean"),
    ...(levels.inner ? [bandName(levels.inner)] : []), ...(levels.outer ? [bandName(levels.outer)] : []), ...(view.earlier ? [t("legend.earlier_last")] : [])];
  const between = (low, high) => (low === null || low === undefined ? "–" : `${number(low)} – ${number(high)}`);
  const cells = (row) => [number(row.actual), number(row.middle), ...(levels.inner ? [between(row.inLow, row.inHigh)] : []),
    ...(levels.outer ? [between(row.low, row.high)] : []), ...(view.earlier ? [number(row.earlier.find(Number.isFinite))] : [])];
  fill(place, h("caption", {}, t("table.caption", { series: view.title, day: dayText(from, zone), unit, zone })),
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, rows.map((row) => h("tr", {},
      h("th", { scope: "row" }, `${timeText(row.ds, zone)}–${timeText(row.ds + step, zone)}`), cells(row).map((cell) => h("td", {}, cell))))));
}
