"""Monitoring replayed on real measurements: changes that are found within three days, and false alarms of normal years.

    python benchmarks/drift.py FOLDER [--only vic,tet,eia] [--breaks 12] [--work FOLDER]

FOLDER holds the Victoria, Tetouan and EIA-930 tables. A ridge learns from the first part of each table and forecasts
every day of the rest at D-1T10:00. Then, from days drawn at random (seed 11), demand changes for good, and the same
ridge forecasts the days after it anew, from what it would have known. Thresholds are chosen on every second EIA series,
as the lowest at which each kind raises at most a quarter of an alarm in a series-year (large errors a fifth), and
reported on the others, on Victoria and on Tetouan. Nothing else is chosen on the data. What was forecast is kept in
the work folder.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast import clock
from forecast.backtest import Plan
from forecast.calendars import day_kinds
from forecast.forecaster import Forecaster
from forecast.monitoring import LIMITS, Days, Limits, breaks, errors_until, expected_error
from forecast.monitoring.neighbours import ratios_alone, strength
from forecast.protocols.eia import eia
from forecast.protocols.tetouan import tetouan
from forecast.protocols.victoria import victoria
from forecast.recipe import Task
from forecast.recipes import RIDGE
from forecast.tables import Demand
from forecast.training import fit

Floats = npt.NDArray[np.float64]
GATE, AHEAD = "D-1T10:00", 4
COLUMNS = ["y", "q0.5", "q0.1", "q0.9"]
GRID = {
    "level": np.arange(3.0, 8.01, 0.25), "shape": np.arange(2.0, 6.01, 0.25), "error": np.arange(1.5, 4.01, 0.25)
}  # fmt: skip
MOST = {"level": 0.25, "shape": 0.25, "error": 0.2}
"""False alarms of a kind in a series-year, at which its threshold is chosen."""
QUIET = timedelta(days=LIMITS.quiet_days)
SETTLED = 100
"""So many days of scores stand before the first one that is judged; 63 of Tetouan's short year."""


@dataclass(frozen=True)
class Table:
    """A table and how it is replayed."""

    read: Callable[[Path], Demand]
    span: tuple[str, str]
    zone: str
    country: str
    settled: int = SETTLED


def hourly(path: Path) -> Demand:
    """Tetouan as hourly means."""
    table = tetouan(path)
    frame = table.to_frame()
    kept = ["y", *table.columns.past]
    frame = frame.groupby(["unique_id", frame["ds"].dt.floor("1h")])[kept].mean().reset_index()
    return Demand.from_frame(frame, columns=table.columns, zone="+01:00", unit="kW", country="MA")


TABLES = {
    "vic": Table(
        lambda folder: victoria(folder / "victoria_2012_2014_halfhourly.parquet", temperature="known"),
        ("2013-04-01", "2014-12-30"), "Australia/Melbourne", "AU-VIC",
    ),
    "tet": Table(
        lambda folder: hourly(folder / "tetouan_2017_10min.parquet"), ("2017-04-01", "2017-12-29"), "+01:00", "MA", 63
    ),
    "eia": Table(
        lambda folder: eia(folder / "eia930_2015_2019_hourly.parquet", operator=False),
        ("2017-07-01", "2019-12-29"), "-06:00", "US",
    ),
}  # fmt: skip


def level(share: float, day_H: Floats) -> Floats:
    return day_H * (1 + share)


def shifted(hours: int, day_H: Floats) -> Floats:
    return np.roll(day_H, hours, axis=0)


def flattened(day_H: Floats) -> Floats:
    mean = day_H.mean(axis=0, keepdims=True)
    return mean + 0.5 * (day_H - mean)


def capped(day_H: Floats) -> Floats:
    mean = day_H.mean(axis=0, keepdims=True)
    return np.minimum(day_H, mean + 0.5 * (day_H.max(axis=0, keepdims=True) - mean))


CHANGES: dict[str, Callable[[Floats], Floats]] = {
    "level+15": partial(level, 0.15), "level-15": partial(level, -0.15), "level+25": partial(level, 0.25),
    "level-30": partial(level, -0.30), "level+50": partial(level, 0.50), "level-50": partial(level, -0.50),
    "shift+2": partial(shifted, 2), "shift-3": partial(shifted, -3), "shift+4": partial(shifted, 4),
    "flat50": flattened, "cap": capped,
}  # fmt: skip
"""Demand by a share more or less, the day some hours later or earlier, its swing halved, its peak cut half-way."""


