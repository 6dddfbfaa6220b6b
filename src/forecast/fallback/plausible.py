"""Which numbers can be believed of a series, by what is known of it. S series, L periods before the forecast."""

from __future__ import annotations

import numpy as np

from forecast.fallback.known import Bools, Doubles

SPANS = 2
"""So many spans of the known values may lie between them and what is said next."""
LEAST_SPAN = 0.1
"""A span is at least this share of the middle value: a flat series may move a little."""
LEAST_VALUES = 12
"""Fewer values, or less than a day of them, do not tell how far a series reaches."""


def plausible(y_SL: Doubles, day: int) -> tuple[Doubles, Doubles]:
    """The least and the most [S] that can be believed; infinite where too little is known.

    Args:
        y_SL: the known values; NaN where unknown.
        day: periods of a day.

    >>> y = 20 + 10 * np.sin(np.arange(48.0)[None] / 24 * 2 * np.pi)
    >>> plausible(y, 24)
    (array([-30.]), array([70.]))
    """
    count, length = y_SL.shape
    if not length:
        return np.full(count, -np.inf), np.full(count, np.inf)
    ordered_SL = np.sort(y_SL, axis=1)  # NaN comes last
    least_S, most_S, middle_S = ordered_SL[:, 0], ordered_SL[:, -1], ordered_SL[:, length // 2]
    few_S: Bools | bool = False
    if np.isnan(most_S).any():
        known_S = np.isfinite(ordered_SL).sum(1)
        few_S, row_S = known_S < min(length, max(day, LEAST_VALUES)), np.arange(count)
        most_S, middle_S = ordered_SL[row_S, np.maximum(known_S - 1, 0)], ordered_SL[row_S, known_S // 2]
    return bounds(least_S, most_S, middle_S, few_S)


def bounds(least_S: Doubles, most_S: Doubles, middle_S: Doubles, few_S: Bools | bool) -> tuple[Doubles, Doubles]:
    """What `plausible` says of series of which the least, the most and the middle value are known."""
    span_S = np.maximum(most_S - least_S, LEAST_SPAN * np.abs(middle_S))
    # What has only ever been zero tells no scale.
    untold_S = few_S | ~(span_S > 0)
    if untold_S.any():
        least_S, most_S = np.where(untold_S, 0.0, least_S), np.where(untold_S, 0.0, most_S)
        span_S = np.where(untold_S, np.inf, span_S)
    return least_S - SPANS * span_S, most_S + SPANS * span_S
