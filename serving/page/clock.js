// Civil time in the zone of a series: days of 23, 24 and 25 hours, and how moments are written. Moments are milliseconds.

import { language } from "./words.js";

export const HOUR = 3_600_000;
const shown = new Map();

/** The name by which the browser knows a zone: an IANA name or an offset; of "days:Europe/Lisbon" the city. */
export function zoneName(zone) {
  const name = (zone ?? "UTC").replace(/^days:/, "");
  const offset = name.match(/^(?:UTC)?([+-])(\d{1,2}):?(\d{2})?$/);
  return offset ? `${offset[1]}${offset[2].padStart(2, "0")}:${offset[3] ?? "00"}` : name;
}

function formatter(zone, options, tongue = language()) {
  const key = `${tongue}|${zone}|${JSON.stringify(options)}`;
  if (!shown.has(key)) {
    let made;
    try {
      made = new Intl.DateTimeFormat(tongue, { timeZone: zoneName(zone), ...options });
    } catch {
      // A zone that this browser does not know: UTC is better than nothing, and is said.
      made = new Intl.DateTimeFormat(tongue, { timeZone: "UTC", timeZoneName: "short", ...options });
    }
    shown.set(key, made);
  }
  return shown.get(key);
}

const DATE = { year: "numeric", month: "2-digit", day: "2-digit" };

/** The civil date of a moment, as 2026-11-30. */
export const dateOf = (moment, zone) => formatter(zone, DATE, "en-CA").format(moment);

/** The local hour of a moment, 0 to 23. */
export const hourOf = (moment, zone) => Number(formatter(zone, { hour: "2-digit", hourCycle: "h23" }, "en-GB").format(moment));

/** The first moment of a civil day: the first minute whose date is not before it. */
export function dayStart(date, zone) {
  const middle = Date.parse(`${date}T00:00:00Z`);
  let [before, after] = [middle - 30 * HOUR, middle + 30 * HOUR];
  while (after - before > 60_000) {
    const half = Math.round((before + after) / 2 / 60_000) * 60_000;
    if (dateOf(half, zone) < date) before = half;
    else after = half;
  }
  return after;
}

/** The civil date some days later. */
export function daysLater(date, days) {
  const moved = new Date(Date.parse(`${date}T00:00:00Z`) + days * 24 * HOUR);
  return moved.toISOString().slice(0, 10);
}

export const dayEnd = (date, zone) => dayStart(daysLater(date, 1), zone);

const write = (options) => (moment, zone) => formatter(zone, options).format(moment);
export const timeText = write({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
export const dayText = write({ weekday: "short", day: "numeric", month: "short" });
/** A day in few letters, as "Mon 30". */
export const axisDay = (moment, zone) =>
  `${formatter(zone, { weekday: "short" }).format(moment).replace(/[.,]/g, "")} ${formatter(zone, { day: "numeric" }).format(moment)}`;
export const longDay = write({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
export const momentText = write({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
export const fullText = write({ dateStyle: "medium", timeStyle: "short" });
export const dateText = write({ dateStyle: "medium" });

/** A length of time in the two largest units, as "3 h 12 min". */
export function lengthText(milliseconds) {
  const minutes = Math.max(0, Math.round(milliseconds / 60_000));
  const [days, hours, rest] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24, minutes % 60];
  const parts = days ? [[days, "day"], [hours, "hour"]] : hours ? [[hours, "hour"], [rest, "minute"]] : [[rest, "minute"]];
  const named = parts.filter(([size], place) => size || !place).map(([size, unit]) =>
    new Intl.NumberFormat(language(), { style: "unit", unit, unitDisplay: "short" }).format(size));
  return named.join(" ");
}

/** "PT30M", "30min" or seconds as milliseconds; an hour where it cannot be read. */
export function stepOf(step) {
  if (typeof step === "number") return step * 1000;
  const iso = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(step ?? "");
  if (!iso) return HOUR;
  const [days, hours, minutes, seconds] = iso.slice(1).map((part) => Number(part ?? 0));
  return ((days * 24 + hours) * 60 + minutes) * 60_000 + seconds * 1000;
}
