"""`judge`: walks under a protocol and scores; nothing is scored before the protocol's own checks have passed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from forecast import metrics
from forecast.backtest import FitFunction, RefreshFunction, Walk, WalkProgress, walk
from forecast.errors import DataError
from forecast.metrics.bootstrap import block_interval
from forecast.metrics.rows import local_times
from forecast.metrics.score import mean_over_series
from forecast.protocols.beside import walk_beside
from forecast.protocols.protocol import Protocol
from forecast.tables import Demand

DAYS_BEFORE = {"day": 1, "week": 7}
QUARTERS = 4


def judge(
    protocol: Protocol,
    demand: Demand,
    fits: Mapping[str, FitFunction],
    *,
    truth: pd.DataFrame | None = None,
    beside: Sequence[str] = (),
    seed: int = 0,
    refit: str | int = "never",
    refresh: RefreshFunction | None = None,
    workers: int = 1,
    progress: WalkProgress | None = None,
) -> tuple[Walk, pd.DataFrame]:
    """Walks under a protocol and scores.

    Args:
        protocol: how.
        demand: `protocol.read`.
        fits: from a narrowed table to what was fitted, by model name.
        truth: `protocol.truth`, where the protocol has one.
        beside: peers of `protocols.beside` to run, too; they stand in the table, not among the fitted.
        seed: of the peers and of the bootstrap.
        refit, refresh, workers, progress: see `backtest.walk`; peers always learn anew.

    Returns:
        The walk, its y replaced by the truth; and by model the figures of `metrics.score`, of the protocol, and of
        `interval_figures`.

    Raises:
        DataError: another number of rows was scored than the protocol says, or a period before gives another figure
            than the protocol says; so nothing would compare.
    """
    known = prove(protocol, demand, truth)
    plan, task = protocol.plan(demand), protocol.task(demand)
    walked = walk(demand, fits, plan, refit=refit, refresh=refresh, workers=workers, progress=progress)
    others = [
        walk_beside(name, demand, plan, task, refit=refit, workers=workers, seed=seed, progress=progress)
        for name in beside
    ]
    walked = replace(walked, table=with_truth(pd.concat([walked.table, *others], ignore_index=True), truth))
    _check_rows(protocol, walked.table)
    spec = next(iter(walked.fitted.values()))[0].forecaster.spec
    scores = scored(protocol, walked.table, truth, spec.scales, demand, seed=seed)
    return walked, scores.join(gains(scores, known))


def prove(protocol: Protocol, demand: Demand, truth: pd.DataFrame | None = None) -> pd.DataFrame:
    """What the period a day and a week before reach, by "day" and "week", compared with the protocol's checks.

    Raises:
        DataError: the number of rows or a figure is not the protocol's.
    """
    table = with_truth(persistence(protocol, demand), truth)
    _check_rows(protocol, table)
    found = scored(protocol, table, truth, {}, demand)
    for model, figures in protocol.checks.items():
        for name, expected in figures.items():
            value = float(found.loc[model, name])
            if not _rounds_to(value, expected):
                raise DataError(
                    f"the period a {model} before reaches {name} {value:.2f}", f"{expected} under {protocol.name}",
                    "check the data file",
                )  # fmt: skip
    return found


def _check_rows(protocol: Protocol, table: pd.DataFrame) -> None:
    rows = int(table.groupby("model")["y"].count().min())
    if rows != protocol.scored:
        raise DataError(f"{rows} scored rows", f"{protocol.scored} under {protocol.name}", "check the data file")


def _rounds_to(value: float, published: float) -> bool:
    """Whether a value shows the published digits."""
    decimals = len(str(published).partition(".")[2])
    return round(value, decimals) == published


def persistence(protocol: Protocol, demand: Demand) -> pd.DataFrame:
    """The value 24 hours and 168 hours before each period, as a walk's table of the models "day" and "week"."""
    plan = protocol.plan(demand)
    frame = demand.to_frame()
    wide = frame.pivot(index="ds", columns="unique_id", values="y") * demand.output_factor
    wide = wide.reindex(pd.date_range(wide.index[0], wide.index[-1], freq=demand.step))
    ahead = [cutoff + lead * demand.step for cutoff in plan.cutoffs for lead in range(plan.horizon)]
    ds, cutoff = pd.DatetimeIndex(ahead), plan.cutoffs.repeat(plan.horizon)
    y = wide.reindex(ds).to_numpy()
    parts = []
    for model, days in DAYS_BEFORE.items():
        said = wide.shift(days * demand.steps_per_day).reindex(ds).to_numpy()
        parts += [
            pd.DataFrame({
                "model": model, "unique_id": name, "cutoff": cutoff, "ds": ds, "y": y[:, place], "mean": said[:, place],
            })
            for place, name in enumerate(wide.columns)
        ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def with_truth(table: pd.DataFrame, truth: pd.DataFrame | None) -> pd.DataFrame:
    """A walk's table with its y replaced by the truth's; periods without truth are never scored."""
    if truth is None:
        return table
    joined = table.drop(columns="y").merge(truth[["unique_id", "ds", "y"]], on=["unique_id", "ds"], how="left")
    return joined[list(table.columns)]


def scored(
    protocol: Protocol, table: pd.DataFrame, truth: pd.DataFrame | None, scales: Mapping[str, float], demand: Demand,
    *, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """`metrics.score` by model beside the protocol's figures and those of `interval_figures`.

    Peaks are those of the days on the protocol's clock, because a forecast that begins at 10:00 holds no whole civil
    day; hours are civil ones.
    """
    clocks = dict.fromkeys(demand.zones, protocol.clock)
    by_series = metrics.score_by_series(table, scales=scales, zones=clocks)
    scores = mean_over_series(by_series)
    if protocol.figures is not None:
        scores = scores.join(protocol.figures(by_series, _rows_of(table, truth)))
    return scores.join(interval_figures(table, demand.zones, seed=seed))


def gains(scores: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Share by which each `mae_…` lies below the better of a day and a week before, as `gain_…`."""
    names = [name for name in scores.columns if name.startswith("mae_")]
    found = 1 - scores[names] / known[names].min()
    return found.rename(columns=lambda name: name.replace("mae_", "gain_", 1))


def interval_figures(table: pd.DataFrame, zones: Mapping[str, str], *, seed: int = 0) -> pd.DataFrame:
    """How true the 80 % interval is, over all rows of all series; NaN for a model without an interval.

    Returns:
        By model: `coverage_pooled`; `coverage_low` and `coverage_high`, its 95 % bootstrap interval, the delivery days
        of all series drawn together; `coverage_lowest_hour` of the civil day; `coverage_lowest_quarter` of the span.
    """
    losses = metrics.row_losses(table)
    inside = losses[losses["inside_80"].notna()]
    day = np.unique(losses["cutoff"], return_inverse=True)[1]
    parts = {
        "hour": local_times(losses, zones)["hour"].reindex(inside.index),
        "quarter": pd.Series(day * QUARTERS // (day.max() + 1), index=losses.index).reindex(inside.index),
    }
    found = {}
    for model in pd.unique(losses["model"]):
        mine = inside[inside["model"] == model]
        low, high = block_interval(mine["inside_80"].to_numpy(), mine["cutoff"].to_numpy(), seed=seed)
        found[model] = {"coverage_pooled": mine["inside_80"].mean(), "coverage_low": low, "coverage_high": high} | {
            f"coverage_lowest_{name}": mine["inside_80"].groupby(part.reindex(mine.index)).mean().min()
            for name, part in parts.items()
        }
    return pd.DataFrame(found).T.rename_axis("model")


def _rows_of(table: pd.DataFrame, truth: pd.DataFrame | None) -> pd.DataFrame:
    """The truth's rows of the periods that a walk forecast."""
    periods = table[["unique_id", "ds"]].drop_duplicates()
    return periods if truth is None else truth.merge(periods, on=["unique_id", "ds"])
