"""What the other series of a table say at a cutoff: neighbours know the weather that a series has not had yet.

U moments, S learned series, R rows of history, D columns.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.tables import Demand
from forecast.windows import Bools, Floats, Ints, WindowSet, origins_at

Doubles = npt.NDArray[np.float64]
DAYS, PARTS = 7, 4
NAMES = (
    *[f"part {part + 1} of {PARTS} of the last day against the six days before" for part in range(PARTS)],
    "last day against the day before",
    "day before against two days before",
    "last day against the week",
)
CLIP = 6.0
AT_ONCE = 256


def peers_of(windows: WindowSet, series: tuple[str, ...], index_B: Ints, own_B: Ints) -> Floats:
    """What each learned series was doing at each window's own cutoff, [B, S, D + 1]; NaN is unknown.

    Columns as `NAMES`, in units of the series' own deviation over its last week, and 1 where it is the window's own.
    With fewer than two learned series there are none, [B, 0, D + 1].

    Args:
        windows: whose table and cutoffs; a value that a cutoff did not know is unknown.
        series: the learned series; one that the table lacks is unknown.
        index_B: the windows.
        own_B: place of each window's series among the learned ones, -1 for an unseen one.
    """
    if len(series) < 2:
        return np.zeros((len(index_B), 0, len(NAMES) + 1), dtype=np.float32)
    _, _, cutoff_B = windows.origins.at(index_B, windows.demand)
    moments_U, place_B = np.unique(cutoff_B, return_inverse=True)
    states_USD = states(windows.demand, series, moments_U)
    own_BS = (own_B[:, None] == np.arange(len(series))).astype(np.float32)
    return np.concatenate([states_USD[place_B], own_BS[:, :, None]], axis=2)


def states(demand: Demand, series: tuple[str, ...], moments_U: Ints) -> Floats:
    """`NAMES` of each series at some moments (UTC nanoseconds), [U, S, D]."""
    answer_USD = np.full((len(moments_U), len(series), len(NAMES)), np.nan, dtype=np.float32)
    heard = {one.unique_id: one for one in (*demand.beside, *demand.series)}
    present = [name for name in series if name in heard]
    if not present:
        return answer_USD
    some, day = replace(demand, series=tuple(heard[name] for name in present), beside=()), demand.steps_per_day
    places = [series.index(name) for name in present]
    for begin in range(0, len(moments_U), AT_ONCE):
        part = slice(begin, begin + AT_ONCE)
        moments = pd.DatetimeIndex(pd.to_datetime(moments_U[part], utc=True))
        windows = WindowSet(some, origins_at(some, moments), DAYS * day, 1)
        raw = windows.gather(np.arange(len(windows)))
        y_BR, known_BR = raw.values_BWC[:, : DAYS * day, 0], raw.mask_BWC[:, : DAYS * day, 0]
        told_BD = _told(y_BR, known_BR, day)
        # Windows come series after series.
        answer_USD[part, places] = told_BD.reshape(len(present), len(moments), -1).transpose(1, 0, 2)
    return answer_USD


def _told(y_BR: Floats, known_BR: Bools, day: int) -> Floats:
    """The columns of some weeks of history, oldest row first; NaN where too little is known."""
    y_BKH = np.where(known_BR, y_BR.astype(np.float64), np.nan).reshape(len(y_BR), DAYS, day)
    usual_BH, level_BK, week_B = _mean(y_BKH[:, :-1], 1), _mean(y_BKH, 2), _mean(y_BKH.reshape(len(y_BKH), -1), 1)
    away_BH = y_BKH[:, -1] - usual_BH
    edges = [part * day // PARTS for part in range(PARTS + 1)]
    # Fewer periods in a day than parts: some parts share one.
    told = [_mean(away_BH[:, first : max(last, first + 1)], 1) for first, last in pairwise(edges)]
    told += [level_BK[:, -1] - level_BK[:, -2], level_BK[:, -2] - level_BK[:, -3], level_BK[:, -1] - week_B]
    spread_B = np.sqrt(_mean((y_BKH - week_B[:, None, None]).reshape(len(y_BKH), -1) ** 2, 1))
    unit_B1 = np.where(spread_B > 1e-6 * np.abs(week_B), spread_B, np.nan)[:, None]
    return np.clip(np.stack(told, axis=1) / unit_B1, -CLIP, CLIP).astype(np.float32)


def _mean(values: Doubles, axis: int) -> Doubles:
    """Mean of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis)
    total = np.where(known, values, 0.0).sum(axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
