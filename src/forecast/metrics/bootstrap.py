"""How sure a mean over forecasts is, when the rows of one day stand and fall together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from forecast.errors import DataError


def block_interval(
    values_N: npt.ArrayLike, block_N: npt.ArrayLike, *, share: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the mean of the values, whole blocks drawn with replacement; NaN without values.

    Args:
        values_N: [N]; NaN is left out.
        block_N: [N], what each value belongs to: its delivery day.
        share: of the resampled means inside the interval.
        resamples: how often as many blocks as there are get drawn.
        seed: of the draws.

    Raises:
        DataError: the arrays differ in length, or the share is not within (0, 1).

    Source: Künsch (1989), The jackknife and the bootstrap for general stationary observations; blocks do not overlap.

    >>> block_interval([1, 1, 1, 1], ["Mon", "Mon", "Tue", "Tue"])
    (1.0, 1.0)
    """
    values_N, block_N = np.asarray(values_N, dtype=np.float64), np.asarray(block_N)
    if values_N.shape != block_N.shape or values_N.ndim != 1:
        raise DataError(f"values of shape {values_N.shape} stand beside blocks of shape {block_N.shape}", "one each")
    if not 0 < share < 1:
        raise DataError(f"the share {share:g}", "a number between 0 and 1, both excluded")
    known_N = np.isfinite(values_N)
    if not known_N.any():
        return float("nan"), float("nan")
    number_N = np.unique(block_N[known_N], return_inverse=True)[1]
    total_K = np.bincount(number_N, weights=values_N[known_N])
    count_K = np.bincount(number_N)
    blocks = len(count_K)
    drawn_RK = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), size=resamples)
    mean_R = (drawn_RK @ total_K) / (drawn_RK @ count_K)
    low, high = np.quantile(mean_R, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)
