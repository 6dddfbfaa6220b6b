"""The rungs below the models: each series gets the highest that can speak of it, and one always can.

S series, H periods ahead, Q levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecast.fallback.constant import constant
from forecast.fallback.known import Bools, Doubles, Known
from forecast.fallback.profile import Profile, profiled
from forecast.fallback.seasonal import seasonal_naive
from forecast.fallback.spread import shares

PREVIOUS = "previous"
SEASONAL_NAIVE = "seasonal_naive"
GROUP_PROFILE = "group_profile"
CONSTANT = "constant"
HISTORY_DAYS = 28
"""What lies before says more about another season than about the next days."""
MOST = 1e30
"""No number that is said is larger."""


@dataclass(frozen=True, eq=False)
class Said:
    """What the rungs say.

    Attributes:
        rungs: per series the one that spoke.
        mean_SH: the expectation, in mean power; bands are even on both sides, so it is the middle.
        quantiles_SHQ: by level, ascending.
    """

    rungs: tuple[str, ...]
    mean_SH: Doubles
    quantiles_SHQ: Doubles


def below(known: Known, horizon: int, levels: Sequence[float], profile: Profile | None = None) -> Said:
    """Seasonal naive, else the group's profile, else a constant: the first of each series that can be said.

    Args:
        known: what is known of the series.
        horizon: periods from `known.first_S` on.
        levels: ascending quantile levels within (0, 1).
        profile: of the series that a model learned from; made of the other series at hand where None.

    Returns:
        finite numbers whose quantiles never cross, whatever is known. Where no value was ever negative, none is said.
    """
    share_Q = shares(levels)
    middle_SH, distance_SHQ, able_S = seasonal_naive(known, horizon, share_Q)
    rungs = np.where(able_S, SEASONAL_NAIVE, CONSTANT).astype(object)
    if not able_S.all():
        group = profile or Profile.of_known(known)
        for rung, speaks in ((GROUP_PROFILE, profiled), (CONSTANT, constant)):
            left_S = ~able_S
            if group is None and speaks is profiled:
                continue
            lower_SH, reach_SHQ, said_S = speaks(known, horizon, share_Q, group)  # type: ignore[arg-type]
            taken_S = left_S & said_S if rung == GROUP_PROFILE else left_S
            middle_SH[taken_S], distance_SHQ[taken_S], rungs[taken_S] = lower_SH[taken_S], reach_SHQ[taken_S], rung
            able_S = able_S | taken_S
    return _valid(tuple(rungs), middle_SH, distance_SHQ, levels, _never_negative(known))


def last_resort(known: Known, horizon: int, levels: Sequence[float]) -> Said:
    """The mean of whatever is known, half of it up and down; zero and one where nothing is. For when `below` fails."""
    seen_SL = np.isfinite(known.y_SL)
    mean_S = np.where(seen_SL, known.y_SL, 0.0).sum(1) / np.maximum(seen_SL.sum(1), 1)
    reach_S = np.where(seen_SL.any(1), np.abs(mean_S) / 2, 1.0)
    side_Q = 2 * np.asarray(levels, dtype=np.float64) - 1
    quantiles_SQ = mean_S[:, None] + reach_S[:, None] * side_Q
    return Said(
        (CONSTANT,) * len(mean_S), np.repeat(mean_S[:, None], horizon, 1), np.repeat(quantiles_SQ[:, None], horizon, 1)
    )  # fmt: skip


def _never_negative(known: Known) -> Bools:
    return np.asarray((np.nan_to_num(known.y_SL) >= 0).all(1))


def _valid(
    rungs: tuple[str, ...], middle_SH: Doubles, distance_SHQ: Doubles, levels: Sequence[float], positive_S: Bools
) -> Said:
    """Finite and ordered, whatever came before."""
    side_Q = np.sign(np.asarray(levels) - 0.5)
    middle_SH = np.clip(np.nan_to_num(middle_SH), -MOST, MOST)
    reach_SHQ = np.clip(np.nan_to_num(np.abs(distance_SHQ), posinf=MOST), 0, MOST)
    said_SHQ = np.maximum.accumulate(middle_SH[..., None] + side_Q * reach_SHQ, axis=-1)
    floor_S = np.where(positive_S, 0.0, -np.inf)
    return Said(
        rungs, np.maximum(middle_SH, floor_S[:, None]), np.maximum(said_SHQ, floor_S[:, None, None])
    )  # fmt: skip
