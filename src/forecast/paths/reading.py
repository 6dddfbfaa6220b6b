"""What is read off the paths of one day: quantiles of its peak and energy, and the hour of its peak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecast.paths.marginals import Doubles, Floats, Ints, place_of

HOURS = 24


@dataclass(frozen=True, eq=False)
class DayReading:
    """One civil day as several origins foresee it.

    Attributes:
        peak_NQ: quantiles of the day's highest value, in the unit of the paths.
        energy_NQ: quantiles of the day's energy.
        hour_NK: probability of each of the 24 local hours to hold the peak; an hour that the clock repeats counts
            once, one that it skips has none.
    """

    peak_NQ: Doubles
    energy_NQ: Doubles
    hour_NK: Doubles


def daily(
    paths_NSH: Floats, quantiles_NHQ: Floats, levels: Sequence[float], hour_H: Ints, step_hours: float = 1.0
) -> DayReading:
    """Peak, peak hour and energy of one day, from paths of that day's periods.

    A path's highest value is nowhere below its own value, so the peak's quantile is at no hour below that hour's
    quantile among the paths, and that is the forecast's or more (`sample_quantiles`). The maximum with the forecast's
    own quantiles says this once more, in case the paths come from elsewhere.

    Args:
        paths_NSH: equally likely paths of the day.
        quantiles_NHQ: the forecast that they were drawn from.
        levels: its Q levels.
        hour_H: local hour 0..23 of each period.
        step_hours: what the sum of a path's values is multiplied by to be energy: the step's hours for mean power, 1
            for energy per period.
    """
    peak_NQ = sample_quantiles(paths_NSH.max(-1), levels)
    energy_NQ = sample_quantiles(paths_NSH.sum(-1) * step_hours, levels)
    return DayReading(np.maximum(peak_NQ, np.max(quantiles_NHQ, axis=-2)), energy_NQ, _peak_hours(paths_NSH, hour_H))


def sample_quantiles(values_NS: Floats, levels: Sequence[float]) -> Doubles:
    """Quantiles [N, Q] of S equally likely values: the first that stands for the level or more, never between two.

    The one rule for periods, peaks and energy: what holds path by path holds for the quantiles, without rounding.
    """
    values_NS = np.sort(np.asarray(values_NS, dtype=np.float64), axis=-1)
    return np.asarray(values_NS[..., [place_of(level, values_NS.shape[-1]) for level in levels]])


def _peak_hours(paths_NSH: Floats, hour_H: Ints) -> Doubles:
    """Share of the paths that peak in each local hour; of equal values the first counts, as in `metrics`."""
    at_NS = _first_highest(paths_NSH)
    hour_NK = np.zeros((*at_NS.shape[:-1], HOURS))
    for step, hour in enumerate(hour_H):
        hour_NK[..., hour] += (at_NS == step).mean(-1)
    return hour_NK


def _first_highest(paths_NSH: Floats) -> Ints:
    """The step of each path's highest value; step by step, because the steps lie far apart in memory."""
    at_NS = np.zeros(paths_NSH.shape[:-1], dtype=np.int64)
    highest_NS = paths_NSH[..., 0].copy()
    for step in range(1, paths_NSH.shape[-1]):
        at_NS[paths_NSH[..., step] > highest_NS] = step
        np.maximum(highest_NS, paths_NSH[..., step], out=highest_NS)
    return at_NS
