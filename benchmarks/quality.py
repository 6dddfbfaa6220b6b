"""How many injected faults the rules of quality find, and what they find where nothing is wrong.

Run with `python benchmarks/quality.py FOLDER`. FOLDER holds the half-hourly Victoria, the ten-minute Tetouan and the
hourly EIA-930 table with its list of series. Of EIA-930 the recommended series are taken, and of those only months that
the screening calls OKAY from beginning to end. Series are ordered by name; thresholds were chosen on those with an even
number, and the figures are those of the odd ones (`--half even` shows the others).

Each fault is put into a table of its own: a year or less of one series. It counts as found when a finding of its rule
overlaps it that is not there without the fault.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.quality import Finding, QualityReport, examine
from forecast.quality.faults import KINDS, RULE, Fault, Kind, draw, inject
from forecast.tables import Demand

CLOCKS = {
    "AEC": "America/Chicago", "AECI": "America/Chicago", "AVA": "America/Los_Angeles", "AZPS": "America/Phoenix",
    "BPAT": "America/Los_Angeles", "CISO": "America/Los_Angeles", "EPE": "America/Denver", "ERCO": "America/Chicago",
    "GCPD": "America/Los_Angeles", "IID": "America/Los_Angeles", "IPCO": "America/Boise",
    "LDWP": "America/Los_Angeles", "MISO": "America/Chicago", "NEVP": "America/Los_Angeles", "NWMT": "America/Denver",
    "PGE": "America/Los_Angeles", "PNM": "America/Denver", "PSCO": "America/Denver", "PSEI": "America/Los_Angeles",
    "SCL": "America/Los_Angeles", "TEPC": "America/Phoenix", "TIDC": "America/Los_Angeles",
    "TPWR": "America/Los_Angeles", "TVA": "America/Chicago", "WACM": "America/Denver", "WALC": "America/Phoenix",
}  # fmt: skip
"""Civil zones of the authorities that are not on New York's."""
LEAST_DAYS, YEAR = 120, 365.25
OURS = ("gap",)
"""Months that are taken out leave gaps; those are no false findings."""


def main() -> None:
    """Prints recall by kind and half of sizes, and false findings per clean series-year."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder of the three tables")
    parser.add_argument("--half", choices=("even", "odd"), default="odd", help="which series (default: odd)")
    parser.add_argument("--count", type=int, default=200, help="faults of each kind (default: 200)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="print every false finding and every large fault missed")
    options = parser.parse_args()
    tables = sorted(clean(options.folder), key=lambda one: one.series[0].unique_id)
    half = tables[options.half == "odd" :: 2]
    years = sum(measured_days(one) for one in half) / YEAR
    print(f"{len(half)} of {len(tables)} series, {years:.1f} clean series-years ({options.half})")
    false_findings(half, years, told=options.list)
    windows = [window for one in half for window in windows_of(one)]
    recall(windows, options.count, options.seed, told=options.list)


def false_findings(tables: list[Demand], years: float, *, told: bool) -> None:
    """Examines the clean series, and prints what was found by rule and per series-year."""
    begun = time.perf_counter()
    findings = [one for table in tables for one in examine(table).findings if one.rule not in OURS]
    seconds = time.perf_counter() - begun
    rows = sum(len(one.series[0]) for one in tables)
    print(f"examined {rows:,} readings in {seconds:.1f} s")
    by_rule = pd.Series([one.rule for one in findings], dtype=object).value_counts()
    for rule, count in by_rule.items():
        print(f"  {rule:<18}{count:>5} false findings, {count / years:.2f} per clean series-year")
    print(f"  {'all':<18}{len(findings):>5} false findings, {len(findings) / years:.2f} per clean series-year")
    for one in findings if told else []:
        print("   ", one)


def recall(windows: list[Demand], count: int, seed: int, *, told: bool) -> None:
    """Injects faults, and prints the share that is found by kind, for the lower and the upper half of sizes."""
    print(f"{'fault':<16}{'lower half':>12}{'upper half':>12}")
    known: dict[int, QualityReport] = {}
    for kind in KINDS:
        hits: dict[bool, list[bool]] = {False: [], True: []}
        for place, fault in drawn(windows, kind, count, seed):
            before = known.setdefault(place, examine(windows[place]))
            hit = is_found(fault, examine(inject(windows[place], fault)), before)
            hits[fault.large].append(hit)
            if told and fault.large and not hit:
                print("    missed", fault)
        shares = [f"{np.mean(hits[large]):.1%} of {len(hits[large])}" for large in (False, True)]
        print(f"{kind:<16}{shares[0]:>16}{shares[1]:>16}", flush=True)


def drawn(windows: list[Demand], kind: Kind, count: int, seed: int) -> Iterator[tuple[int, Fault]]:
    """Faults of one kind and the windows that they are for: any series first, then any of its windows."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    names = sorted({one.series[0].unique_id for one in windows})
    for _ in range(count):
        name = names[rng.integers(len(names))]
        mine = [place for place, one in enumerate(windows) if one.series[0].unique_id == name]
        place = mine[rng.integers(len(mine))]
        yield place, draw(windows[place], kind, rng)


