"""How sure a difference in loss is: Diebold–Mariano test and block bootstrap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
BLOCK_DAYS = 7
RESAMPLES = 2000
NOTHING = (float("nan"), float("nan"))


def long_run_variance(values_N: Floats, lags: int) -> float:
    """HAC variance of a series with Bartlett weights 1 − k/(lags + 1), never negative.

    Source: Newey and West (1987), A simple, positive semi-definite covariance matrix.

    >>> long_run_variance(np.array([1.0, -1.0, 1.0, -1.0]), lags=0)
    1.0
    """
    centred_N = values_N - values_N.mean()
    size = len(centred_N)
    total = float(centred_N @ centred_N)
    for lag in range(1, min(lags, size - 1) + 1):
        total += 2 * (1 - lag / (lags + 1)) * float(centred_N[lag:] @ centred_N[:-lag])
    return max(total / size, 0.0)


def diebold_mariano(champion_N: Floats, challenger_N: Floats, overlap: int = 1) -> tuple[float, float]:
    """Statistic and two-sided p-value of equal mean losses; positive where the challenger loses less.

    The variance covers the lags within which forecasts overlap, and at least the automatic 4 (N/100)^(2/9). The
    small-sample factor counts every lag that was estimated, not the overlap alone: with fewer, equal models whose
    losses are correlated from day to day are told apart about twice as often as the level says. The statistic is
    compared with Student's t of N − 1 degrees of freedom.

    Args:
        champion_N, challenger_N: losses of the same N origins, in time order.
        overlap: origins that one forecast's span covers, itself included (1 for daily forecasts of 24 hours).

    Returns:
        Statistic and p-value. The statistic is NaN where the differences do not vary; the p-value is then NaN when
        they are all 0, or with fewer than two origins, and otherwise 0: one model is better by the same amount always.

    Source: Diebold and Mariano (1995); Harvey, Leybourne and Newbold (1997), equation 9.
    """
    difference_N = champion_N - challenger_N
    size = len(difference_N)
    if size < 2 or not difference_N.any():
        return NOTHING
    lags = min(max(overlap - 1, int(4 * (size / 100) ** (2 / 9))), size - 2)
    variance = long_run_variance(difference_N, lags)
    mean = float(difference_N.mean())
    if variance <= (1e-9 * float(np.abs(difference_N).max())) ** 2:
        return float("nan"), 0.0
    horizon = lags + 1
    small_sample = (size + 1 - 2 * horizon + horizon * (horizon - 1) / size) / size
    statistic = mean / np.sqrt(variance / size) * np.sqrt(small_sample)
    return float(statistic), float(2 * stdtr(size - 1, -abs(statistic)))


def gain_interval(
    champion_N: Floats, challenger_N: Floats, day_N: Ints, *, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Bootstrap interval of the gain [% of the champion's mean loss]: moving blocks of days, percentiles.

    Blocks of a week keep the dependence between neighbouring days; on fewer than three weeks a block is a third of
    the days. NaN where the champion's loss is 0.

    Args:
        champion_N, challenger_N: losses of the same N origins.
        day_N: the day of each origin; days of one block follow each other in this order.
        seed: the same seed gives the same interval.

    Source: Künsch (1989), The jackknife and the bootstrap for general stationary observations.
    """
    days, place_N = np.unique(day_N, return_inverse=True)
    champion_D, challenger_D = (np.bincount(place_N, weights=loss) for loss in (champion_N, challenger_N))
    if not champion_D.sum() > 0:
        return NOTHING
    block = max(1, min(BLOCK_DAYS, len(days) // 3))
    count = -(-len(days) // block)
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, len(days) - block + 1, size=(RESAMPLES, count))
    # The last block is cut, so that as many days are drawn as there are.
    ends = starts + np.append(np.full(count - 1, block), len(days) - (count - 1) * block)
    sums_champion, sums_challenger = (np.append(0.0, loss_D.cumsum()) for loss_D in (champion_D, challenger_D))
    drawn_champion = (sums_champion[ends] - sums_champion[starts]).sum(1)
    drawn_challenger = (sums_challenger[ends] - sums_challenger[starts]).sum(1)
    usable = drawn_champion > 0
    gain = 100 * (1 - drawn_challenger[usable] / drawn_champion[usable])
    low, high = np.quantile(gain, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
