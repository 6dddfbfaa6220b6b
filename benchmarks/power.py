"""How surely a promotion tells a better model from luck: simulated on the day-paired losses of two real recipes.

    python benchmarks/power.py                    the installed sample
    python benchmarks/power.py FOLDER             the measurements in a folder (victoria, tetouan, eia930)

Two recipes are walked forward over a year of days. Days are then drawn in blocks of a week, 1,000 times under a fixed
seed, and every draw is decided by `forecast.promotion.decide` itself, guards included. The challenger's errors are
scaled about the truth, so that its mean loss over the year is exactly the champion's (0 %) or 3 % less: its coverage
stays what it was. Prints the share of draws that are promoted, by days, for one look and for a whole trial; and how
often a challenger that must never win does: one that over-fitted, and those that break coverage, bias or peak alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from forecast import clock
from forecast.backtest import Plan, walk
from forecast.calendars import civil_date
from forecast.comparison import Sheet, sheet_of
from forecast.comparison.pairs import pair
from forecast.forecaster import Forecaster
from forecast.promotion import Trial, decide, next_look
from forecast.recipe import Recipe, Task, TreesModel
from forecast.recipes import named
from forecast.registry.decisions import Decision
from forecast.settings import Settings
from forecast.sources import Declaration, read
from forecast.tables import Demand
from forecast.training import Fitted, fit

DAYS = (7, 14, 28, 56, 91, 182, 365)
LONGER = (730, 1095, 1460, 2190)
"""Looked at one after the other where 3 % is not found within a year."""
DRAWS, SEED, BLOCK, SURE = 1000, 20240501, 7, 0.95
CHAMPION, CHALLENGER = "champion", "challenger"
AT = "2030-01-01T00:00Z"
PAIRS = {
    "ridges": (
        named("ridge"),
        named("ridge").model_copy(update={"name": "ridge-uncorrected", "correction": None}),
    ),
    "naive": (named("seasonal_naive_week"), named("ridge")),
}
"""Champion and challenger."""
GAINS = (0.0, 0.03)
TOLD = {"coverage": ("interval covers", "coverage falls"), "bias": ("the bias is",), "peaks": ("days' peaks grows",)}
"""What the sentence of a broken guard says."""
MEMORY = Recipe(
    name="memory", description="Learns by heart.", model=TreesModel(iterations=60, rate=0.5, leaves=255, min_leaf=1)
)


def main() -> None:
    """Walks, draws, decides, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="folder with the measurements; the sample without it")
    parser.add_argument("--only", help="the table whose name begins so")
    parser.add_argument("--pair", choices=sorted(PAIRS), default="ridges")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--part", choices=("curve", "overfitted", "all"), default="all")
    asked = parser.parse_args()
    with clock.using(AT):
        for name, demand in tables(asked.folder):
            if asked.only is None or name.startswith(asked.only):
                if asked.part != "overfitted":
                    report(name, demand, asked.pair, asked.draws)
                if asked.part != "curve":
                    report_overfitted(name, demand, PAIRS[asked.pair][0], asked.draws)


def tables(folder: Path | None) -> Iterator[tuple[str, Demand]]:
    """Hourly tables; the last year of each is walked."""
    if folder is None:
        sample = read("sample", Declaration())
        yield "sample", _hourly(sample.to_frame()[["ds", "y"]], "victoria", sample.series[0].zone)
        return
    table = pd.read_parquet(folder / "victoria_2012_2014_halfhourly.parquet")
    yield "victoria", _hourly(_two(table, "demand"), "victoria", "Australia/Melbourne")
    table = pd.read_parquet(folder / "eia930_2015_2019_hourly.parquet")
    for series, zone in (("SCL", "America/Los_Angeles"), ("JEA", "America/New_York")):
        mine = _two(table[table["series_id"] == series], "demand")
        # The publisher's stamps mark the end of the hour.
        late = mine.assign(ds=mine["ds"] - pd.Timedelta(hours=1))
        yield series, _hourly(late[late["ds"] >= pd.Timestamp("2017-07-01", tz="UTC")], series, zone)


