"""What a series' errors have that those of the other series do not: weather comes to all of them, a break to one.

S series, N days of a season, H numbers of a day.
"""

from __future__ import annotations

import numpy as np

from forecast.monitoring.days import Floats
from forecast.monitoring.season import ROBUST

LEAST = 2
"""Other series that there must be."""
COMMON = 2.0
"""So much stronger is a breach that the other series show, too."""
SHRINK = 0.003
"""Of a ridge regression: its weight, as share of the season's own mean power."""
USUAL, MOST = 4.0, 8.0
"""A day counts at most so many standard deviations: of the season, and of the day that is looked at."""


def strength(all_S: Floats, alone_S: Floats) -> Floats:
    """How far a series is out of proportion [S]: as it is, and without what the others show."""
    return np.maximum(np.minimum(all_S, alone_S), all_S / COMMON)


def ratios_alone(ratio_S: Floats) -> Floats:
    """Errors over expected ones [S], over the median of the other series' where that is above 1.

    >>> ratios_alone(np.array([3.0, 1.0, 1.2, 1.0])), ratios_alone(np.array([3.0, 3.0, 3.0]))
    (array([3. , 0.83333333, 1.2 , 0.83333333]), array([1., 1., 1.]))
    """
    if np.isfinite(ratio_S).sum() - 1 < LEAST:
        return ratio_S
    others_SS = np.where(np.eye(len(ratio_S), dtype=bool), np.nan, ratio_S[None, :])
    return np.asarray(ratio_S / np.maximum(1.0, np.nanmedian(others_SS, axis=1)))


def apart(season_SNH: Floats, day_SH: Floats) -> tuple[Floats, Floats]:
    """Errors of a season's days [S, N, H] and of a day [S, H] without what the other series' errors tell of them.

    A ridge regression on all the other series at once, in its dual form: days are as many as they were, however many
    series there are. Each day of the season is told by the others (leave one out), as the new day is by all.

    Args:
        season_SNH: errors; 0 where they are not known.
        day_SH: of the day, likewise.
    """
    count, days = season_SNH.shape[:2]
    if count - 1 < LEAST or not days:
        return season_SNH, day_SH
    scale_S = ROBUST * np.median(np.abs(season_SNH).mean(axis=2), axis=1) + 1e-9
    usual_SNH = np.clip(season_SNH / scale_S[:, None, None], -USUAL, USUAL)
    today_SH = np.clip(day_SH / scale_S[:, None], -MOST, MOST)
    own_SNN = np.einsum("snh,smh->snm", usual_SNH, usual_SNH)
    own_SN = np.einsum("sh,smh->sm", today_SH, usual_SNH)
    others_SNN, others_SN = own_SNN.sum(axis=0) - own_SNN, own_SN.sum(axis=0) - own_SN
    power_S = np.einsum("snn->s", others_SNN)
    every = np.arange(days)
    ridged_SNN = others_SNN.copy()
    ridged_SNN[:, every, every] += SHRINK * power_S[:, None] + 1e-9
    inverse_SNN = np.linalg.inv(ridged_SNN)
    told_SNN = others_SNN @ inverse_SNN
    part_SN1 = np.einsum("snn->sn", told_SNN)[..., None]
    left_SNH = (season_SNH - told_SNN @ (usual_SNH * scale_S[:, None, None])) / (1 - part_SN1)
    weight_SN = np.einsum("sn,snm->sm", others_SN, inverse_SNN)
    left_SH = day_SH - np.einsum("sn,snh->sh", weight_SN, usual_SNH) * scale_S[:, None]
    return left_SNH, left_SH
