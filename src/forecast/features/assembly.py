"""From windows to what networks read: which columns, in which order, with which masks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from forecast.calendars import PREFIX
from forecast.features import civil, load, peers, weather
from forecast.recipe import FeatureConfig
from forecast.tables import Columns, Demand
from forecast.windows import Bools, Floats, Ints, Origins, RawBatch, WindowSet

BENT = 2
"""Of more numeric covariates known ahead than this, only the main columns of each have hinges; of more that end at the
cutoff, none has: they would be too many."""


class FeatureState(BaseModel):
    """What features learn from the training part.

    Attributes:
        knots: where hinges bend, per numeric covariate, in its unit.
        binary: covariates that only take the values 0 and 1.
        like_demand: known-ahead covariates that run beside the demand in its own unit (somebody's forecast of it).
        series: the series of the training part, for models with weights of their own per series.
        year_end: whether the weeks about new year have columns: what was seen once or twice is learned by heart.
        seasons: whether the history holds a whole year. Else neither the year's harmonics are shown, which say anything
            about its rest, nor weather up to the cutoff, which says more about the season than about tomorrow.
        bridge_days: whether working days between days off have a column; older models have none.
        weekends: whether days of rest are the country's own; older models rest on Saturday and Sunday everywhere.
        seen: the least and the most of each covariate, in its unit; older models have none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    knots: dict[str, tuple[float, ...]] = {}
    binary: tuple[str, ...] = ()
    like_demand: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    year_end: bool = True
    seasons: bool = True
    bridge_days: bool = False
    weekends: bool = False
    seen: dict[str, tuple[float, float]] = {}

    def seen_of(self, name: str) -> tuple[float, float] | None:
        """Between which values a covariate was learned from; of older models between which it bends; None: untold."""
        if name in self.seen:
            return self.seen[name]
        if name in self.binary:
            return 0.0, 1.0
        bends = self.knots.get(name)
        return (min(bends), max(bends)) if bends else None


@dataclass(frozen=True, eq=False)
class Inputs:
    """A batch as networks and baselines read it (raw units; masked entries are zero).

    Attributes:
        past_BLP, past_mask_BLP: the context: y, covariates, the hour of the day.
        future_BHF, future_mask_BHF: the columns of every step ahead.
        static_BS: static covariates.
        series_B: place of each window's series among those of the training part, -1 for an unseen one.
        peers_BSD: what each series of the training part was doing at the cutoff (`peers`); S is 0 for one alone.
        target_BH, target_mask_BH: y of the horizon, where the table knows it.
    """

    past_BLP: Floats
    past_mask_BLP: Floats
    future_BHF: Floats
    future_mask_BHF: Floats
    static_BS: Floats
    series_B: Ints
    peers_BSD: Floats
    target_BH: Floats
    target_mask_BH: Floats

    def only(self, chosen_B: Bools | Ints) -> Inputs:
        """Some of the windows."""
        return Inputs(**{one.name: getattr(self, one.name)[chosen_B] for one in fields(self)})


@dataclass(frozen=True, eq=False)
class Features:
    """The columns of one recipe for one kind of table.

    Attributes:
        config: which columns.
        state: what they learned from the training part.
        columns: the demand's covariates.
        context: L, steps of history that a network sees.
    """

    config: FeatureConfig
    state: FeatureState
    columns: Columns
    context: int

    def window_set(self, demand: Demand, origins: Origins, horizon: int) -> WindowSet:
        """Windows wide enough for the context and for every look back."""
        return WindowSet(demand, origins, self.reach(demand.steps_per_day, horizon), horizon)

    def reach(self, steps_per_day: int, horizon: int) -> int:
        """Steps before the cutoff that can touch a forecast of `horizon` steps."""
        return max(self.context, self.config.reach_days * steps_per_day + horizon)

    def clock(self, windows: WindowSet) -> civil.CivilClock:
        """The calendar of all rows that these windows touch."""
        rows_N = windows.origins.rows_N
        if rows_N is not None:
            low, high = int(rows_N.min()), int(rows_N.max())
        else:
            low, high = 0, max(len(one) for one in windows.demand.series)
        # A clock change shifts a same-clock look-up by a few rows past either end.
        margin = windows.demand.steps_per_day
        first, last = low - windows.reach - margin, high + windows.horizon + margin
        shown = self.state.model_dump(include={"year_end", "seasons", "bridge_days", "weekends"})
        return civil.civil_clock(windows.demand, first, last, **shown)

    def inputs(
        self, windows: WindowSet, clock: civil.CivilClock, index_B: Ints, peers_BSD: Floats | None = None
    ) -> Inputs:
        """Some windows as arrays, [B] of them at once and no loop; `peers_BSD` where they are known already."""
        raw = windows.gather(index_B)
        past = self._past(raw, clock, windows)
        civil_BHK = np.take(clock.columns_RK, clock.rows(raw, np.arange(windows.horizon)), axis=0)
        future_BHF, mask_BHF = _stack(civil_BHK, self._future(past))
        past_BLP, past_mask_BLP = self._context(raw, clock, windows.reach)
        series_B = self._seen(windows.demand)[raw.series_B]
        return Inputs(
            past_BLP,
            past_mask_BLP,
            future_BHF,
            mask_BHF,
            self._static(windows.demand)[raw.series_B],
            series_B,
            peers.peers_of(windows, self.state.series, index_B, series_B) if peers_BSD is None else peers_BSD,
            raw.target_BH,
            raw.target_mask_BH.astype(np.float32),
        )

    @cached_property
    def past_names(self) -> tuple[str, ...]:
        """Names of the P columns of the context."""
        return (*self.columns.dynamic, "hour sin", "hour cos", "weekend or holiday")

    @property
    def past_load_columns(self) -> tuple[bool, ...]:
        """Which context columns are in the demand's unit."""
        return tuple(name == "y" or name in self.state.like_demand for name in self.past_names)

    @cached_property
    def future_names(self) -> tuple[str, ...]:
        """Names of the F columns of every step ahead."""
        blocks = self._future(_empty_past(self.columns))
        return (*civil.names(bridge_days=self.state.bridge_days), *[name for block in blocks for name in block.names])

    @property
    def future_load_columns(self) -> tuple[bool, ...]:
        """Which columns ahead are in the demand's unit."""
        # A covariate cannot be called y.
        return tuple(name.startswith("y, ") for name in self.future_names)

    def _past(self, raw: RawBatch, clock: civil.CivilClock, windows: WindowSet) -> load.Past:
        known_BR = raw.mask_BWC[:, : windows.reach, 0]
        last_B = np.where(known_BR.any(1), windows.reach - 1 - np.argmax(known_BR[:, ::-1], axis=1), -1)
        type_BW = np.take(clock.day_type_R, clock.rows(raw, np.arange(-windows.reach, windows.horizon)))
        for name in self.state.binary:
            if "holiday" in name.lower() and name in self.columns.known and not name.startswith(PREFIX):
                free_BW = raw.values_BWC[:, :, self.columns.dynamic.index(name)] > 0
                type_BW = np.maximum(type_BW, free_BW * np.int8(civil.FREE))
        demand = windows.demand
        step_seconds = int(demand.step.total_seconds())
        return load.Past(raw, clock, windows.reach, demand.steps_per_day, step_seconds, type_BW, last_B)

    def _future(self, past: load.Past) -> list[load.Block]:
        config = self.config
        blocks = load.load_blocks(past, config.same_hour_days, config.similar_days, config.recent)
        for plane, name in enumerate(self.columns.dynamic):
            if name in self.state.like_demand:
                blocks += weather.like_demand(past, name, plane)
            elif name in self.columns.known:
                binary, knots = name in self.state.binary, self.state.knots.get(name, ())
                bend_all = sum(one in self.columns.known for one in self.state.knots) <= BENT
                blocks += weather.known_ahead(past, name, plane, knots, binary=binary, bend_all=bend_all)
            elif name != "y" and self.state.seasons:
                bent = sum(one in self.columns.past for one in self.state.knots) <= BENT
                blocks += weather.past_only(past, name, plane, self.state.knots.get(name, ()) if bent else ())
        return [*blocks, _day_types(past, 0, "day type"), _day_types(past, past.per_day, "day before of type")]

    def _context(self, raw: RawBatch, clock: civil.CivilClock, reach: int) -> tuple[Floats, Floats]:
        begin, given = reach - self.context, len(self.columns.dynamic)
        past_BLP = np.empty((len(raw.row_B), self.context, len(self.past_names)), dtype=np.float32)
        mask_BLP = np.ones_like(past_BLP)
        past_BLP[:, :, :given] = raw.values_BWC[:, begin:reach]
        mask_BLP[:, :, :given] = raw.mask_BWC[:, begin:reach]
        if not self.state.seasons:
            hidden = [self.columns.dynamic.index(name) for name in self.columns.past]
            past_BLP[:, :, hidden], mask_BLP[:, :, hidden] = 0, 0
        past_BLP[:, :, given:] = np.take(clock.context_R3, clock.rows(raw, np.arange(-self.context, 0)), axis=0)
        return past_BLP, mask_BLP

    def peers(self, windows: WindowSet) -> Floats:
        """What the learned series were doing at every window's cutoff, [N, S, D + 1], as `inputs` shows it."""
        every_N = np.arange(len(windows))
        series_N = self._seen(windows.demand)[windows.origins.at(every_N, windows.demand)[0]]
        return peers.peers_of(windows, self.state.series, every_N, series_N)

    def _seen(self, demand: Demand) -> Ints:
        """Place of each of the demand's series among the learned ones, -1 for an unseen one."""
        places = {name: place for place, name in enumerate(self.state.series)}
        return np.array([places.get(one.unique_id, -1) for one in demand.series], dtype=np.int64)

    def _static(self, demand: Demand) -> Floats:
        rows = [[one.static[name] for name in self.columns.static] for one in demand.series]
        return np.array(rows, dtype=np.float32).reshape(len(demand.series), len(self.columns.static))


def _day_types(past: load.Past, rows_back: int, word: str) -> load.Block:
    """The type of each step's day, or of the day some rows before it."""
    begin = past.reach - rows_back
    type_BHK = past.day_type_BW[:, begin : begin + past.horizon, None] == np.arange(len(civil.DAY_TYPES))
    names = tuple(f"{word} {label}" for label in civil.DAY_TYPES)
    return load.Block(names, type_BHK.astype(np.float32), np.ones_like(type_BHK))


def _stack(civil_BHK: Floats, blocks: list[load.Block]) -> tuple[Floats, Floats]:
    """All columns side by side: [B, H, F] values and masks."""
    batch, horizon, begin = civil_BHK.shape
    width = begin + sum(len(block.names) for block in blocks)
    values_BHF = np.empty((batch, horizon, width), dtype=np.float32)
    mask_BHF = np.empty_like(values_BHF)
    values_BHF[:, :, :begin], mask_BHF[:, :, :begin] = civil_BHK, 1
    for names, value_BHK, known_BHK in blocks:
        end = begin + len(names)
        values_BHF[:, :, begin:end], mask_BHF[:, :, begin:end] = value_BHK, known_BHK
        begin = end
    return values_BHF, mask_BHF


def _empty_past(columns: Columns) -> load.Past:
    """A window of nothing, to read the columns' names from."""
    zero: npt.NDArray[np.int64] = np.zeros(1, dtype=np.int64)
    values = np.zeros((1, 2, len(columns.dynamic)), dtype=np.float32)
    mask: Bools = np.zeros(values.shape, dtype=bool)
    target: Floats = np.zeros((1, 1), dtype=np.float32)
    raw = RawBatch(values, mask, target, target > 0, zero, zero + 1, zero)
    clock = civil.CivilClock(
        np.zeros((4, len(civil.NAMES)), np.float32),
        np.zeros((4, 3), np.float32),
        np.zeros(4, np.int8),
        np.zeros(4, np.int32),
        zero,
    )
    return load.Past(raw, clock, 1, 1, load.DAY_SECONDS, np.zeros((1, 2), np.int8), zero)
