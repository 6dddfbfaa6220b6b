"""Wrong readings found while they come in: nothing later than a reading decides about it.

T readings, S series.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

DAY = 24
MEMORY = 30 * DAY
"""Readings whose errors make the robust deviation."""
LEAST = 7 * DAY
"""Errors that must be known before anything is rejected."""
PERSISTENCE, LIMIT, AGREEING = 0.97, 10.0, 4
SIGMA = 1.4826  # standard deviation of a normal distribution over its median absolute error
FLOOR = 1e-3


def cleaned(y_TS: Doubles) -> Doubles:
    """The hourly readings without those that nothing before them explains, which become NaN.

    A reading is expected at L(t-24) + 0.97 (L(t-1) - L(t-25)), where L is what is believed so far. It is rejected
    beyond ten robust deviations of that and of L(t-24) itself: 1.4826 times the median absolute error of the last 30
    days, renewed once a day, and at least a thousandth of the level. Believed is then what was expected; the next days
    look back on it moved by half the limit towards the reading, so that a rejection cannot repeat itself day after day.
    Where four successive readings are beyond and each follows from the one before it, the demand itself has moved: all
    four are believed, and the fourth and what follows are kept.

    Args:
        y_TS: hourly readings, NaN where missing, any unit.
    """
    believed_TS, kept_TS = np.array(y_TS, dtype=np.float64), np.array(y_TS, dtype=np.float64)
    error_TS, last_S = np.full_like(believed_TS, np.nan), believed_TS[DAY]
    deviation_S = np.full(believed_TS.shape[1], np.inf)
    links_S = np.zeros(believed_TS.shape[1], dtype=np.int64)
    for t in range(DAY + 1, len(believed_TS)):
        if t % DAY == 0:
            deviation_S = _deviation(error_TS[max(0, t - MEMORY) : t])
        y_S, before_S, earlier_S = y_TS[t], believed_TS[t - DAY], believed_TS[t - DAY - 1]
        limit_S = LIMIT * np.maximum(deviation_S, FLOOR * np.abs(before_S))
        expected_S = before_S + PERSISTENCE * (last_S - earlier_S)
        error_TS[t] = np.abs(y_S - expected_S)
        beyond_S = np.minimum(error_TS[t], np.abs(y_S - before_S)) > limit_S
        follows_S = np.abs(y_S - before_S - PERSISTENCE * (y_TS[t - 1] - earlier_S)) <= limit_S
        links_S = np.where(beyond_S & follows_S, links_S + 1, 0)
        agree_S = links_S == AGREEING - 1
        wrong_S = beyond_S & ~agree_S
        kept_TS[t, wrong_S] = np.nan
        last_S = np.where(np.isnan(y_S) | wrong_S, expected_S, y_S)
        believed_TS[t] = last_S + np.where(y_S > expected_S, 0.5, -0.5) * np.where(wrong_S, limit_S, 0)
        believed_TS[t + 1 - AGREEING : t, agree_S] = y_TS[t + 1 - AGREEING : t, agree_S]
        links_S[agree_S] = 0
    return kept_TS


def _deviation(error_NS: Doubles) -> Doubles:
    """The robust deviation [S] of the known errors; infinite where they are too few to reject anything."""
    enough_S = np.isfinite(error_NS).sum(0) >= LEAST
    deviation_S = np.full(error_NS.shape[1], np.inf)
    deviation_S[enough_S] = SIGMA * np.nanmedian(error_NS[:, enough_S], axis=0)
    return deviation_S
