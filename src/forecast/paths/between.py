"""How series move together: the correlation of what came as a surprise in each of them at the same time.

N series, T periods.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from forecast.paths.marginals import Doubles, Floats

LEAST_DAYS = 7
"""Two series with fewer common days of surprises tell nothing of each other."""


def between(y_NT: Floats, season: int, per_day: int) -> Doubles | None:
    """Correlation of the series' surprises; a surprise is the error of last season moved by yesterday's error of it.

    Forecast errors of two meters are correlated through what no forecast knew, such as weather that came otherwise; so
    are their surprises. (The plain change against the season before is correlated more than errors are: it also holds
    what lasts for days, which a forecast sees.) Rank correlation, so that no outlier decides; drawn towards the mean of
    all pairs by as much as the days at hand leave in doubt.

    Args:
        y_NT: series by periods on one clock, what is not known is NaN.
        season: periods of a season, such as those of a week.
        per_day: periods of a day; surprises of one day count as one observation.

    Returns:
        [N, N], ones on the diagonal, pairs that tell nothing at the mean of the others; None where no pair tells
        anything.

    Source: Schäfer and Strimmer (2005), shrinkage target F (constant correlation).
    """
    count, left_NT = len(y_NT), np.asarray(y_NT, dtype=np.float64)
    for apart in dict.fromkeys((season, per_day)):
        left_NT = left_NT[:, apart:] - left_NT[:, :-apart]
    if not left_NT.shape[1]:
        return None
    score_NT = _scores(left_NT)
    known_NT = np.isfinite(score_NT).astype(np.float64)
    zero_NT = np.where(known_NT > 0, score_NT, 0.0)
    days_NN = known_NT @ known_NT.T / per_day
    square_NN = zero_NT**2 @ known_NT.T
    size_NN = np.sqrt(square_NN * square_NN.T)
    usable_NN = (days_NN >= LEAST_DAYS) & (size_NN > 0) & ~np.eye(count, dtype=bool)
    if not usable_NN.any():
        return None
    sample_NN = np.divide(zero_NT @ zero_NT.T, size_NN, out=np.zeros_like(size_NN), where=usable_NN)
    mean = float(sample_NN[usable_NN].mean())
    noise = ((1 - sample_NN**2) ** 2 / np.maximum(days_NN - 1, 1))[usable_NN].sum()
    apart = ((sample_NN - mean) ** 2)[usable_NN].sum()
    shrink = min(1.0, noise / apart) if apart > 0 else 1.0
    mixed_NN = np.where(usable_NN, shrink * mean + (1 - shrink) * sample_NN, mean)
    np.fill_diagonal(mixed_NN, 1.0)
    return mixed_NN


def _scores(x_NT: Doubles) -> Doubles:
    """Normal scores of each series' surprises among its own; a series that never surprises has none."""
    known_NT = np.isfinite(x_NT)
    place_NT = np.argsort(np.argsort(x_NT, axis=1, kind="stable"), axis=1, kind="stable")  # NaN sorts last
    known_N1 = known_NT.sum(1, keepdims=True)
    score_NT = ndtri((place_NT + 0.5) / np.maximum(known_N1, 1).clip(min=place_NT + 1))
    filled_NT = np.where(known_NT, x_NT, np.inf)
    moves_N1 = known_N1 > 0
    moves_N1 &= filled_NT.min(1, keepdims=True) < np.where(known_NT, x_NT, -np.inf).max(1, keepdims=True)
    return np.where(known_NT & moves_N1, score_NT, np.nan)
