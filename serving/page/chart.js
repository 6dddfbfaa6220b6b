// The fan: what was measured, what is expected with its bands, what was expected before. Drawn by uPlot (vendor/uplot).

import { HOUR, axisDay, dayStart, dateOf, daysLater, hourOf, timeText } from "./clock.js";
import { number } from "./words.js";

const HEIGHTS = [[640, 300], [1000, 380], [Infinity, 440]];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export class Fan {
  /** place: where it is drawn; onMove: told the row under the cursor, or null. */
  constructor(place, onMove) {
    this.place = place;
    this.onMove = onMove;
    this.plot = null;
    this.shown = null;
    new ResizeObserver(() => this.resize()).observe(place);
  }

  /** view: {rows, zone, step, unit, now, day, earlier (how many), title}. */
  draw(view) {
    const at = this.plot?.cursor.idx ?? null;
    const kept = at !== null && this.shown ? this.shown.rows[at]?.ds : null;
    this.plot?.destroy();
    this.shown = view;
    this.plot = null;
    if (!view.rows.length) return;
    this.plot = new window.uPlot(this.options(view), this.data(view), this.place);
    const again = kept === null ? -1 : view.rows.findIndex((row) => row.ds === kept);
    if (again >= 0 && document.activeElement?.contains(this.place)) this.moveTo(again);
  }

  data({ rows, earlier }) {
    const column = (name) => rows.map((row) => row[name]);
    const before = Array.from({ length: earlier }, (_, place) => rows.map((row) => row.earlier[place] ?? null));
    return [rows.map((row) => row.ds / 1000), column("low"), column("high"), column("inLow"), column("inHigh"), ...before,
      column("middle"), column("actual")];
  }

  options(view) {
    const edge = { stroke: "transparent", width: 0, points: { show: false } };
    const line = (name, width, more = {}) => ({ stroke: colour(name), width, points: { show: false }, ...more });
    const dots = { points: { show: false, filter: lonely, size: 7 } };
    const before = Array.from({ length: view.earlier }, (_, place) => line("earlier", 1.25, { dash: [5, 4], alpha: 1 - place * 0.13 }));
    return {
      ...this.size(),
      series: [{}, edge, edge, edge, edge, ...before, line("expected", 2.25, dots), line("actual", 2.25, dots)],
      bands: [{ series: [2, 1], fill: colour("band-outer") }, { series: [4, 3], fill: colour("band-inner") }],
      legend: { show: false },
      cursor: { y: false, points: { size: 7, width: 2 }, drag: { x: false, y: false } },
      scales: { x: { time: false, range: () => this.span(view) }, y: { range: (_, low, high) => reach(low, high) } },
      axes: [this.across(view), this.up(view)],
      padding: [14, 12, 0, 0],
      hooks: { drawClear: [(plot) => this.ground(plot, view)], draw: [(plot) => this.mark(plot, view)],
        setCursor: [(plot) => this.onMove(plot.cursor.idx === null ? null : view.rows[plot.cursor.idx])] },
    };
  }

  span({ rows, step }) {
    return [rows[0].ds / 1000, (rows[rows.length - 1].ds + step) / 1000];
  }

  size() {
    const width = Math.max(240, this.place.clientWidth);
    return { width, height: HEIGHTS.find(([most]) => width <= most)[1] };
  }

  resize() {
    if (this.plot && Math.abs(this.plot.width - this.place.clientWidth) > 1) this.plot.setSize(this.size());
  }

  across({ zone }) {
    const look = { stroke: colour("quiet"), font: `12px ${FONT}`, grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false } };
    const splits = (plot, _, low, high) => hourMarks(low * 1000, high * 1000, zone, plot.width).map((ds) => ds / 1000);
    const text = (ds) => (hourOf(ds, zone) === 0 ? axisDay(ds, zone) : timeText(ds, zone));
    // No words where they would be cut off at the right.
    const fits = ({ scales: { x }, width }, mark) => ((x.max - mark) / (x.max - x.min)) * (width - 70) > 14;
    return { ...look, gap: 6, size: 30, splits, values: (plot, marks) => marks.map((mark) => (fits(plot, mark) ? text(mark * 1000) : "")) };
  }

  up({ unit }) {
    const look = { stroke: colour("quiet"), font: `12px ${FONT}`, grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false } };
    return { ...look, gap: 6, size: (_, values) => 18 + 7 * Math.max(2, ...(values ?? []).map((text) => text.length)),
      values: (_, marks) => marks.map((mark) => number(mark)), label: unit, labelSize: 18, labelFont: `12px ${FONT}`, labelGap: 0 };
  }

  /** The day in question, lit behind everything. */
  ground(plot, { day, zone }) {
    const { ctx, bbox } = plot;
    const [from, until] = [dayStart(day, zone), dayStart(daysLater(day, 1), zone)].map((ds) => clamped(plot, ds));
    ctx.save();
    ctx.fillStyle = colour("lit");
    ctx.fillRect(from, bbox.top, until - from, bbox.height);
    ctx.restore();
  }

  /** The moment of the forecast, with its name. */
  mark(plot, { now, nowWords }) {
    const { ctx, bbox } = plot;
    const place = Math.round(plot.valToPos(now / 1000, "x", true));
    if (place < bbox.left || place > bbox.left + bbox.width) return;
    const scale = window.devicePixelRatio || 1;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour("now");
    ctx.lineWidth = 1.5 * scale;
    ctx.beginPath();
    ctx.moveTo(place, bbox.top);
    ctx.lineTo(place, bbox.top + bbox.height);
    ctx.stroke();
    ctx.font = `600 ${12 * scale}px ${FONT}`;
    ctx.textBaseline = "top";
    const right = place + ctx.measureText(nowWords).width + 10 * scale > bbox.left + bbox.width;
    ctx.textAlign = right ? "right" : "left";
    ctx.fillText(nowWords, place + (right ? -5 : 5) * scale, bbox.top + 2 * scale);
    ctx.restore();
  }

  /** Puts the cursor on a row; the keyboard's way. */
  moveTo(index) {
    if (!this.plot) return;
    const { rows } = this.shown;
    const place = Math.min(Math.max(index, 0), rows.length - 1);
    const left = this.plot.valToPos(rows[place].ds / 1000, "x");
    const middle = rows[place].middle ?? rows[place].actual;
    this.plot.setCursor({ left, top: middle === null ? 10 : this.plot.valToPos(middle, "y") });
  }

  leave() {
    this.plot?.setCursor({ left: -10, top: -10 });
  }

  get index() {
    return this.plot?.cursor.idx ?? null;
  }
}

