// The numbers of one view, joined by moment: what the chart, the cursor and the table show.

/** The pair of levels next to a wanted band, as far as the forecast tells them. */
function band(levels, low) {
  const below = levels.filter((level) => level < 0.5 && levels.some((other) => Math.abs(other - (1 - level)) < 1e-6));
  if (!below.length) return null;
  const near = below.reduce((best, level) => (Math.abs(level - low) < Math.abs(best - low) ? level : best));
  return [near, levels.find((level) => Math.abs(level - (1 - near)) < 1e-6)];
}

/** Which levels are drawn: an outer band (10 to 90), an inner one (30 to 70) and the middle. */
export function chosenLevels(names) {
  const levels = names.map((name) => Number(name.slice(1)));
  const outer = band(levels, 0.1);
  const inner = band(levels, 0.3);
  const same = outer && inner && outer[0] === inner[0];
  return { outer, inner: same ? null : inner, middle: levels.includes(0.5) ? 0.5 : null };
}

const named = (level) => `q${level}`;

/**
 * One row per moment, ascending: ds, actual, middle, low, inLow, inHigh, high, earlier (one value per earlier forecast).
 *
 * parts: forecasts {ds (moments), mean, quantiles} that make up the fan; earlier: others, the newest first.
 */
export function joined(actual, parts, earlier) {
  const rows = new Map();
  const row = (ds) => {
    if (!rows.has(ds)) rows.set(ds, { ds, actual: null, middle: null, low: null, inLow: null, inHigh: null, high: null, earlier: [] });
    return rows.get(ds);
  };
  actual.ds.forEach((ds, place) => { row(ds).actual = actual.y[place]; });
  let levels = { outer: null, inner: null, middle: null };
  for (const part of parts) {
    levels = chosenLevels(Object.keys(part.quantiles));
    const column = (level) => part.quantiles[named(level)];
    const [low, high] = levels.outer ? levels.outer.map(column) : [[], []];
    const [inLow, inHigh] = levels.inner ? levels.inner.map(column) : [[], []];
    const middle = levels.middle ? column(levels.middle) : part.mean;
    part.ds.forEach((ds, place) => Object.assign(row(ds), {
      middle: middle[place], low: low[place] ?? null, high: high[place] ?? null, inLow: inLow[place] ?? null,
      inHigh: inHigh[place] ?? null,
    }));
  }
  earlier.forEach((part, number) => {
    const middle = part.quantiles["q0.5"] ?? part.mean;
    part.ds.forEach((ds, place) => { row(ds).earlier[number] = middle[place]; });
  });
  const sorted = [...rows.values()].sort((one, other) => one.ds - other.ds);
  return { rows: gaps(sorted), levels };
}

/** A row without numbers where the clock of the series skips, so that no line is drawn across a hole. */
function gaps(rows) {
  const steps = rows.slice(1).map((row, place) => row.ds - rows[place].ds);
  const step = Math.min(...steps);
  return rows.flatMap((row, place) => (place && row.ds - rows[place - 1].ds > step * 1.5
    ? [{ ...row, ds: rows[place - 1].ds + step, actual: null, middle: null, low: null, inLow: null, inHigh: null, high: null, earlier: [] }, row]
    : [row]));
}

/** The highest of some values and where it stands; null where there is none. */
export function highest(ds, values) {
  let best = null;
  values.forEach((value, place) => {
    if (value !== null && (best === null || value > best.value)) best = { ds: ds[place], value };
  });
  return best;
}
