"""The errors that a model made on the days before a cutoff, as far as they were known at that cutoff.

S series, M moments forecast from, W moments wanted, K days back, H steps, Q levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd

from forecast import calendars
from forecast.tables import Demand
from forecast.windows import Bools, Floats, Ints, Origins, WindowSet


@dataclass(frozen=True, eq=False)
class Moments:
    """The wanted cutoffs together with the same local clock of some days before each.

    Attributes:
        all_M: every moment once, ascending (UTC).
        wanted_W: places of the wanted ones.
        before_WK: places of the days before each, nearest first.
    """

    all_M: pd.DatetimeIndex
    wanted_W: Ints
    before_WK: Ints

    @classmethod
    def one(cls, cutoff: pd.Timestamp, days: int, zone: str) -> Moments:
        """One cutoff and the days before it; callers who ask at the same time share it."""
        return _one(cutoff.value, days, zone)

    @cached_property
    def all_ns_M(self) -> Ints:
        """Every moment, UTC nanoseconds."""
        return np.asarray(self.all_M.as_unit("ns").asi8)

    @classmethod
    def of(cls, cutoffs: pd.DatetimeIndex, days: int, zone: str) -> Moments:
        """The wanted cutoffs and `days` days before each, by the civil clock of a zone."""
        earlier = [calendars.days_before(cutoffs, back, zone) for back in range(1, days + 1)]
        everything = np.unique(np.concatenate([cutoffs.asi8, *[one.asi8 for one in earlier]]))
        places = [np.searchsorted(everything, one.asi8) for one in earlier]
        before_WK = np.stack(places, axis=1) if places else np.zeros((len(cutoffs), 0), dtype=np.int64)
        stamps = pd.DatetimeIndex(everything.astype("datetime64[ns]"), tz="UTC")
        return cls(stamps, np.searchsorted(everything, cutoffs.asi8), before_WK)


@lru_cache(maxsize=4096)
def _one(cutoff: int, days: int, zone: str) -> Moments:
    return Moments.of(pd.DatetimeIndex([cutoff], tz="UTC"), days, zone)


@dataclass(frozen=True, eq=False)
class Echo:
    """What happened after the forecasts of the days before, told to each wanted cutoff.

    Attributes:
        y_SWKH: the outcome of each step of each earlier forecast; zero where unknown.
        known_SWKH: whether the wanted cutoff knew it.
    """

    y_SWKH: Floats
    known_SWKH: Bools

    @classmethod
    def of(cls, demand: Demand, origins: Origins, moments: Moments, horizon: int) -> Echo:
        """Reads the outcomes through the one door, each as its wanted cutoff knew them.

        Args:
            demand: the history.
            origins: those of all moments, series after series.
            horizon: steps of each forecast.
        """
        series, count = len(demand.series), len(moments.all_M)
        wanted, back = moments.before_WK.shape
        index_SW = np.arange(series)[:, None] * count + moments.wanted_W
        index_SWK = np.arange(series)[:, None, None] * count + moments.before_WK
        row_N = origins.at(np.arange(series * count), demand)[1]
        ago_SWK = row_N[index_SW][:, :, None] - row_N[index_SWK]
        reach = int(ago_SWK.max(initial=1))
        y_SWKH = np.zeros((series, wanted, back, horizon), dtype=np.float32)
        known_SWKH = np.zeros(y_SWKH.shape, dtype=bool)
        windows = WindowSet(demand, origins, reach, 1)
        for number in range(series):
            raw = windows.gather(index_SW[number])
            place_WKH = reach - ago_SWK[number][:, :, None] + np.arange(horizon)
            inside_WKH = place_WKH < reach
            there = (np.arange(wanted)[:, None, None], np.where(inside_WKH, place_WKH, 0), 0)
            known_SWKH[number] = raw.mask_BWC[there] & inside_WKH
            if demand.doubted_R is not None:
                ends_W = row_N[index_SW[number]][:, None, None]
                rows_WKH = np.clip(ends_W - reach + place_WKH, 0, len(demand.series[number]) - 1)
                known_SWKH[number] &= ~demand.doubted_R[demand.series[number].first_row + rows_WKH]
            y_SWKH[number] = np.where(known_SWKH[number], raw.values_BWC[there], np.float32(0))
        return cls(y_SWKH, known_SWKH)
