"""How far errors reach: the distance that a share of them stays under. S series, L past periods, Q levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecast.calibration import HOURS, POOL
from forecast.fallback.known import Doubles, Ints

LEAST = 12
"""Fewer errors tell nothing of the outer levels."""


def shares(levels: Sequence[float]) -> Doubles:
    """Per level the share of absolute errors that lies within its distance from the middle.

    >>> shares((0.1, 0.5, 0.9)).round(2).tolist()
    [0.8, 0.0, 0.8]
    """
    return np.abs(2 * np.asarray(levels, dtype=np.float64) - 1)


def within(errors_SL: Doubles, share_Q: Doubles) -> tuple[Doubles, Ints]:
    """The distance [S, Q] that a share of the absolute errors stays under, and how many errors [S] tell it.

    With the finite-sample step outwards; NaN errors are left out. 0 where there is none.
    """
    if not errors_SL.shape[1]:
        return np.zeros((len(errors_SL), len(share_Q))), np.zeros(len(errors_SL), dtype=np.int64)
    ordered_SL = np.sort(np.abs(errors_SL), axis=1)  # NaN comes last
    count_S = np.isfinite(ordered_SL).sum(1)
    place_SQ = np.ceil((count_S[:, None] + 1) * share_Q).astype(np.int64) - 1
    place_SQ = np.clip(place_SQ, 0, np.maximum(count_S, 1)[:, None] - 1)
    distance_SQ = np.where(share_Q > 0, np.take_along_axis(ordered_SL, place_SQ, axis=1), 0.0)
    return np.where(count_S[:, None] > 0, distance_SQ, 0.0), count_S


def by_hour(errors_SL: Doubles, hour_L: Ints, share_Q: Doubles) -> tuple[Doubles, Ints]:
    """The distance [S, 24, Q] per local hour, drawn towards all hours' where an hour has few; and the errors [S] there.

    As in `forecast.calibration`: all hours lend their shape, and an hour its size.
    """
    pooled_SQ, count_S = within(errors_SL, share_Q)
    size_S = np.maximum(_mean(errors_SL), 1e-300)
    told_SKQ = np.repeat(pooled_SQ[:, None], HOURS, axis=1)
    for hour in range(HOURS):
        own_SN = errors_SL[:, hour_L == hour]
        own_SQ, own_S = within(own_SN, share_Q)
        weight_S1 = (own_S / (own_S + POOL))[:, None]
        drawn_SQ = (_mean(own_SN) / size_S)[:, None] * pooled_SQ
        told_SKQ[:, hour] = np.where(own_S[:, None] > 0, weight_S1 * own_SQ + (1 - weight_S1) * drawn_SQ, pooled_SQ)
    return told_SKQ, count_S


def _mean(errors_SL: Doubles) -> Doubles:
    """Mean absolute error [S], NaN left out; 0 where none is known."""
    known_SL = np.isfinite(errors_SL)
    return np.asarray(np.where(known_SL, np.abs(errors_SL), 0.0).sum(1) / np.maximum(known_SL.sum(1), 1))