def forecaster_of(name: str, demand: Demand, table: Table, work: Path) -> Forecaster:
    """The ridge, learned from what was known at the first cutoff."""
    place = work / f"{name}-model"
    if not place.exists():
        plan = Plan.of(*table.span, "delivery-day", table.zone, demand.step, gate=GATE)
        task = Task(horizon=plan.horizon, every="delivery-day", gate=GATE)
        fit(demand.as_of(plan.cutoffs[0]), RIDGE, task).forecaster.save(place)
    return Forecaster.load(place)


def said(forecaster: Forecaster, demand: Demand, plan: Plan) -> pd.DataFrame:
    """Forecast and demand, row by row."""
    parts = []
    for begin in range(0, len(plan.cutoffs), 60):
        spans = plan.spans[begin : begin + 60] if plan.spans is not None else None
        told = forecaster.predict(demand, plan.cutoffs[begin : begin + 60], horizon=plan.horizon, spans=spans).frame
        parts.append(told[["unique_id", "cutoff", "ds", "mean", "q0.1", "q0.5", "q0.9"]])
    frame = pd.concat(parts, ignore_index=True)
    recent = demand.since(plan.cutoffs[0] - pd.Timedelta("2D")).to_frame()[["unique_id", "ds", "y"]]
    return frame.merge(recent, on=["unique_id", "ds"], how="left")


def arranged(frame: pd.DataFrame, names: list[str], days: list[str], zone: str) -> Floats:
    """`COLUMNS` [S, D, 24, 4] by local hour; an hour that a clock change left out is the mean of its neighbours."""
    local = frame["ds"].dt.tz_convert(clock.zone(zone))
    keyed = frame.assign(day=local.dt.strftime("%Y-%m-%d"), hour=local.dt.hour)
    means = keyed.groupby(["unique_id", "day", "hour"])[COLUMNS].mean()
    every = pd.MultiIndex.from_product([names, days, range(24)])
    values = means.reindex(every).to_numpy().reshape(len(names), len(days), 24, 4)
    holes = np.isnan(values)
    beside = (np.roll(values, 1, axis=2) + np.roll(values, -1, axis=2)) / 2
    few = holes & (holes.sum(axis=2, keepdims=True) <= 3)
    values[few] = beside[few]
    return values


def days_between(span: tuple[str, str]) -> list[str]:
    return [f"{one:%Y-%m-%d}" for one in pd.date_range(*span)]


def walked(name: str, demand: Demand, table: Table, work: Path) -> tuple[list[str], list[str], Floats]:
    """Names, days, and what was forecast of them."""
    place = work / f"{name}.parquet"
    if not place.exists():
        forecaster = forecaster_of(name, demand, table, work)
        plan = Plan.of(*table.span, "delivery-day", table.zone, demand.step, gate=GATE)
        said(forecaster, demand, plan).to_parquet(place)
    frame = pd.read_parquet(place)
    names, days = sorted(frame["unique_id"].unique()), days_between(table.span)
    return names, days, arranged(frame, names, days, table.zone)


