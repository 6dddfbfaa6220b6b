"""One number for all periods: the last resort. S series, H periods ahead, Q levels."""

from __future__ import annotations

import numpy as np

from forecast.fallback.known import Bools, Doubles, Known
from forecast.fallback.profile import Profile
from forecast.fallback.seasonal import UNTOLD, median
from forecast.fallback.spread import within

LEAST_SHARE = 0.25
"""A band reaches at least so far at its outermost level, as a share of the number itself."""


def constant(
    known: Known, horizon: int, share_Q: Doubles, profile: Profile | None
) -> tuple[Doubles, Doubles, Bools]:  # fmt: skip
    """The median of whatever is known, with bands wider than its own variation; of nothing, that of the group's levels.

    Returns:
        the middle [S, H], the distances [S, H, Q]; and of which series [S] anything was known.
    """
    count = len(known.names)
    median_S = median(known.y_SL)
    able_S = np.isfinite(median_S)
    others = np.array(list(profile.levels.values())) if profile is not None else median_S[able_S]
    group = float(np.median(others)) if len(others) else 0.0
    spread = float(np.abs(others - group).max()) if len(others) else 1.0
    middle_S = np.where(able_S, median_S, group)
    varied_SQ, _ = within(known.y_SL - middle_S[:, None], share_Q)
    own_SQ = UNTOLD * np.maximum(varied_SQ, LEAST_SHARE * np.abs(middle_S)[:, None] * share_Q)
    unknown_SQ = np.maximum(spread, abs(group)) * np.tile(share_Q, (count, 1))
    distance_SQ = np.where(able_S[:, None], own_SQ, unknown_SQ)
    return (
        np.repeat(middle_S[:, None], horizon, axis=1), np.repeat(distance_SQ[:, None], horizon, axis=1), able_S
    )  # fmt: skip
