"""Scores of quantiles and of the intervals between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecast.errors import DataError
from forecast.metrics.point import Floats, Values, mean_of, paired, ratio


def pinball_losses(y: Floats, quantile: Floats, level: float) -> Floats:
    """The loss of each entry: level · (y − q) above the quantile, (1 − level) · (q − y) below; NaN stays NaN."""
    short = y - quantile
    return np.asarray(np.maximum(level * short, (level - 1) * short))


def pinball(y_T: Values, quantile_T: Values, level: float) -> float:
    """Mean pinball (quantile) loss at one level, in the unit of y; at level 0.5 half the mean absolute error.

    Raises:
        DataError: the level is not within (0, 1).

    Source: Koenker and Bassett (1978), Regression quantiles.

    >>> pinball([10, 10], [8, 12], level=0.75)
    1.0
    """
    _check_level(level)
    y_T, quantile_T = paired(y_T, quantile_T)
    return mean_of(pinball_losses(y_T, quantile_T, level))


def mean_pinball(y_T: Values, quantiles_TQ: Values, levels: Sequence[float], scale: float = 1.0) -> float:
    """Mean pinball loss over the levels, divided by a scale.

    Args:
        y_T: [T]; quantiles_TQ: [T, Q], one column per level.
        levels: the Q levels.
        scale: `seasonal_scale` of the training part for a figure that compares series (0 or NaN gives NaN); 1 leaves
            the unit of y.

    Raises:
        DataError: columns and levels differ in number, or a level is not within (0, 1).

    >>> mean_pinball([10, 10], [[8, 10], [8, 10]], levels=[0.1, 0.5], scale=0.5)
    0.2
    """
    matrix_TQ = np.asarray(quantiles_TQ, dtype=np.float64)
    if matrix_TQ.ndim != 2 or matrix_TQ.shape[1] != len(levels):
        raise DataError(f"quantiles of shape {matrix_TQ.shape} stand beside {len(levels)} levels", "one column each")
    losses = np.array([pinball(y_T, matrix_TQ[:, at], level) for at, level in enumerate(levels)])
    return ratio(mean_of(losses[~np.isnan(losses)]), scale)


def coverage(y_T: Values, low_T: Values, high_T: Values) -> float:
    """Share (0..1) of the periods whose demand lies within the interval, bounds included.

    >>> coverage([1, 2, 3, 9], [0, 0, 0, 0], [2, 2, 3, 3])
    0.75
    """
    y_T, low_T, high_T = paired(y_T, low_T, high_T)
    return mean_of(((low_T <= y_T) & (y_T <= high_T)).astype(np.float64))


def width(low_T: Values, high_T: Values) -> float:
    """Mean width of the interval, in the unit of y.

    >>> width([0, 10], [5, 11])
    3.0
    """
    low_T, high_T = paired(low_T, high_T)
    return mean_of(high_T - low_T)


def winkler(y_T: Values, low_T: Values, high_T: Values, alpha: float) -> float:
    """Mean Winkler (interval) score, in the unit of y: the width plus 2/alpha times the distance outside.

    Args:
        alpha: the share that may fall outside: 0.2 for the 80 % interval.

    Raises:
        DataError: alpha is not within (0, 1).

    Source: Winkler (1972); Gneiting and Raftery (2007), equation 43.

    >>> winkler([5, 12], [0, 0], [10, 10], alpha=0.2)
    20.0
    """
    _check_level(alpha)
    y_T, low_T, high_T = paired(y_T, low_T, high_T)
    outside_T = np.maximum(low_T - y_T, 0) + np.maximum(y_T - high_T, 0)
    return mean_of(high_T - low_T + 2 / alpha * outside_T)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise DataError(f"the level {level:g} is no share", "a number between 0 and 1, both excluded")
