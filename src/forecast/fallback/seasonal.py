"""The same local clock of the nearest known week, else day.

S series, L past periods, H ahead, K days back, Q levels.
"""

from __future__ import annotations

import numpy as np

from forecast.calendars import local_parts
from forecast.fallback.known import Bools, Doubles, Ints, Known
from forecast.fallback.spread import LEAST, by_hour, within
from forecast.tables.demand import DAY

NANOSECONDS = 1_000_000_000
FOUND = 0.75
"""Where fewer of the periods ahead have a known day to look at, this rung does not speak."""
ENOUGH = 3
"""A history shorter than so many times the distance says too little of the errors at it: they are all of one time."""
UNTOLD = 1.5
"""How much wider than the demand's own variation bands are, where no error can be counted."""


def seasonal_naive(known: Known, horizon: int, share_Q: Doubles) -> tuple[Doubles, Doubles, Bools]:
    """What the nearest known week says, else the nearest day, and how wrong that was in the history in hand.

    Returns:
        the middle [S, H], the distance of each level from it [S, H, Q], and of which series [S] this can be said.
    """
    count = len(known.names)
    middle_SH, distance_SHQ = np.full((count, horizon), np.nan), np.zeros((count, horizon, len(share_Q)))
    for row, rows in known.clocks():
        parts = local_parts(known.stamps(row, -known.y_SL.shape[1], horizon), known.zones[row])
        middle_SH[rows], distance_SHQ[rows] = _of_one_clock(
            known.y_SL[rows], parts.utc_offset_seconds, parts.hour, known, horizon, share_Q
        )
    able_S = np.isfinite(middle_SH).mean(1) >= FOUND
    return _filled(middle_SH), distance_SHQ, able_S


def _of_one_clock(
    y_SL: Doubles, offset_R: Ints, hour_R: Ints, known: Known, horizon: int, share_Q: Doubles
) -> tuple[Doubles, Doubles]:
    length = y_SL.shape[1]
    days_K = _days(length, horizon, known.day)
    source_KH = _sources(days_K, offset_R, length, horizon, known.step)
    there_KH = (source_KH >= 0) & (source_KH < length)
    value_SKH = np.where(there_KH, y_SL[:, np.clip(source_KH, 0, length - 1)], np.nan)
    seen_SKH = np.isfinite(value_SKH)
    chosen_SH = seen_SKH.argmax(1)
    middle_SH = np.take_along_axis(value_SKH, chosen_SH[:, None], axis=1)[:, 0]
    distance_SHQ = np.zeros((*middle_SH.shape, len(share_Q)))
    found_SH, hour_H = np.isfinite(middle_SH), hour_R[length:]
    for place in np.unique(chosen_SH):
        used_SH = (chosen_SH == place) | ~found_SH
        rows = np.flatnonzero(used_SH.any(1))
        told_SKQ = _reach(y_SL[rows], int(days_K[place]), known, hour_R[:length], share_Q)
        distance_SHQ[rows] = np.where(used_SH[rows, :, None], told_SKQ[:, hour_H], distance_SHQ[rows])
    return middle_SH, distance_SHQ


def _days(length: int, horizon: int, day: int) -> Ints:
    """How many days back to look, best first: whole weeks, nearest first, then the other days."""
    most = max(1, -(-(length + horizon) // day))
    days = np.arange(1, most + 1)
    return np.concatenate([days[days % 7 == 0], days[days % 7 != 0]])


def _sources(days_K: Ints, offset_R: Ints, length: int, horizon: int, step: int) -> Ints:
    """The column [K, H] of the period that shows the same local clock so many days before each period ahead."""
    ahead_H = np.arange(length, length + horizon)
    guess_KH = ahead_H - np.rint(days_K[:, None] * DAY / step).astype(np.int64)
    change_KH = offset_R[ahead_H] - offset_R[np.clip(guess_KH, 0, len(offset_R) - 1)]
    return np.asarray(guess_KH + np.rint(change_KH * NANOSECONDS / step).astype(np.int64))


def _reach(y_SL: Doubles, days: int, known: Known, hour_L: Ints, share_Q: Doubles) -> Doubles:
    """The distances [S, 24, Q] of errors at so many days; in a short history at least those of a week or day, grown."""
    told_SKQ, count_S = _errors(y_SL, days, known, hour_L, share_Q)
    for shorter in (7, 1):
        if shorter >= days or y_SL.shape[1] >= ENOUGH * days * known.day:
            continue
        # Demand wanders: errors grow with the root of the time between.
        grown_SKQ, own_S = _errors(y_SL, shorter, known, hour_L, share_Q)
        told_SKQ = np.maximum(told_SKQ, np.where(own_S[:, None, None] >= LEAST, grown_SKQ * np.sqrt(days / shorter), 0))
        count_S = np.maximum(count_S, own_S)
        break
    lacking_S = count_S < LEAST
    if lacking_S.any():
        middle_S1 = np.nan_to_num(median(y_SL[lacking_S]))[:, None]
        varied_SQ, _ = within(y_SL[lacking_S] - middle_S1, share_Q)
        own_SQ = share_Q * np.abs(middle_S1)
        told_SKQ[lacking_S] = UNTOLD * np.maximum(varied_SQ, own_SQ / 4)[:, None]
    return told_SKQ


def _errors(y_SL: Doubles, days: int, known: Known, hour_L: Ints, share_Q: Doubles) -> tuple[Doubles, Ints]:
    apart = max(1, round(days * DAY / known.step))
    return by_hour(y_SL[:, apart:] - y_SL[:, : max(0, y_SL.shape[1] - apart)], hour_L[apart:], share_Q)


def median(y_SL: Doubles) -> Doubles:
    """Median [S] of what is known; NaN where nothing is."""
    ordered_SL = np.sort(y_SL, axis=1)
    count_S = np.isfinite(ordered_SL).sum(1)
    rows = np.arange(len(y_SL))
    low_S, high_S = np.maximum(count_S - 1, 0) // 2, np.minimum(count_S // 2, np.maximum(count_S - 1, 0))
    return np.asarray((ordered_SL[rows, low_S] + ordered_SL[rows, high_S]) / 2)


def _filled(middle_SH: Doubles) -> Doubles:
    """Periods of which no day is known, between those of which one is."""
    for row in np.flatnonzero(np.isnan(middle_SH).any(1) & np.isfinite(middle_SH).any(1)):
        there_H = np.isfinite(middle_SH[row])
        middle_SH[row] = np.interp(np.arange(len(there_H)), np.flatnonzero(there_H), middle_SH[row][there_H])
    return middle_SH