def _hourly(frame: pd.DataFrame, name: str, zone: str) -> Demand:
    y = frame.set_index("ds")["y"].resample("1h").mean()
    return Demand.from_frame(pd.DataFrame({"unique_id": name, "ds": y.index, "y": y.to_numpy()}), zone=zone)


def _two(table: pd.DataFrame, value: str) -> pd.DataFrame:
    return table[["timestamp", value]].set_axis(["ds", "y"], axis=1).sort_values("ds")


def report(name: str, demand: Demand, pair_name: str, draws: int) -> None:
    """Everything about one table and one pair."""
    begun, recipes = time.perf_counter(), PAIRS[pair_name]
    rows, ends = walked(demand, recipes)
    sheet = sheet_from(rows, demand)
    losses = {model: loss.mean() for model, loss in sheet.losses.items()}
    print(f"\n{name}: {recipes[1].name} against {recipes[0].name}, {len(sheet)} days paired")
    alike = np.corrcoef(sheet.losses[CHALLENGER], sheet.losses[CHAMPION])[0, 1]
    print(
        f"mean absolute error {losses[CHALLENGER]:.5g} against {losses[CHAMPION]:.5g}; correlation by day {alike:.2f}"
    )
    print(f"{'days':>6}" + "".join(f"{f'better by {100 * gain:g} %':>18}" for gain in GAINS))
    for days in DAYS:
        print(f"{days:>6}" + "".join(f"{share(at_gain(sheet, gain), days, draws, ends):>17.1%} " for gain in GAINS))
    for days in LONGER if share(at_gain(sheet, GAINS[-1]), DAYS[-1], draws, ends) < SURE else ():
        found = share(at_gain(sheet, GAINS[-1]), days, draws, ends)
        print(f"{days:>6}{'':>18}{found:>17.1%} ")
        if found >= SURE:
            break
    print(f"{'trial':>6}" + "".join(f"{trial_share(at_gain(sheet, gain), draws, ends):>17.1%} " for gain in GAINS))
    for word, broken in breakers(rows).items():
        won, alone = worst(sheet_from(broken, demand), word, draws, ends)
        print(f"better by 10 %, breaks only {word}: promoted in {won} of {draws} draws of each length; "
              f"that guard alone refused {alone:.0%} of those of 365 days")  # fmt: skip
    print(f"{time.perf_counter() - begun:.0f} s", flush=True)


def report_overfitted(name: str, demand: Demand, champion: Recipe, draws: int) -> None:
    """A challenger that learned shuffled targets by heart, against an honest champion."""
    for word, (table, until) in overfitted(demand, champion).items():
        shown = sheet_from(table, demand)
        won = sum(share(shown, days, draws, until) for days in (28, 182)) * draws
        ours, theirs = (shown.losses[model].mean() for model in (CHALLENGER, CHAMPION))
        print(f"{name}: over-fitted on shuffled targets, {word}: mean absolute error {ours:.5g} against {theirs:.5g}; "
              f"promoted in {won:.0f} of {2 * draws} draws", flush=True)  # fmt: skip


def walked(demand: Demand, recipes: tuple[Recipe, Recipe]) -> tuple[pd.DataFrame, dict[str, pd.Timestamp]]:
    """Both recipes over the last year of days (what is there, where a table is shorter), learned anew every month."""
    zone, step = demand.series[0].zone, demand.step
    end = demand.last_known_end()
    last = civil_date(end.tz_convert(clock.zone(zone))) - timedelta(days=2)
    learned = civil_date(demand.series[0].start.tz_convert(clock.zone(zone))) - timedelta(days=-90)
    first = max(last - timedelta(days=364), learned)
    plan = Plan.of(str(first), str(last), "1d", zone, step, horizon=24)
    fits = {model: partial(_fit, recipe=recipe) for model, recipe in zip((CHAMPION, CHALLENGER), recipes, strict=True)}
    table = walk(demand, fits, plan, refit="monthly").table
    return table[table["y"].notna()], dict.fromkeys(fits, plan.cutoffs[0])


