"""Past days that began at the same local clock and whose outcome is known: what a forecast is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast import clock
from forecast.errors import NotEnoughHistory
from forecast.features import Inputs
from forecast.forecaster import ForecasterSpec
from forecast.tables import Demand, Series
from forecast.windows import Ints, origins_at

Bools = npt.NDArray[np.bool_]
Doubles = npt.NDArray[np.float64]

MOST_DAYS = 3 * 366
MOST_CELLS = 16_000_000
"""Columns x steps x days that are held at once (64 MB); longer horizons are held against fewer days."""
WHOLE = 0.9
"""Share of a day's steps whose outcome must be known: a gap of two hours does not hide a day."""


@dataclass(frozen=True, eq=False)
class PastDays:
    """Past cutoffs of one series, newest first. N days, H steps.

    Attributes:
        cutoffs: UTC, each at the local clock of the cutoff that is explained.
        inputs: what a model read at each, from what was known then.
        outcome_NH: what happened, mean power; NaN where the meter has a gap.
    """

    cutoffs: pd.DatetimeIndex
    inputs: Inputs
    outcome_NH: Doubles

    def __len__(self) -> int:
        return len(self.cutoffs)


def past_days(spec: ForecasterSpec, demand: Demand, one: Series, cutoff: pd.Timestamp, today: Inputs) -> PastDays:
    """The days before the cutoff whose outcome it knows and whose context is at least half as full as today's.

    Args:
        spec: of the forecaster.
        demand: narrowed to the cutoff.
        one: the series.
        cutoff: the moment that is explained.
        today: its window, [1, ...].

    Raises:
        NotEnoughHistory: there is no such day.
    """
    _, steps, columns = today.future_BHF.shape
    most = min(MOST_DAYS, max(1, MOST_CELLS // (steps * columns)))
    cutoffs = same_clock(cutoff, one, demand.step, steps, most)
    if len(cutoffs):
        place = demand.series.index(one) * len(cutoffs)
        inputs = inputs_at(spec, demand, cutoffs, steps, place + np.arange(len(cutoffs)))
        least = 0.5 * today.past_mask_BLP[:, :, 0].mean()
        fit_N = (inputs.past_mask_BLP[:, :, 0].mean(1) >= least) & (inputs.target_mask_BH.mean(1) >= WHOLE)
        if fit_N.any():
            kept = inputs.only(fit_N)
            outcome_NH = np.where(kept.target_mask_BH > 0, kept.target_BH.astype(np.float64), np.nan)
            return PastDays(cutoffs[fit_N], kept, outcome_NH)
    raise NotEnoughHistory(
        f"no past day of {steps} steps is known at the cutoff {cutoff:%Y-%m-%dT%H:%MZ}",
        "at least one, with history before it, to hold the forecast against",
        "add history, explain a later cutoff, or shorten the horizon",
        series=one.unique_id,
    )


def same_clock(
    cutoff: pd.Timestamp, one: Series, step: pd.Timedelta, steps: int, most: int = MOST_DAYS
) -> pd.DatetimeIndex:
    """Cutoffs (UTC, newest first) at the cutoff's local clock, a day and more after the series' start, whose last
    step is over."""
    zone = clock.zone(one.zone)
    local = cutoff.tz_convert(zone).tz_localize(None)
    count = min(most + steps, int((cutoff - one.start) / pd.Timedelta(days=1)))
    days = pd.DatetimeIndex([local - pd.Timedelta(days=back) for back in range(1, count + 1)])
    # A clock time that a day skips moves on, one that it has twice is the first of the two.
    first = np.ones(len(days), dtype=bool)
    moments = days.tz_localize(zone, ambiguous=first, nonexistent="shift_forward").tz_convert("UTC")
    over = (moments + steps * step <= cutoff) & (moments >= one.start + pd.Timedelta(days=1))
    return moments[over][:most].as_unit("ns")


def inputs_at(
    spec: ForecasterSpec, demand: Demand, cutoffs: Sequence[pd.Timestamp] | pd.DatetimeIndex, steps: int, index_B: Ints
) -> Inputs:
    """What a model reads in some of the windows of all series at some cutoffs, series after series."""
    reader = spec.column_reader
    windows = reader.window_set(demand, origins_at(demand, cutoffs), steps)
    return reader.inputs(windows, reader.clock(windows), np.asarray(index_B, dtype=np.int64))


def joined(first: Inputs, second: Inputs) -> Inputs:
    """Two batches one after the other."""
    names = [field.name for field in fields(first)]
    return Inputs(**{name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names})