def is_found(fault: Fault, after: QualityReport, before: QualityReport) -> bool:
    """Whether a finding of the right rule overlaps the fault that was not there without it."""

    def overlaps(one: Finding) -> bool:
        return one.rule == RULE[fault.kind] and one.first <= fault.last and one.last >= fault.first

    return any(overlaps(one) and one not in before.findings for one in after.findings)


def windows_of(demand: Demand) -> Iterator[Demand]:
    """Stretches of clean months, a year or less each; shorter than four months is left out."""
    one = demand.series[0]
    known = np.isfinite(demand.observed(one))
    a_day, gap = demand.steps_per_day, np.flatnonzero(~known)
    edges = np.r_[-1, gap, len(known)]
    for before, after in pairwise(edges.tolist()):
        for first in range(before + 1, after, 366 * a_day):
            last = min(first + 366 * a_day, after)
            if last - first >= LEAST_DAYS * a_day:
                yield part(demand, first, last)


def part(demand: Demand, first: int, last: int) -> Demand:
    """Some rows of a table of one series, as a table of its own."""
    one = demand.series[0]
    values_TC = one.values_TC[first:last].copy()
    values_TC.flags.writeable = False
    cut = replace(one, start=one.start + first * demand.step, values_TC=values_TC, first_row=0)
    return replace(demand, series=(cut,), arena_RC=values_TC)


def measured_days(demand: Demand) -> float:
    """Days that are measured, in a table of one series."""
    return float(np.isfinite(demand.observed(demand.series[0])).sum()) / demand.steps_per_day


def clean(folder: Path) -> Iterator[Demand]:
    """Every series as a table of its own, what is not known to be clean left empty."""
    victoria = pd.read_parquet(folder / "victoria_2012_2014_halfhourly.parquet")
    yield table("victoria", victoria["timestamp"], victoria["demand"], "Australia/Melbourne")
    tetouan = pd.read_parquet(folder / "tetouan_2017_10min.parquet")
    for name, rows in tetouan.groupby("series_id"):
        yield table(f"tetouan {name}", rows["timestamp"].dt.tz_localize("+01:00"), rows["demand"], "+01:00")
    series = pd.read_csv(folder / "eia930_series.csv")
    recommended = series.loc[series["recommended"], "series_id"]
    eia = pd.read_parquet(folder / "eia930_2015_2019_hourly.parquet").astype({"series_id": str, "screen_flag": str})
    for name, rows in eia[eia["series_id"].isin(recommended)].groupby("series_id"):
        local = rows["timestamp"] - pd.Timedelta("1h")
        okay = (rows["screen_flag"] == "OKAY") & rows["demand"].notna()
        whole = okay.groupby(local.dt.strftime("%Y-%m").to_numpy()).transform("all")
        clock = CLOCKS.get(str(name), "America/New_York")
        yield table(str(name), local, rows["demand"].where(whole), clock)


def table(name: str, stamps: pd.Series, y: pd.Series, zone: str) -> Demand:
    """One series as a checked table."""
    ds = pd.DatetimeIndex(stamps).tz_convert("UTC")
    frame = pd.DataFrame({"unique_id": name, "ds": ds, "y": y.to_numpy(dtype=np.float64)})
    return Demand.from_frame(frame.sort_values("ds"), zone=zone)


if __name__ == "__main__":
    main()