def _fit(known: Demand, recipe: Recipe) -> Fitted:
    return fit(known, recipe, Task(horizon=24, every="1d"))


def sheet_from(rows: pd.DataFrame, demand: Demand) -> Sheet:
    """What the decision reads; peaks are those of civil days."""
    return sheet_of(pair(rows, [CHALLENGER, CHAMPION], "absolute_error", None), demand.zones)


def at_gain(sheet: Sheet, gain: float) -> Sheet:
    """The challenger's errors scaled about the truth, so that its mean loss is (1 - gain) of the champion's."""
    factor = (1 - gain) * sheet.losses[CHAMPION].mean() / sheet.losses[CHALLENGER].mean()
    sums = dict(sheet.sums[CHALLENGER])
    sums |= {name: sums[name] * factor for name in ("error", "winkler", "peak_error")}
    losses = sheet.losses | {CHALLENGER: sheet.losses[CHALLENGER] * factor}
    return replace(sheet, losses=losses, sums=sheet.sums | {CHALLENGER: sums})


def draws_of(size: int, days: int, draws: int) -> Iterator[np.ndarray]:
    """Places of days, drawn in blocks of a week that may begin anywhere."""
    rng = np.random.default_rng([SEED, days])
    for _ in range(draws):
        starts = rng.integers(0, size - BLOCK + 1, size=-(-days // BLOCK))
        yield (starts[:, None] + np.arange(BLOCK)).reshape(-1)[:days]


def decided(sheet: Sheet, ends: dict[str, pd.Timestamp], look: int = 1) -> Decision:
    """The real decision; trainings ended before the first day."""
    trial = Trial(CHALLENGER, CHAMPION, "2", "1", CHALLENGER, ends, look=look)
    return decide(sheet, trial)


def share(sheet: Sheet, days: int, draws: int, ends: dict[str, pd.Timestamp]) -> float:
    """How many of the draws are promoted at one look."""
    found = [decided(sheet.drawn(places), ends).outcome for places in draws_of(len(sheet), days, draws)]
    return found.count("promoted") / draws


def trial_share(sheet: Sheet, draws: int, ends: dict[str, pd.Timestamp]) -> float:
    """How many of the draws are promoted at any look of a whole trial, whose days grow."""
    settings, won = Settings(), 0
    for places in draws_of(len(sheet), settings.promotion_trial_days, draws):
        looks: list[Decision] = []
        while (days := next_look(looks, settings.promotion_least_days)) <= len(places):
            looks.append(decided(sheet.drawn(places[:days]), ends, look=len(looks) + 1))
            if looks[-1].outcome != "undecided":
                break
        won += looks[-1].outcome == "promoted"
    return won / draws


def worst(sheet: Sheet, word: str, draws: int, ends: dict[str, pd.Timestamp]) -> tuple[int, float]:
    """Most promotions of any length, and how often the guard alone refused a year."""
    won = [round(draws * share(sheet, days, draws, ends)) for days in (28, 91)]
    year = [decided(sheet.drawn(places), ends) for places in draws_of(len(sheet), 365, draws)]
    refusals = [[one for one in each.reasons if one.startswith("refused")] for each in year]
    alone = [bool(each) and all(any(part in one for part in TOLD[word]) for one in each) for each in refusals]
    return max([*won, sum(one.outcome == "promoted" for one in year)]), sum(alone) / draws


def breakers(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Challengers that are better by a tenth, each spoiled in one respect only."""
    truth = rows["y"].to_numpy()[:, None]
    said = [name for name in rows.columns if name == "mean" or name.startswith("q0.")]
    mine = (rows["model"] == CHALLENGER).to_numpy()
    loss = (rows["q0.5"] - rows["y"]).abs()
    factor = 0.9 * loss[~mine].mean() / loss[mine].mean()
    better = rows.copy()
    better.loc[mine, said] = (truth + factor * (rows[said] - truth))[mine]
    return {
        "coverage": _narrowed(better, mine, said),
        "bias": _shifted(better, mine),
        "peaks": _late(better, mine, said),
    }


def _narrowed(better: pd.DataFrame, mine: np.ndarray, said: list[str]) -> pd.DataFrame:
    """Intervals of a third of the width."""
    levels, table = [name for name in said if name != "mean"], better.copy()
    middle = better[["q0.5"]].to_numpy()
    table.loc[mine, levels] = (middle + 0.33 * (better[levels] - middle))[mine]
    return table


def _shifted(better: pd.DataFrame, mine: np.ndarray) -> pd.DataFrame:
    """A mean that lies off by 8 % of demand, on the side on which it lay already."""
    table = better.copy()
    side = np.sign((better["mean"] - better["y"])[mine].mean())
    table.loc[mine, "mean"] += side * 0.08 * better["y"].mean()
    return table


def _late(better: pd.DataFrame, mine: np.ndarray, said: list[str]) -> pd.DataFrame:
    """At the highest hour of each day its error is twice the champion's."""
    table, keys = better.copy(), ["unique_id", "cutoff"]
    theirs = better[~mine].set_index([*keys, "ds"])["q0.5"]
    peaks = better.loc[better[mine].groupby(keys)["y"].idxmax()]
    champion = theirs.reindex(pd.MultiIndex.from_frame(peaks[[*keys, "ds"]])).to_numpy()
    move = peaks["y"].to_numpy() + 2 * (champion - peaks["y"].to_numpy()) - peaks["q0.5"].to_numpy()
    table.loc[peaks.index, said] = peaks[said].to_numpy() + move[:, None]
    return table


def overfitted(
    demand: Demand, champion: Recipe, memory: Recipe = MEMORY
) -> dict[str, tuple[pd.DataFrame, dict[str, pd.Timestamp]]]:
    """Trees that learned shuffled targets by heart, on the rows that they learned and on days that came later."""
    zone, one = demand.series[0].zone, demand.series[0]
    last = civil_date(demand.last_known_end().tz_convert(clock.zone(zone))) - timedelta(days=2)
    fresh = Plan.of(str(last - timedelta(days=181)), str(last), "1d", zone, demand.step, horizon=24)
    until = fresh.cutoffs[0]
    frame = demand.to_frame()[["unique_id", "ds", "y"]]
    known = (frame["ds"] < until).to_numpy()
    y = frame["y"].to_numpy(dtype=float).copy()
    y[known] = np.random.default_rng(SEED).permutation(y[known])
    shuffled = Demand.from_frame(frame.assign(y=y), zone=zone, freq=demand.step)
    learned = fit(shuffled.as_of(until), memory, Task(horizon=24, every="1d")).forecaster
    honest = _fit(demand.as_of(until), champion).forecaster
    begin = last - timedelta(days=181 + 121)
    own = Plan.of(str(begin), str(begin + timedelta(days=119)), "1d", zone, demand.step, horizon=24)
    assert own.cutoffs[-1] < until, one.unique_id
    ends = {CHAMPION: until, CHALLENGER: until}
    return {
        "shown its own training rows": (_answers(shuffled, own, learned, honest), ends),
        "on later days with these rows as history": (_answers(shuffled, fresh, learned, honest), ends),
    }


def _answers(table: Demand, plan: Plan, challenger: Forecaster, champion: Forecaster) -> pd.DataFrame:
    frames = [
        one.predict(table, plan.cutoffs, horizon=plan.horizon).frame.assign(model=name)
        for name, one in ((CHALLENGER, challenger), (CHAMPION, champion))
    ]
    actual = table.to_frame()[["unique_id", "ds", "y"]].astype({"y": float})
    return pd.concat(frames, ignore_index=True).merge(actual, on=["unique_id", "ds"]).dropna(subset="y")


if __name__ == "__main__":
    main()
