// Why the forecast is what it is: what each group of inputs adds over the day, and past days like it.

import { dayText, timeText } from "./clock.js";
import { fill, h } from "./dom.js";
import { amount, number, percent, signed, t, tOr } from "./words.js";

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Bars from the middle: what each group adds to an average day, in the unit of the forecast. */
export function drivers(place, told) {
  const parts = told?.attribution;
  if (!parts) return fill(place, h("p", { class: "quiet" }, t("why.none")));
  const groups = Object.entries(parts.groups).map(([name, shares]) => ({ name, share: mean(shares), shares }));
  groups.sort((one, other) => Math.abs(other.share) - Math.abs(one.share));
  const most = Math.max(...groups.map(({ share }) => Math.abs(share)), 1e-12);
  const ground = mean(parts.baseline);
  return fill(place,
    h("p", { class: "small" }, t("why.sum", { baseline: amount(ground, told.unit), forecast: amount(mean(told.forecast), told.unit) })),
    h("ul", { class: "drivers" }, groups.map((group) => driver(group, most, told, parts.not_given ?? {}))));
}

function driver({ name, share, shares }, most, told, missing) {
  const width = (48 * Math.abs(share)) / most;
  const words = tOr(`driver.${name}`, name);
  const top = shares.reduce((best, value, at) => (Math.abs(value) > Math.abs(shares[best]) ? at : best), 0);
  const when = timeText(Date.parse(told.ds[top]), told.zone);
  return h("li", {},
    h("span", { class: "name" }, words, missing[name] ? h("em", {}, ` (${tOr(`missing.${missing[name]}`, missing[name])})`) : null),
    h("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
      h("rect", { x: share < 0 ? 50 - width : 50, width, y: 1, height: 8, class: share < 0 ? "down" : "up" }),
      h("line", { x1: 50, x2: 50, y1: 0, y2: 10, class: "ground" })),
    h("span", { class: "amount" }, signed(share, (value) => amount(value, told.unit))),
    h("span", { class: "most" }, t("why.most", { share: signed(shares[top], number), time: when })));
}

/** The past days most alike, each with its own little line beside the forecast's. */
export function similar(place, told) {
  const days = told?.similar?.days ?? [];
  if (!days.length) return fill(place, h("p", { class: "quiet" }, t("why.none")));
  const every = [...told.forecast, ...days.flatMap(({ outcome }) => outcome)].filter(Number.isFinite);
  const [low, high] = [Math.min(...every), Math.max(...every)];
  const first = Date.parse(told.ds[0]) - Date.parse(told.cutoff);
  return fill(place, h("ul", { class: "alike" }, days.map((day) => {
    const start = Date.parse(day.cutoff) + first;
    const known = day.outcome.filter(Number.isFinite);
    return h("li", {},
      h("span", { class: "name" }, dayText(start, told.zone), yearOf(start, told)),
      h("svg", { viewBox: "0 0 120 34", "aria-hidden": "true" },
        h("path", { d: path(told.forecast, low, high), class: "expected" }), h("path", { d: path(day.outcome, low, high), class: "actual" })),
      h("span", { class: "amount" }, t("why.peak", { value: known.length ? amount(Math.max(...known), told.unit) : "–" })),
      h("span", { class: "most" }, t("why.alike", { share: percent(day.similarity) })));
  })));
}

/** The year, where it is another one. */
function yearOf(start, told) {
  const year = (moment) => new Date(moment).getUTCFullYear();
  return year(start) === year(Date.parse(told.cutoff)) ? null : h("small", {}, ` ${year(start)}`);
}

function path(values, low, high) {
  const x = (at) => (2 + (116 * at) / Math.max(1, values.length - 1)).toFixed(1);
  const y = (value) => (32 - (30 * (value - low)) / Math.max(high - low, 1e-9)).toFixed(1);
  let pen = "M";
  return values.map((value, at) => {
    if (!Number.isFinite(value)) {
      pen = "M";
      return "";
    }
    const part = `${pen}${x(at)} ${y(value)}`;
    pen = "L";
    return part;
  }).join("");
}
