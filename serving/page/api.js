// The service, over the same HTTP that everybody uses. The key stays in this tab.

const KEY = "forecast.key";
const MOST = 50_000;
const NEWEST = 50;
let ask = async () => null;

/** An answer that is no success: what the service said about it. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? String(status));
    this.status = status;
    this.problem = problem;
  }
}

/** Nobody answered. */
export class Unreachable extends Error {}

/** Sets who asks the person for a key when the service wants one; resolves to the key or null. */
export function askForKey(asking) {
  let open = null;
  ask = (wrong) => (open ??= asking(wrong).finally(() => { open = null; }));
}

function headers(more) {
  const key = sessionStorage.getItem(KEY);
  return { ...more, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
}

async function send(path, options = {}) {
  const used = sessionStorage.getItem(KEY);
  const answer = await reach(path, { ...options, headers: headers(options.headers), cache: "no-store" });
  if (answer.ok) return answer;
  if (answer.status === 401) {
    if (used === sessionStorage.getItem(KEY)) sessionStorage.removeItem(KEY);
    const key = sessionStorage.getItem(KEY) ?? (await ask(used !== null));
    if (key) {
      sessionStorage.setItem(KEY, key);
      return send(path, options);
    }
  }
  throw new Refusal(answer.status, await problemOf(answer));
}

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch {
    throw new Unreachable();
  }
}

async function problemOf(answer) {
  try {
    return await answer.json();
  } catch {
    return { title: answer.statusText, detail: `HTTP ${answer.status} ${answer.statusText}` };
  }
}

const json = async (path, options) => (await send(path, options)).json();
const query = (values) => {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  return given.length ? `?${new URLSearchParams(given)}` : "";
};
const at = (id) => `/v1/series/${encodeURIComponent(id)}`;
const iso = (moment) => new Date(moment).toISOString().replace(".000Z", "Z");

export const status = () => json("/v1/status");
export const models = () => json("/v1/models");

/** All series that the store holds, page by page. */
export async function series() {
  const all = [];
  let after = null;
  do {
    const told = await json(`/v1/series${query({ after, limit: 1000 })}`);
    all.push(...told.series);
    after = told.next;
  } while (after);
  return all;
}

export const skill = (id, day) => json(`${at(id)}/skill${query({ day })}`);

/** What was measured, as moments and values. */
export async function observations(id, first, last) {
  const told = await json(`${at(id)}/observations${query({ first: iso(first), last: iso(last), columns: "y", limit: MOST })}`);
  return { ds: told.ds.map((ds) => Date.parse(ds)), y: told.columns.y ?? told.ds.map(() => null) };
}

/** What was said before, newest issue first. */
export async function ledger(id, first, last, asOf = null) {
  const told = await json(`/v1/forecasts${query({ series: id, first: iso(first), last: iso(last), as_of: asOf && iso(asOf), limit: NEWEST })}`);
  return told.forecasts.sort((one, other) => Date.parse(other.issued_at) - Date.parse(one.issued_at));
}

/** The body of a question about stored series. */
export function question(id, { cutoff, day, options, store = false }) {
  const asked = { series: [{ unique_id: id }], cutoff: iso(cutoff), delivery_day: day, store };
  return options ? { ...asked, options } : asked;
}

export const forecast = (body) => json("/v1/forecasts", posted(body));

const posted = (body, accept = "application/json") => ({
  method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", Accept: accept },
});

/** A forecast as a file in one of the service's formats: asked anew, or read from the ledger. */
export async function file({ body, id }, accept) {
  const answer = id ? await send(`/v1/forecasts/${encodeURIComponent(id)}`, { headers: { Accept: accept } })
    : await send("/v1/forecasts", posted(body, accept));
  return answer.blob();
}
