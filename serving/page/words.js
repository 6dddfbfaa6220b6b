// Words in two languages, and numbers as each of them writes numbers.

import { all } from "./dom.js";

const LANGUAGES = ["en", "pt-BR"];
const KEPT = "forecast.language";
let words = {};
let chosen = "en";

export const language = () => chosen;

/** The language that was chosen here, else the browser's. */
export function preferred() {
  const kept = localStorage.getItem(KEPT);
  if (LANGUAGES.includes(kept)) return kept;
  return navigator.languages.some((name) => name.toLowerCase().startsWith("pt")) ? "pt-BR" : "en";
}

export async function speak(name) {
  const answer = await fetch(new URL(`./i18n/${name}.json`, import.meta.url));
  words = await answer.json();
  chosen = name;
  document.documentElement.lang = name;
  translate(document);
}

export async function choose(name) {
  localStorage.setItem(KEPT, name);
  await speak(name);
}

/** The words of a key, with {names} filled in; a key without words is shown, so that it is noticed. */
export function t(key, values = {}) {
  const text = words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The words of a key where there are some, else another text. */
export const tOr = (key, otherwise) => words[key] ?? otherwise;

/** Fills what the markup leaves to words: data-words, and data-label for what only a screen reader is told. */
export function translate(within) {
  for (const element of all("[data-words]", within)) element.textContent = t(element.dataset.words);
  for (const element of all("[data-label]", within)) element.setAttribute("aria-label", t(element.dataset.label));
  for (const element of all("[data-hint]", within)) element.setAttribute("title", t(element.dataset.hint));
}

const formats = new Map();

function format(options) {
  const key = chosen + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(chosen, options));
  return formats.get(key);
}

/** A number with four digits that count, as 12,345 and 1.234. */
export function number(value, digits = 4) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value) >= 1 ? Math.floor(Math.log10(Math.abs(value))) + 1 : 1;
  const places = Math.max(0, Math.min(3, digits - size));
  return format({ minimumFractionDigits: places, maximumFractionDigits: places }).format(value);
}

export const amount = (value, unit) => `${number(value)} ${unit}`;

export function percent(share, places = 0) {
  if (share === null || share === undefined || !Number.isFinite(share)) return "–";
  return format({ style: "percent", minimumFractionDigits: places, maximumFractionDigits: places }).format(share);
}

/** With its sign, unless nothing but zeros would follow it. */
export function signed(value, write = number) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = write(Math.abs(value));
  return /[1-9]/.test(size) ? `${value > 0 ? "+" : "−"}${size}` : size;
}
