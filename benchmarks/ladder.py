"""Where the ladder of fallbacks should step down: the error of each rung by what is missing, from the same knowledge.

Run with `make bench BENCH=ladder DATA=folder` or `python benchmarks/ladder.py FOLDER [--models DIR]
[--recipes ridge,lstm] [--cutoffs 30]`. Models learn once and are kept in `--models`. Errors are mean absolute errors of
the next 24 hours in per cent of the series' level; "in" is the share of outcomes within the band from the quantile 0.1
to 0.9. The champion's are as it gives them, the service widens them by what `fallback.verdict` says.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.fallback import Health, Known, Profile, below, without_stuck
from forecast.fallback.constant import constant
from forecast.fallback.profile import profiled
from forecast.fallback.spread import shares
from forecast.forecaster import Forecaster
from forecast.protocols.eia import eia
from forecast.protocols.tetouan import tetouan
from forecast.protocols.victoria import victoria
from forecast.quality.mask import with_y
from forecast.recipe import Recipe, Task
from forecast.recipes import named
from forecast.tables import Demand
from forecast.training import fit

LATE_H = (0, 1, 3, 6, 12, 24, 48, 72, 120, 144, 156, 162, 166, 168, 240, 336)
STUCK_H = (6, 24, 48, 72)
KEPT = (0.75, 0.5, 0.25, 0.15, 0.1, 0.05)
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
EIA_SERIES = ("SCL", "TAL", "JEA", "ERCO", "NYIS", "BPAT")
DAY = pd.Timedelta("1D")
LEVEL: dict[str, float] = {}
"""Mean of each series, in whose shares errors are told."""


@dataclass(frozen=True)
class Place:
    """A table, where training ends, and how much is learned from."""

    read: Callable[[Path], Demand]
    since: str
    until: str


PLACES = {
    "victoria": Place(
        lambda folder: victoria(folder / "victoria_2012_2014_halfhourly.parquet", temperature="known"),
        "2012-01-01T00:00Z", "2014-07-01T00:00Z",
    ),
    "eia": Place(
        lambda folder: replace(
            eia(folder / "eia930_2015_2019_hourly.parquet", operator=False).select(EIA_SERIES), beside=()
        ),
        "2017-01-01T00:00Z", "2019-01-01T00:00Z",
    ),
    "tetouan": Place(
        lambda folder: tetouan(folder / "tetouan_2017_10min.parquet"), "2017-01-01T00:00Z", "2017-10-01T00:00Z"
    ),
}  # fmt: skip


def main() -> None:
    """Prints the tables of each place and recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the tables lie")
    parser.add_argument("--models", type=Path, default=Path("mlruns/work/ladder"), help="where models are kept")
    parser.add_argument("--recipes", default="ridge")
    parser.add_argument("--places", default=",".join(PLACES))
    parser.add_argument("--cutoffs", type=int, default=30)
    options = parser.parse_args()
    for place in options.places.split(","):
        demand = PLACES[place].read(options.folder)
        for recipe in options.recipes.split(","):
            model = learned(options.models / f"{place}-{recipe}", PLACES[place], demand, named(recipe))
            told(place, recipe, model, demand, options.cutoffs)


def learned(folder: Path, place: Place, demand: Demand, recipe: Recipe) -> Forecaster:
    """The model of a place, learned where it is not kept yet."""
    if not (folder / "manifest.json").exists():
        known = demand.since(pd.Timestamp(place.since)).as_of(pd.Timestamp(place.until))
        fit(known, recipe, Task(horizon=demand.steps_per_day)).forecaster.save(folder)
    return Forecaster.load(folder)


def told(place: str, recipe: str, model: Forecaster, demand: Demand, count: int) -> None:
    """The tables of one model."""
    LEVEL.update({one.unique_id: float(np.nanmean(demand.observed(one), dtype=np.float64)) for one in demand.series})
    moments = _moments(demand, pd.Timestamp(PLACES[place].until), count)
    trained = demand.since(pd.Timestamp(PLACES[place].since)).as_of(pd.Timestamp(PLACES[place].until))
    profile = Profile.of(trained)
    assert profile is not None
    print(f"\n{place}, {recipe}: {len(demand.series)} series, {len(moments)} cutoffs after training, 24 hours ahead")
    _print("hours late", late(model, demand, moments, profile))
    _print("known of context", thinned(model, demand, moments, profile))
    _print("stuck at 42 [h]", stuck(model, demand, moments))
    if any(name == "temperature" for name in demand.columns.known):
        _print("weather ahead", weather(model, demand, moments))


