"""One period's forecast distribution: from level to value, and from outcome to rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from forecast.errors import DataError

Floats = npt.NDArray[np.floating]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

EDGE = 2.0**-23
"""Ranks keep this distance from 0 and 1, so that float32 can still tell them from the bounds."""


def plotting_positions(count: int) -> Doubles:
    """The levels that `count` equally likely values stand for: k / (count + 1), k from 1.

    With 499 values every decile, and every level of two decimals that is a multiple of 0.002, is hit exactly.

    Source: Weibull (1939); Hyndman and Fan (1996), definition 6.
    """
    return np.arange(1, count + 1) / (count + 1)


def place_of(level: float, count: int) -> int:
    """Which of `count` ascending values is the quantile of a level: the first that stands for the level or more."""
    return int(np.clip(np.ceil(level * (count + 1) - 1e-9) - 1, 0, count - 1))


def values_at(quantiles_HQ: Floats, levels: Sequence[float], u_S: Floats) -> Doubles:
    """The forecast's values at any levels.

    Linear between two levels. Beyond the outermost level the distribution keeps the density of the outermost segment
    there and decays exponentially. `mean_of_quantiles` keeps the same density and stops at level 0 or 1; here a tail
    must not end, or all outcomes beyond its end would rank alike. A single level gives that value everywhere.

    Args:
        quantiles_HQ: [..., Q], non-decreasing along Q.
        levels: the Q levels, ascending within (0, 1).
        u_S: the levels wanted, within (0, 1).

    Returns:
        [..., S], non-decreasing where `u_S` is; at a level of the forecast exactly its quantile.
    """
    q, p = np.asarray(quantiles_HQ, dtype=np.float64), checked_levels(quantiles_HQ, levels)
    if len(p) == 1:
        return np.repeat(q, len(u_S), axis=-1)
    u_S = _snapped(np.asarray(u_S, dtype=np.float64), p)
    at_S = np.clip(np.searchsorted(p, u_S, side="right") - 1, 0, len(p) - 2)
    share_S = np.clip((u_S - p[at_S]) / (p[at_S + 1] - p[at_S]), 0, 1)
    low, high = q[..., at_S], q[..., at_S + 1]
    # The minimum takes back what rounding adds: a value never passes the next level's.
    values = np.minimum(low + (high - low) * share_S, high)
    below_S, above_S = u_S < p[0], u_S >= p[-1]
    low_scale, high_scale = (scale[..., None] for scale in _tail_scales(q, p))
    values[..., below_S] = q[..., :1] + low_scale * np.log(u_S[below_S] / p[0])
    values[..., above_S] = q[..., -1:] - high_scale * np.log((1 - u_S[above_S]) / (1 - p[-1]))
    return np.asarray(values)


def rank_outcomes(
    quantiles_NHQ: Floats, levels: Sequence[float], y_NH: Floats, known_NH: Bools
) -> npt.NDArray[np.float32]:
    """Where each outcome fell in its own forecast distribution (probability integral transform).

    The inverse of `values_at`, tails included. An outcome on a stretch where several levels say the same value takes
    the middle of that stretch.

    Args:
        quantiles_NHQ: the forecasts, non-decreasing along Q.
        levels: the Q levels, ascending within (0, 1).
        y_NH: what happened, same unit; `known_NH` says where.

    Returns:
        [N, H] within (0, 1), NaN where the outcome is not known or a quantile is not finite.

    Source: Dawid (1984); Rosenblatt (1952).
    """
    p = checked_levels(quantiles_NHQ, levels)
    q = np.asarray(quantiles_NHQ, dtype=np.float64)
    known = np.asarray(known_NH, dtype=bool) & np.isfinite(y_NH) & np.isfinite(q).all(-1)
    rank_NH = np.full(known.shape, np.nan, dtype=np.float32)
    rank_NH[known] = np.clip(_ranks(q[known], p, np.asarray(y_NH, dtype=np.float64)[known]), EDGE, 1 - EDGE)
    return rank_NH


def checked_levels(quantiles_HQ: Floats, levels: Sequence[float]) -> Doubles:
    """The levels as an array.

    Raises:
        DataError: they are not ascending within (0, 1), or not as many as the quantiles.
    """
    p = np.asarray(levels, dtype=np.float64)
    if not len(p) or np.shape(quantiles_HQ)[-1] != len(p):
        raise DataError(f"quantiles of shape {np.shape(quantiles_HQ)} stand beside {len(p)} levels", "one column each")
    if (np.diff(p) <= 0).any() or p[0] <= 0 or p[-1] >= 1:
        raise DataError(f"quantile levels {', '.join(f'{level:g}' for level in p)}", "ascending levels within (0, 1)")
    return p


def _ranks(q_MQ: Doubles, p: Doubles, y_M: Doubles) -> Doubles:
    """Ranks of M outcomes, not yet kept off 0 and 1."""
    if len(p) == 1:
        return np.where(y_M == q_MQ[:, 0], 0.5, np.where(y_M < q_MQ[:, 0], p[0] / 2, (1 + p[0]) / 2))
    low_scale, high_scale = _tail_scales(q_MQ, p)
    below, above = y_M < q_MQ[:, 0], y_M > q_MQ[:, -1]
    # A tail without width ends at its quantile: 0 / 0 is never taken, the rest is rank 0 or 1.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        low_M = p[0] * np.exp((y_M - q_MQ[:, 0]) / low_scale)
        high_M = (1 - p[-1]) * np.exp((q_MQ[:, -1] - y_M) / high_scale)
    inner_M = (_inner(q_MQ, p, y_M, "left") + _inner(q_MQ, p, y_M, "right")) / 2
    return np.where(below, low_M, np.where(above, 1 - high_M, inner_M))


def _inner(q_MQ: Doubles, p: Doubles, y_M: Doubles, side: str) -> Doubles:
    """Level of each outcome between the outermost quantiles, at the left or right end of a flat stretch."""
    under_MQ = q_MQ < y_M[:, None] if side == "left" else q_MQ <= y_M[:, None]
    at_M = np.clip(under_MQ.sum(1) - 1, 0, len(p) - 2)
    low_M, high_M = (np.take_along_axis(q_MQ, (at_M + more)[:, None], 1)[:, 0] for more in (0, 1))
    end_M = np.full_like(y_M, side == "right")
    share_M = np.divide(y_M - low_M, high_M - low_M, out=end_M, where=high_M > low_M)
    return np.asarray(p[at_M] + np.clip(share_M, 0, 1) * (p[at_M + 1] - p[at_M]))


def _tail_scales(q: Doubles, p: Doubles) -> tuple[Doubles, Doubles]:
    """Mean excess of each tail: the outermost slope dq/dp times the probability that lies beyond."""
    low = (q[..., 1] - q[..., 0]) / (p[1] - p[0]) * p[0]
    high = (q[..., -1] - q[..., -2]) / (p[-1] - p[-2]) * (1 - p[-1])
    return low, high


def _snapped(u_S: Doubles, p: Doubles) -> Doubles:
    """Levels within 1e-9 of a forecast's level become that level."""
    nearest_S = p[np.abs(u_S[:, None] - p).argmin(1)]
    return np.where(np.abs(u_S - nearest_S) < 1e-9, nearest_S, u_S)
