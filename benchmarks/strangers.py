"""From which share of the context on a network should be asked about a series that it has not learned from.

Run with `make bench BENCH=strangers DATA=folder` or `python benchmarks/strangers.py FOLDER [--models DIR]
[--recipe lstm] [--cutoffs 16]`. Networks learn from one and from six areas of EIA-930 (2017, 2018) and are asked about
sixteen others in 2019, eight of which a threshold may be chosen on; the other eight, and Victoria and Tetouan hour by
hour, are for judging it. Errors are mean absolute errors of the next 24 hours in per cent of the series' level, the
median over the series; "better" is the share of series of which the network errs by less than the rung below.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.fallback import Known, Profile, below
from forecast.forecaster import Forecaster
from forecast.protocols.eia import eia
from forecast.protocols.tetouan import tetouan
from forecast.protocols.victoria import victoria
from forecast.quality.mask import with_y
from forecast.recipe import Task
from forecast.recipes import named
from forecast.tables import Demand
from forecast.training import fit

KNOWN = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5)
LEARNED = {"one area": ("SCL",), "six areas": ("SCL", "TAL", "JEA", "ERCO", "NYIS", "BPAT")}
CHOSEN_ON = ("AECI", "AVA", "CISO", "CPLE", "EPE", "FPL", "GCPD", "IID")
JUDGED_ON = ("ISNE", "LDWP", "LGEE", "MISO", "NEVP", "PSCO", "TIDC", "TPWR")
SINCE, UNTIL, END = (pd.Timestamp(day, tz="UTC") for day in ("2017-01-01", "2019-01-01", "2019-12-01"))
LEVELS = (0.1, 0.5, 0.9)
HOUR, DAY = pd.Timedelta("1h"), 24


def main() -> None:
    """Prints a table for each network, half and way of missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the tables lie")
    parser.add_argument("--models", type=Path, default=Path("mlruns/work/strangers"), help="where models are kept")
    parser.add_argument("--recipe", default="lstm")
    parser.add_argument("--cutoffs", type=int, default=16)
    options = parser.parse_args()
    areas = replace(eia(options.folder / "eia930_2015_2019_hourly.parquet", operator=False), beside=())
    others = elsewhere(options.folder)
    for name, learned in LEARNED.items():
        model, profile = network(
            options.models / f"{options.recipe}-{len(learned)}", areas.select(learned), options.recipe
        )
        for half, asked in (("chosen on", areas.select(CHOSEN_ON)), ("judged on", areas.select(JUDGED_ON)),
                            ("judged elsewhere", others)):  # fmt: skip
            for way in ("new", "late", "holes"):
                print(f"\n{options.recipe} of {name}, {half}, {way}")
                for share, told in errors(model, profile, asked, way, options.cutoffs):
                    mine, lower = np.array(list(told.values())).T
                    print(
                        f"known {share:4.0%}   network {np.median(mine):6.2f} (worst {mine.max():7.2f})   below "
                        f"{np.median(lower):6.2f} (worst {lower.max():6.2f})   better {(mine < lower).mean():4.0%}",
                        flush=True,
                    )


def network(folder: Path, demand: Demand, recipe: str) -> tuple[Forecaster, Profile]:
    """A network, learned where it is not kept yet, and the week of what it learned from."""
    known = demand.since(SINCE).as_of(UNTIL)
    if not (folder / "manifest.json").exists():
        fit(known, named(recipe), Task(horizon=DAY)).forecaster.save(folder)
    profile = Profile.of(known)
    assert profile is not None
    return Forecaster.load(folder), profile


def elsewhere(folder: Path) -> Demand:
    """Victoria and the three zones of Tetouan by the hour, in MW, their years moved to where the areas are asked."""
    parts = []
    for table, factor, years in (
        (victoria(folder / "victoria_2012_2014_halfhourly.parquet", temperature="past"), 1.0, 5 * 364 + 7),
        (tetouan(folder / "tetouan_2017_10min.parquet"), 1e-3, 2 * 364),
    ):
        frame = table.to_frame()
        frame["ds"] = frame["ds"].dt.floor("h") + pd.Timedelta(days=years)
        hourly = frame.groupby(["unique_id", "ds"], as_index=False)["y"].mean()
        parts.append(hourly.assign(y=hourly["y"] * factor))
    table = pd.concat(parts)
    # Tetouan's stamps are of a local clock that never changes.
    zones = {str(name): "UTC" for name in table["unique_id"].unique()} | {"victoria": "Australia/Melbourne"}
    return Demand.from_frame(table, unit="MW", freq="1h", zone=zones)


def errors(
    model: Forecaster, profile: Profile, demand: Demand, way: str, count: int
) -> Iterator[tuple[float, dict[str, tuple[float, float]]]]:
    """Per share of the context that is known the errors [%] of the network and of the rung below, by series."""
    context = model.spec.context
    # Each starts at another hour of the day.
    last = min(END, min(one.start + len(one) * HOUR for one in demand.series) - 2 * DAY * HOUR)
    first = max(UNTIL, max(one.start for one in demand.series) + 30 * DAY * HOUR)
    moments = [first + int(hours) * HOUR for hours in np.linspace(0, (last - first) / HOUR, count)]
    for share in KNOWN:
        wrong: dict[str, list[tuple[float, float]]] = {one.unique_id: [] for one in demand.series}
        for number, moment in enumerate(moments):
            seen = hidden(demand, moment, context, share, way, number)
            frame = model.predict(seen, [moment], horizon=DAY).frame
            said = below(Known.of(seen, moment, 28 * DAY), DAY, LEVELS, profile)
            for row, one in enumerate(demand.series):
                start = int((moment - one.start) / HOUR)
                truth = demand.observed(one)[start : start + DAY].astype(np.float64)
                told = frame.loc[frame["unique_id"] == one.unique_id, "q0.5"].to_numpy()
                lower = said.quantiles_SHQ[row, :, 1]
                both = [float(np.nanmean(np.abs(part - truth))) for part in (told, lower)]
                wrong[one.unique_id].append((both[0], both[1]))
        level = {one.unique_id: float(np.nanmean(np.abs(demand.observed(one)))) for one in demand.series}
        yield (
            share,
            {
                name: tuple(float(x) for x in 100 * np.nanmean(pairs, axis=0) / level[name])  # type: ignore[misc]
                for name, pairs in wrong.items()
            },
        )


def hidden(demand: Demand, moment: pd.Timestamp, context: int, share: float, way: str, seed: int) -> Demand:
    """The table with so much of the context known: the end of it and nothing before; all but the end; or with holes."""
    known = round(share * context)
    wrong_R = np.zeros(len(demand.arena_RC), dtype=bool)
    for one in demand.series:
        end = one.first_row + int((moment - one.start) / HOUR)
        if way == "new":
            wrong_R[one.first_row : end - known] = True
        elif way == "late":
            wrong_R[end - (context - known) : end] = True
        else:
            lost = np.random.default_rng(seed).permutation(context // 6)[: (context - known) // 6]
            for place in lost:
                wrong_R[end - context + 6 * place : end - context + 6 * place + 6] = True
    return replace(
        with_y(demand, np.where(wrong_R, np.float32(np.nan), demand.arena_RC[:, 0]), wrong_R), forecast_only=True
    )


if __name__ == "__main__":
    main()