def changed(name: str, demand: Demand, table: Table, work: Path, many: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """Places of the first days, and `COLUMNS` [N, changes, S, AHEAD, 24, 4] of the days from them on."""
    place = work / f"{name}-inj.npz"
    if not place.exists():
        forecaster = forecaster_of(name, demand, table, work)
        names, days = sorted(one.unique_id for one in demand.series), days_between(table.span)
        least = 140 if table.settled == SETTLED else 70
        places = np.random.default_rng(11).choice(np.arange(least, len(days) - 8), many, replace=False)
        told = [
            [injected(forecaster, demand, table, names, days[at : at + AHEAD], one) for one in CHANGES.values()]
            for at in sorted(places)
        ]
        np.savez(place, out=np.array(told, dtype=np.float32), breaks=np.sort(places), changes=list(CHANGES))
    kept = np.load(place)
    if list(kept["changes"]) != list(CHANGES):
        raise SystemExit(f"{place} holds other changes: remove it")
    values = kept["out"].astype(np.float64)
    beside = (np.roll(values, 1, axis=4) + np.roll(values, -1, axis=4)) / 2
    return kept["breaks"], np.where(np.isnan(values), beside, values)


def injected(
    forecaster: Forecaster, demand: Demand, table: Table, names: list[str], days: list[str],
    change: Callable[[Floats], Floats],
) -> Floats:  # fmt: skip
    """What is forecast of some days on which demand is another one."""
    plan = Plan.of(days[0], days[-1], "delivery-day", table.zone, demand.step, gate=GATE)
    arena_RC = demand.arena_RC.copy()
    for one in demand.series:
        for first, last in plan.spans or ():
            begin, end = (one.first_row + int((at - one.start) / demand.step) for at in (first, last))
            arena_RC[begin:end, :1] = change(arena_RC[begin:end, :1])
    other = replace(demand, arena_RC=arena_RC, series=tuple(one.viewing(arena_RC) for one in demand.series))
    return arranged(said(forecaster, other, plan), names, days, table.zone)


def days_of(values_SDH4: Floats, names: list[str], first: str, country: str) -> Days:
    """As monitoring holds them; the naive is the same hour a week before."""
    y, middle, low, high = np.moveaxis(values_SDH4, 3, 0)
    naive = np.full_like(y, np.nan)
    naive[:, 7:] = y[:, :-7]
    values = np.stack([y, middle, low, high, naive], axis=3)
    begin = date.fromisoformat(first)
    kinds = day_kinds([begin + timedelta(days=place) for place in range(y.shape[1])], country)
    off = kinds.holiday | kinds.bridge
    return Days(tuple(names), begin.toordinal(), values, np.full(y.shape, 24.0), off, off | kinds.before | kinds.after)


Hit = tuple[str, str, date, date, float]
"""Series, kind, first day, the day that saw it, strength."""
OPEN = Limits(level=float(GRID["level"][0]), shape=float(GRID["shape"][0]))


def hits(days: Days, first: int) -> list[Hit]:
    """All that would be a break at the lowest thresholds."""
    return [
        (one.unique_id, one.kind, one.onset, one.seen, one.strength)
        for place in range(first, days.count)
        for one in breaks(days, days.day(place), OPEN)
    ]


def alarms(found: list[Hit], kind: str, least: float, names: set[str]) -> int:
    """Alarms of a kind: those within `quiet_days` of the one before are one."""
    count, last = 0, dict[str, date]()
    for name, _, _, seen, _ in sorted((h for h in found if h[1] == kind and h[4] >= least), key=lambda h: h[3]):
        if name in names and (name not in last or seen - last[name] > QUIET):
            count += 1
            last[name] = seen
    return count


def chosen(found: list[Hit], names: set[str], years: float) -> dict[str, float]:
    """The lowest thresholds at which each kind raises at most `MOST` alarms in a series-year."""
    limits = {kind: most * years * len(names) for kind, most in MOST.items()}
    return {
        kind: float(next(t for t in grid if alarms(found, kind, t, names) <= limits[kind]))
        for kind, grid in GRID.items()
    }  # fmt: skip


def recalled(
    days: Days, values: Floats, places: npt.NDArray[np.int64], limits: dict[str, float], names: set[str], alone: bool
) -> Iterator[dict[str, Any]]:
    """By change: the share of breaks that were found within three days, by any kind, and the mean delay in days.

    Args:
        days, values, places: the scores, and those of the days from each place on where demand changed.
        limits: from where on it is a break.
        names: the series that are counted.
        alone: one series changes at a time; else all of them at once.
    """
    numbers = [number for number, name in enumerate(days.names) if name in names]
    groups: list[list[int]] = [[one] for one in numbers] if alone else [numbers]
    for number, change in enumerate(CHANGES):
        found, delays, count = 0, list[int](), 0
        for at, one in zip(places, values[:, number], strict=True):
            count += len(numbers)
            for group in groups:
                mine = {days.names[each] for each in group}
                hit = _found(_with(days, one, int(at), group if alone else slice(None)), limits, mine)
                found, delays = found + len(hit), delays + hit
        yield {"change": change, "recall": found / count, "days": float(np.mean(delays)) if delays else np.nan}


def _with(days: Days, changed: Floats, at: int, group: list[int] | slice) -> Days:
    """The last year and a half up to the days that changed, of some series or of all."""
    begin = max(0, at - 450)
    table = days.values_SDHC[:, begin : at + AHEAD].copy()
    table[group, at - begin :, :, :4] = changed[group]
    kept = slice(begin, at + AHEAD)
    return replace(
        days, first=days.first + begin, values_SDHC=table, lead_SDH=days.lead_SDH[:, kept], off_D=days.off_D[kept],
        beside_D=days.beside_D[kept],
    )  # fmt: skip


def _found(days: Days, limits: dict[str, float], names: set[str]) -> list[int]:
    """After how many days the change of each series was found that was found."""
    first: dict[str, int] = {}
    onset = days.day(days.count - AHEAD)
    for later in (1, 2):
        for hit in breaks(days, days.day(days.count - AHEAD + later), OPEN):
            if hit.unique_id in names and hit.strength >= limits[hit.kind] and hit.onset >= onset:
                first.setdefault(hit.unique_id, later + 1)
    return [*first.values()]


def honesty(days: Days, first: int) -> str:
    """How the expected errors compare with those that came."""
    came = np.nanmean(np.abs(days.column("middle") - days.column("demand")), axis=2)
    told = [expected_error(days, days.day(place)) for place in range(first, days.count)]
    lines = []
    for name in ("by_season_S", "by_width_S", "together_S"):
        hoped, real = np.stack([getattr(one, name) for one in told], axis=1), came[:, first:]
        both = np.isfinite(hoped) & np.isfinite(real)
        ratio = [real[s][both[s]].mean() / hoped[s][both[s]].mean() for s in range(len(hoped)) if both[s].any()]
        ranks = [
            pd.Series(hoped[s][both[s]]).corr(pd.Series(real[s][both[s]]), method="spearman") for s in range(len(hoped))
        ]
        lines.append(
            f"  expected {name.removesuffix('_S'):>10}: came / expected {np.median(ratio):.2f} "
            f"({np.min(ratio):.2f} to {np.max(ratio):.2f}), rank correlation from day to day {np.median(ranks):.2f}"
        )
    return "\n".join(lines)


def poor(days: Days, first: int) -> list[Hit]:
    """Errors of two weeks beside those that the season lets expect, and bands that hold less than half; every week."""
    found = []
    for place in range(first + LIMITS.window_days, days.count, 7):
        table, day = errors_until(days, days.day(place)).table, days.day(place)
        table = table[table["reference_days"] >= LIMITS.reference_days]
        ratio_S = table["ratio"].to_numpy()
        by_kind = {
            "error": strength(ratio_S, ratios_alone(ratio_S)),
            "coverage": (table["coverage"] < LIMITS.coverage).to_numpy(dtype=float),
        }
        for kind, size_S in by_kind.items():
            for name, size in zip(table["unique_id"], size_S, strict=True):
                if size >= 1:
                    found.append((name, kind, day, day, float(size)))
    return found


def replay(name: str, folder: Path, work: Path, many: int, limits: dict[str, float] | None) -> dict[str, float]:
    """Replays one table and prints what came of it; returns the thresholds."""
    table = TABLES[name]
    demand = table.read(folder)
    names, dates, values = walked(name, demand, table, work)
    days = days_of(values, names, dates[0], table.country)
    years = (days.count - table.settled) / 365.25
    found = hits(days, table.settled) + poor(days, table.settled)
    halves = {"even": set(names[::2]), "odd": set(names[1::2])} if limits is None else {"all": set(names)}
    if limits is None:
        limits = chosen(found, halves["even"], years)
        print(f"thresholds chosen on the even series: {limits} (the product's: {product()})")
    places, changes = changed(name, demand, table, work, many)
    for half, some in halves.items():
        counts = {kind: alarms(found, kind, limits[kind], some) for kind in limits}
        rate = sum(counts.values()) / len(some) / years
        by_series = [sum(alarms(found, kind, limits[kind], {one}) for kind in limits) / years for one in some]
        print(
            f"{name} {half}: {len(some)} series, {years * len(some):.1f} series-years, false alarms {counts}, "
            f"{rate:.2f} in a series-year; at most one a year in {np.mean(np.array(by_series) <= 1):.0%} of the series"
        )
        for alone in (True, False) if len(names) > 2 else (True,):
            print("one series changes at a time:" if alone else "all series change at once:")
            rows = pd.DataFrame(recalled(days, changes, places, limits, some, alone)).set_index("change")
            print(rows.round(2).T.to_string(), flush=True)
    if len(names) <= 3:
        for hit in [h for h in found if h[4] >= limits[h[1]]]:
            print(f"  alarm: {hit[0]} {hit[1]} since {hit[2]}, seen {hit[3]}, strength {hit[4]:.1f}")
    bands = alarms(found, "coverage", 1, set(names))
    print(f"  bands that hold less than half: {bands} in {years * len(names):.1f} series-years")
    print(honesty(days, table.settled), flush=True)
    return limits


def product() -> dict[str, float]:
    """The thresholds that count."""
    return {kind: float(getattr(LIMITS, kind)) for kind in GRID}


def main() -> None:
    """Replays the tables, EIA first: it chooses."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="eia,vic,tet")
    parser.add_argument("--breaks", type=int, default=12)
    parser.add_argument("--work", type=Path, default=Path("mlruns/work/drift"))
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore", RuntimeWarning)  # means of days that nobody measured
    limits: dict[str, float] | None = None
    for name in [one for one in ("eia", "vic", "tet") if one in asked.only.split(",")]:
        begun = time.process_time()
        limits = replay(name, asked.folder, asked.work, asked.breaks, None if name == "eia" else limits or product())
        print(f"  {time.process_time() - begun:.0f} s of CPU\n", flush=True)


if __name__ == "__main__":
    main()
