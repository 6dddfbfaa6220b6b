"""The one door from table to array: training, backtest and serving all read demand through it.

Here no set of windows is copied. An `Origins` says where forecasts start, as arithmetic over the arena; a batch is one
gather of its rows, with everything that its own cutoffs did not know masked away.

B windows of a batch, R rows of history that features may reach back, H horizon, W = R + H, C columns of the demand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import NotEnoughHistory
from forecast.recipe import WeatherShown
from forecast.tables import Demand
from forecast.vintages import Outlook

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Origins:
    """Where windows start, without listing them.

    Window n belongs to the first series whose `ends_S` exceeds n; as its k-th window it starts at row
    `first + stride * k`. Where `rows_N` is given the rows are listed instead (civil midnights, gates: they are not
    evenly spaced in UTC).

    Attributes:
        first_S: first origin row of each series.
        stride: rows between two origins.
        ends_S: cumulative counts of windows per series.
        rows_N: listed origin rows, series after series, or None.
        cutoffs_N: listed cutoffs (UTC nanoseconds), or None: the start of the first forecast step.
    """

    first_S: Ints
    stride: int
    ends_S: Ints
    rows_N: Ints | None = None
    cutoffs_N: Ints | None = None

    def __len__(self) -> int:
        return int(self.ends_S[-1]) if len(self.ends_S) else 0

    def at(self, index_B: Ints, demand: Demand) -> tuple[Ints, Ints, Ints]:
        """Series number, first forecast row and cutoff (UTC nanoseconds) of some windows."""
        series_B = np.searchsorted(self.ends_S, index_B, side="right")
        if self.rows_N is not None and self.cutoffs_N is not None:
            return series_B, self.rows_N[index_B], self.cutoffs_N[index_B]
        begins_S = np.concatenate([[0], self.ends_S[:-1]])
        row_B = self.first_S[series_B] + self.stride * (index_B - begins_S[series_B])
        return series_B, row_B, demand.starts_S[series_B] + row_B * demand.step.value


def origins_every(demand: Demand, *, context: int, horizon: int, stride: int = 1) -> Origins:
    """Origins at every `stride`-th row that has `context` rows behind it and a known target row in front.

    Raises:
        NotEnoughHistory: no series has `context + horizon` known steps.
    """
    first, counts = [], []
    for one in demand.series:
        known = np.flatnonzero(demand.known_rows(one) & np.isfinite(one.values_TC[:, 0]))
        last = int(known[-1]) + 1 - horizon if len(known) else -1
        first.append(context)
        counts.append(max(0, (last - context) // stride + 1))
    _require(demand, sum(counts), context, horizon)
    return Origins(np.array(first, dtype=np.int64), stride, np.cumsum(np.array(counts, dtype=np.int64)))


def origins_at(demand: Demand, cutoffs: Sequence[pd.Timestamp] | pd.DatetimeIndex) -> Origins:
    """Origins of every series at listed aware cutoffs: the first period with `ds` >= cutoff, wherever a table ends."""
    return origins_of(demand, pd.DatetimeIndex(cutoffs).tz_convert("UTC").as_unit("ns").asi8)


def origins_of(demand: Demand, moments_K: Ints) -> Origins:
    """`origins_at` of moments in UTC nanoseconds."""
    rows_N = np.concatenate([_first_row_at(one.start.value, moments_K, demand.step.value) for one in demand.series])
    count = len(demand.series)
    ends_S = np.arange(1, count + 1, dtype=np.int64) * len(moments_K)
    return Origins(np.zeros(count, np.int64), 0, ends_S, rows_N, np.tile(moments_K, count))


def training_origins_at(demand: Demand, cutoffs: pd.DatetimeIndex, *, context: int, horizon: int) -> Origins:
    """Those of the listed cutoffs at which a series has `context` rows behind and its horizon's last row known.

    Raises:
        NotEnoughHistory: no series has one.
    """
    everywhere = origins_at(demand, cutoffs)
    rows, moments, counts = [], [], []
    for number, one in enumerate(demand.series):
        part = slice(number * len(cutoffs), (number + 1) * len(cutoffs))
        assert everywhere.rows_N is not None
        assert everywhere.cutoffs_N is not None
        known = np.flatnonzero(demand.known_rows(one) & np.isfinite(one.values_TC[:, 0]))
        last = int(known[-1]) + 1 - horizon if len(known) else -1
        keep = (everywhere.rows_N[part] >= context) & (everywhere.rows_N[part] <= last)
        rows.append(everywhere.rows_N[part][keep])
        moments.append(everywhere.cutoffs_N[part][keep])
        counts.append(int(keep.sum()))
    _require(demand, sum(counts), context, horizon)
    first_S = np.zeros(len(counts), np.int64)
    return Origins(first_S, 0, np.cumsum(np.array(counts)), np.concatenate(rows), np.concatenate(moments))


def spread(first: int, last: int, most: int) -> Ints:
    """At most `most` numbers from `first` to `last` (exclusive), evenly spread.

    >>> spread(0, 100, 3).tolist()
    [0, 49, 99]
    """
    return np.unique(np.linspace(first, last - 1, min(most, last - first)).astype(np.int64))


def _first_row_at(start: int, moments_K: Ints, step: int) -> Ints:
    return np.asarray(-((start - moments_K) // step), dtype=np.int64)


def _require(demand: Demand, count: int, context: int, horizon: int) -> None:
    if count == 0:
        longest = max((int(demand.known_rows(one).sum()) for one in demand.series), default=0)
        raise NotEnoughHistory(
            f"the longest series has {longest} known steps of {demand.step}",
            f"at least {context + horizon} (context {context} + horizon {horizon})",
            "add history, shorten the horizon, or choose a recipe with a shorter context",
        )


@dataclass(frozen=True, eq=False)
class RawBatch:
    """Some windows as plain arrays; unknown entries are zero and their mask is False.

    Attributes:
        values_BWC: float32, the demand's columns from R rows before to H rows after the origin.
        mask_BWC: what was known at each window's own cutoff.
        target_BH: y of the horizon where the TABLE knows it (training only), else zero.
        target_mask_BH: where it does.
        series_B: number of the series.
        row_B: origin row within the series.
        cutoff_B: UTC nanoseconds.
    """

    values_BWC: Floats
    mask_BWC: Bools
    target_BH: Floats
    target_mask_BH: Bools
    series_B: Ints
    row_B: Ints
    cutoff_B: Ints


@dataclass(frozen=True, eq=False)
class WindowSet:
    """All windows of a table at some origins: index arithmetic, no data of its own.

    Attributes:
        demand: the table, narrowed by `as_of`; nothing it does not know is ever shown.
        origins: where the windows start.
        reach: R, rows of history in a window.
        horizon: H, rows of future in a window.
        weather: how covariates known ahead that have versions are shown; other than by their vintages in training only.
    """

    demand: Demand
    origins: Origins
    reach: int
    horizon: int
    weather: WeatherShown = "vintages"

    def __len__(self) -> int:
        return len(self.origins)

    @cached_property
    def _outlook(self) -> Outlook:
        return Outlook(self.demand, self.weather, self.horizon)

    def gather(self, index_B: Ints) -> RawBatch:
        """The windows of some origins, in one gather."""
        demand = self.demand
        series_B, row_B, cutoff_B = self.origins.at(np.asarray(index_B, dtype=np.int64), demand)
        row_BW = row_B[:, None] + np.arange(-self.reach, self.horizon)
        last_B = demand.lengths_S[series_B] - 1
        inside_BW = (row_BW >= 0) & (row_BW <= last_B[:, None])
        place_BW = demand.first_rows_S[series_B][:, None] + np.minimum(np.maximum(row_BW, 0), last_B[:, None])
        values_BWC = np.take(demand.arena_RC, place_BW, axis=0)
        seen_BW = self._known(series_B, row_BW, cutoff_B)
        mask_BWC = np.isfinite(values_BWC)
        ahead = slice(self.reach, None)
        target_mask_BH = mask_BWC[:, ahead, 0] & inside_BW[:, ahead]
        if demand.known_until is not None:
            shown_BW = self._known(series_B, row_BW, np.full_like(cutoff_B, demand.known_until.value))
            seen_BW &= shown_BW
            if "y" not in demand.versions:
                target_mask_BH &= shown_BW[:, ahead]
        if demand.doubted_R is not None:
            target_mask_BH &= ~demand.doubted_R[place_BW[:, ahead]]
        target_BH = np.where(target_mask_BH, values_BWC[:, ahead, 0], np.float32(0))
        for plane, name in enumerate(demand.columns.dynamic):
            if name in demand.versions:
                if self.weather != "vintages" and name in demand.columns.known:
                    values_BWC[:, :, plane], known_BW = self._outlook.rows(name, place_BW, series_B, row_B)
                else:
                    values_BWC[:, :, plane], known_BW = self._versions(name, place_BW, cutoff_B)
                mask_BWC[:, :, plane] = known_BW & np.isfinite(values_BWC[:, :, plane]) & inside_BW
            else:
                mask_BWC[:, :, plane] &= inside_BW if name in demand.columns.known else (seen_BW & inside_BW)
        np.copyto(values_BWC, 0, where=~mask_BWC)
        return RawBatch(values_BWC, mask_BWC, target_BH, target_mask_BH, series_B, row_B, cutoff_B)

    def _versions(self, name: str, place_BW: Ints, cutoff_B: Ints) -> tuple[Floats, Bools]:
        """A column as each window's cutoff knew it, and where it knew it."""
        until = self.demand.known_until
        moment_B = cutoff_B if until is None else np.minimum(cutoff_B, until.value)
        moment_BW = np.broadcast_to(moment_B[:, None], place_BW.shape)
        values_N, known_N = self.demand.versions[name].at(place_BW.ravel(), moment_BW.ravel())
        return values_N.reshape(place_BW.shape), known_N.reshape(place_BW.shape)

    def _known(self, series_B: Ints, row_BW: Ints, moment_B: Ints) -> Bools:
        """Whether observed values of these rows were known at each window's moment."""
        demand = self.demand
        last_B = (moment_B - demand.starts_S[series_B] - demand.delay.value) // demand.step.value - 1
        known_BW = row_BW <= last_B[:, None]
        for number in np.unique(series_B[demand.stated_S[series_B]]):
            available_T = demand.series[number].available_at_T
            assert available_T is not None
            mine = series_B == number
            rows = np.clip(row_BW[mine], 0, len(available_T) - 1)
            known_BW[mine] = available_T[rows] <= moment_B[mine][:, None]
        return np.asarray(known_BW)