const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";

/** Points only where a value stands alone between gaps, where no line would show it. */
function lonely(plot, series) {
  const values = plot.data[series];
  const none = (at) => values[at] === null || values[at] === undefined;
  const alone = [...values.keys()].filter((place) => !none(place) && none(place - 1) && none(place + 1));
  return alone.length ? alone : null;
}

function reach(low, high) {
  if (low === null || high === null) return [0, 1];
  const room = Math.max((high - low) * 0.08, Math.abs(high) * 0.005, 1e-9);
  const bottom = low - room;
  return [low >= 0 && bottom < 0 ? 0 : bottom, high + room];
}

function clamped(plot, ds) {
  const { left, width } = plot.bbox;
  return Math.min(Math.max(plot.valToPos(ds / 1000, "x", true), left), left + width);
}

/** Local midnights, and round local hours between where there is room for their words. */
function hourMarks(first, last, zone, width) {
  const days = (last - first) / (24 * HOUR);
  const room = width / days;
  const every = [1, 2, 3, 6, 12, 24].find((hours) => (room * hours) / 24 >= 56) ?? 24;
  const sparse = Math.max(1, Math.ceil(62 / room));
  const marks = [];
  let count = 0;
  for (let date = dateOf(first, zone); dayStart(date, zone) <= last; date = daysLater(date, 1), count += 1) {
    if (count % sparse) continue;
    const [begin, end] = [dayStart(date, zone), dayStart(daysLater(date, 1), zone)];
    for (let ds = begin; ds < end && every >= 1; ds += HOUR) {
      if (ds >= first && ds <= last && (ds === begin || (every < 24 && hourOf(ds, zone) % every === 0))) marks.push(ds);
    }
  }
  return marks;
}