Row = tuple[str, dict[str, tuple[float, float]]]


def late(model: Forecaster, demand: Demand, moments: pd.DatetimeIndex, profile: Profile) -> Iterator[Row]:
    """Each rung when the load of the last hours has not come."""
    steps, truth = demand.steps_per_day, _truth(demand, moments)
    for hours in LATE_H:
        hidden = replace(demand, delay=demand.delay + pd.Timedelta(hours=hours))
        row = {"champion": _score(_champion(model, hidden, moments, steps), truth)}
        row |= {rung: _score(part, truth) for rung, part in _lower(hidden, moments, steps, profile).items()}
        yield str(hours), row


def thinned(model: Forecaster, demand: Demand, moments: pd.DatetimeIndex, profile: Profile) -> Iterator[Row]:
    """Each rung when only some of the periods were ever known, whole stretches of six hours lost by chance."""
    steps, truth = demand.steps_per_day, _truth(demand, moments)
    block = max(1, steps // 4)
    for share in KEPT:
        draw = np.random.default_rng(5).random(len(demand.arena_RC) // block + 1).repeat(block)[: len(demand.arena_RC)]
        holed = with_y(demand, np.where(draw < share, demand.arena_RC[:, 0], np.float32(np.nan)), draw >= share)
        holed = replace(holed, forecast_only=True)
        row = {"champion": _score(_champion(model, holed, moments, steps), truth)}
        row |= {rung: _score(part, truth) for rung, part in _lower(holed, moments, steps, profile).items()}
        yield f"{share:.0%}", row


def stuck(model: Forecaster, demand: Demand, moments: pd.DatetimeIndex) -> Iterator[Row]:
    """The champion that believes a stuck meter, one that does not see it, and the naive; found: how often."""
    steps, truth = demand.steps_per_day, _truth(demand, moments)
    for hours in STUCK_H:
        believed, masked, naive, found = [], [], [], []
        for moment in moments:
            broken = _overwritten(demand, moment, pd.Timedelta(hours=hours), 42.0)
            lengths = Health.of(broken, moment, context=model.spec.context, horizon=steps).stuck
            hidden = without_stuck(broken, moment, lengths)
            believed.append(_champion(model, broken, pd.DatetimeIndex([moment]), steps))
            masked.append(_champion(model, hidden, pd.DatetimeIndex([moment]), steps))
            naive.append(_lower(hidden, pd.DatetimeIndex([moment]), steps, None)["seasonal_naive"])
            found.append(len(lengths) / len(demand.series))
        parts = {"believed": believed, "masked": masked, "seasonal_naive": naive}
        row = {name: _score(np.concatenate(part, axis=1), truth) for name, part in parts.items()}
        yield f"{hours} (found {np.mean(found):.0%})", row


def weather(model: Forecaster, demand: Demand, moments: pd.DatetimeIndex) -> Iterator[Row]:
    """The champion without the temperature of the coming hours, with the last known day's instead, and the naive."""
    steps, truth = demand.steps_per_day, _truth(demand, moments)
    column = demand.columns.dynamic.index("temperature")
    parts: dict[str, list[np.ndarray]] = {"given": [], "missing": [], "filled": [], "seasonal_naive": []}
    for moment in moments:
        at = pd.DatetimeIndex([moment])
        parts["given"].append(_champion(model, demand, at, steps))
        parts["missing"].append(_champion(model, _without(demand, moment, column, fill=False), at, steps))
        parts["filled"].append(_champion(model, _without(demand, moment, column, fill=True), at, steps))
        parts["seasonal_naive"].append(_lower(demand, at, steps, None)["seasonal_naive"])
    yield "temperature", {name: _score(np.concatenate(part, axis=1), truth) for name, part in parts.items()}


def _moments(demand: Demand, until: pd.Timestamp, count: int) -> pd.DatetimeIndex:
    """Cutoffs spread over what comes after training, at every hour of the day."""
    last = max(one.start + len(one) * demand.step for one in demand.series) - 2 * DAY
    days = np.linspace(20, (last - until) / DAY - 1, count).astype(int)
    return pd.DatetimeIndex([until + int(day) * DAY + pd.Timedelta(hours=number * 7 % 24)
                             for number, day in enumerate(days)])  # fmt: skip


def _truth(demand: Demand, moments: pd.DatetimeIndex) -> np.ndarray:
    """What came, as shares of each series' level [S, M, H]."""
    parts = []
    for one in demand.series:
        y_T = demand.observed(one).astype(np.float64)
        rows = np.array([-((one.start.value - moment.value) // demand.step.value) for moment in moments])
        parts.append(y_T[rows[:, None] + np.arange(demand.steps_per_day)] / LEVEL[one.unique_id])
    return np.stack(parts)


def _champion(model: Forecaster, demand: Demand, moments: pd.DatetimeIndex, steps: int) -> np.ndarray:
    """Quantiles [S, M, H, Q] as shares of each series' level."""
    frame = model.predict(demand, moments, horizon=steps).frame
    said = frame[[f"q{level:g}" for level in LEVELS]].to_numpy().reshape(len(demand.series), len(moments), steps, -1)
    return _shared(said, demand)


def _lower(
    demand: Demand, moments: pd.DatetimeIndex, steps: int, profile: Profile | None
) -> dict[str, np.ndarray]:  # fmt: skip
    """The same of the rungs below, each alone."""
    side_Q, share_Q = np.sign(np.array(LEVELS) - 0.5), shares(LEVELS)
    parts: dict[str, list[np.ndarray]] = {"seasonal_naive": [], "group_profile": [], "constant": []}
    for moment in moments:
        known = Known.of(demand, moment, 28 * demand.steps_per_day)
        parts["seasonal_naive"].append(below(known, steps, LEVELS, profile).quantiles_SHQ)
        if profile is not None:
            for rung, said in (("group_profile", profiled(known, steps, share_Q, profile)),
                               ("constant", constant(known, steps, share_Q, profile))):  # fmt: skip
                parts[rung].append(said[0][..., None] + side_Q * said[1])
    return {rung: _shared(np.stack(said, axis=1), demand) for rung, said in parts.items() if said}


def _shared(said_SMHQ: np.ndarray, demand: Demand) -> np.ndarray:
    level_S = np.array([LEVEL[one.unique_id] for one in demand.series])
    return said_SMHQ / level_S[:, None, None, None]


def _score(said: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Mean absolute error of the median [%], and the share of outcomes between the outer levels."""
    known = np.isfinite(truth)
    error = np.abs(said[..., 4] - truth)[known].mean() * 100
    return float(error), float(((said[..., 0] <= truth) & (truth <= said[..., -1]))[known].mean())


def _overwritten(demand: Demand, moment: pd.Timestamp, span: pd.Timedelta, value: float) -> Demand:
    """Every meter stands still at a value from some time before the cutoff on."""
    y_R = demand.arena_RC[:, 0].copy()
    for one in demand.series:
        last = -((one.start.value - moment.value) // demand.step.value)
        y_R[one.first_row + last - int(span / demand.step) : one.first_row + last] = value
    return with_y(demand, y_R, np.zeros(len(y_R), dtype=bool))


def _without(demand: Demand, moment: pd.Timestamp, column: int, *, fill: bool) -> Demand:
    """A known-ahead column that ends at the cutoff, or goes on as on the day before."""
    arena_RC, steps = demand.arena_RC.copy(), demand.steps_per_day
    for one in demand.series:
        row = one.first_row - ((one.start.value - moment.value) // demand.step.value)
        ahead = min(2 * steps, one.first_row + len(one) - row)
        last = arena_RC[row - steps : row, column]
        arena_RC[row : row + ahead, column] = np.resize(last, ahead) if fill else np.nan
    series = tuple(replace(one, values_TC=arena_RC[one.first_row : one.first_row + len(one)]) for one in demand.series)
    return replace(demand, arena_RC=arena_RC, series=series)


def _print(title: str, rows: Iterator[Row] | Sequence[Row]) -> None:
    first = True
    for name, row in rows:
        if first:
            print(f"{title:<18}" + "".join(f"{rung:>24}" for rung in row))
            first = False
        print(
            f"{name:<18}" + "".join(f"{error:>14.2f} %, in {inside:4.0%}" for error, inside in row.values()), flush=True
        )


if __name__ == "__main__":
    main()
