"""`Demand`: what was measured, on regular clocks, with what was known when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError
from forecast.tables.digest import digest_of
from forecast.tables.series import Columns, Floats, Ints, Series
from forecast.tables.units import output_factor, power_unit
from forecast.tables.versions import NEVER, Versions, needed

Bools = npt.NDArray[np.bool_]
DAY = 86_400_000_000_000
"""Nanoseconds of 24 hours."""


@dataclass(frozen=True, eq=False)
class Demand:
    """Many series on one step; made by `Demand.from_frame`, narrowed to a moment by `as_of`.

    Attributes:
        series: the series, in the order of their names.
        columns: their covariates' names.
        step: length of a period.
        unit: the unit in which the source speaks ("kWh"); `y` is held as mean power ("kW").
        delay: how long after its period's end a value becomes known, where rows carry no `available_at`.
        arena_RC: float32 [R, C], every series' rows one after the other; the one contiguous array behind all windows.
        known_until: nothing that became known later is shown; None shows everything.
        source: where the table came from, for reports.
        country: whose public holidays the calendar marks, of series that name no country of their own.
        beside: series that are not forecast, but may be heard as neighbours.
        forecast_only: whether series may have no value of y at all; nothing is learned from such a table.
        doubted_R: bool [R], rows of the arena whose `y` was put right: to be looked back on, never learned or scored as
            truth; None: none.
        versions: columns whose values were revised or issued again and again, with every version that is known; the
            arena holds their newest one. What such a column knew at a moment, its versions say, and no delay.
    """

    series: tuple[Series, ...]
    columns: Columns
    step: pd.Timedelta
    unit: str
    delay: pd.Timedelta
    arena_RC: Floats
    known_until: pd.Timestamp | None = None
    source: str = ""
    country: str | None = None
    beside: tuple[Series, ...] = ()
    forecast_only: bool = False
    versions: Mapping[str, Versions] = field(default_factory=dict)
    doubted_R: Bools | None = None

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        columns: Columns | None = None,
        zone: str | Mapping[str, str] = "UTC",
        unit: str = "MW",
        freq: str | pd.Timedelta | None = None,
        delay: str | pd.Timedelta = "0h",
        source: str = "",
        country: str | None = None,
        forecast_only: bool = False,
    ) -> Demand:
        """Checks a long frame (`unique_id, ds, y`, covariates, optional `available_at`) and makes the table.

        Args:
            frame: `ds` aware, START of the period; `y` in `unit`, NaN where missing; rows in time order per series.
                A stamp may occur again with another `available_at`: then every row is a version of the values in it
                and NaN says nothing; without an `available_at` of its own, a covariate known ahead was always known.
            columns: which columns are covariates.
            zone: civil zone of all series, or of each.
            unit: MW, kW, GW, MWh or kWh (the last two: energy per period).
            freq: the step; read from the data and verified where None.
            delay: how long after its period's end a value becomes known.
            source: where it came from, for reports.
            country: ISO code ("AU" or "AU-VIC") whose public holidays the calendar columns mark.
            forecast_only: whether series without any value of y are taken: meters that are yet to be measured.

        Raises:
            DataError: the frame is empty, unsorted, irregular, doubled, naive, not numeric, infinite or all missing.
        """
        from forecast.tables.birth import demand_from_frame

        return demand_from_frame(
            frame,
            columns=columns or Columns(),
            zone=zone,
            unit=unit,
            freq=freq,
            delay=pd.Timedelta(delay),
            source=source,
            country=country,
            forecast_only=forecast_only,
        )

    @cached_property
    def output_factor(self) -> float:
        """What mean power is multiplied by to be said in the source's unit."""
        return output_factor(self.unit, self.step)

    @cached_property
    def steps_per_day(self) -> int:
        """Periods in 24 hours."""
        return max(1, int(DAY // self.step.value))

    @cached_property
    def by_id(self) -> dict[str, Series]:
        """The series by name."""
        return {one.unique_id: one for one in self.series}

    @cached_property
    def zones(self) -> dict[str, str]:
        """Civil zone by series."""
        return {one.unique_id: one.zone for one in self.series}

    @cached_property
    def starts_S(self) -> Ints:
        """Start of each series, UTC nanoseconds."""
        return np.array([one.start.value for one in self.series], dtype=np.int64)

    @cached_property
    def lengths_S(self) -> Ints:
        """Rows of each series."""
        return np.array([len(one) for one in self.series], dtype=np.int64)

    @cached_property
    def first_rows_S(self) -> Ints:
        """First row of each series in the arena."""
        return np.array([one.first_row for one in self.series], dtype=np.int64)

    @cached_property
    def stated_S(self) -> Bools:
        """Whether each series' rows state when they became known."""
        return np.array([one.available_at_T is not None for one in self.series])

    def as_of(self, cutoff: pd.Timestamp | str) -> Demand:
        """The same table, showing only what was known at `cutoff` (UTC).

        A value with `available_at` equal to the cutoff is known; known-ahead covariates without versions always are.
        Nothing is copied but for columns with versions: they go back to what they were.
        """
        moment = pd.Timestamp(cutoff)
        if moment.tzinfo is None:
            raise DataError(f"the cutoff {moment} carries no zone", "an aware stamp such as 2024-07-01T00:00Z")
        moment = moment.tz_convert("UTC")
        if self.known_until is not None:
            moment = min(moment, self.known_until)
        narrowed = replace(self, known_until=moment)
        return narrowed.with_versions({name: one.until(moment.value) for name, one in self.versions.items()})

    def with_versions(self, versions: Mapping[str, Versions]) -> Demand:
        """The same table with other versions of some columns, its arena holding the newest of each.

        Versions that say no more than a rule does are not kept: the same knowledge is the same table.
        """
        if not versions:
            return self
        kept, stated_R = needed(versions, self.columns.known, self._rule_R())
        arena_RC = self.arena_RC.copy()
        for name, one in versions.items():
            arena_RC[:, self.columns.dynamic.index(name)] = one.newest_R
        arena_RC.flags.writeable = False
        series, beside = (
            tuple(_moved(one, arena_RC, stated_R) for one in group) for group in (self.series, self.beside)
        )
        return replace(self, arena_RC=arena_RC, series=series, beside=beside, versions=kept)

    def _rule_R(self) -> Ints:
        """When each row of the arena becomes known by the delay rule; never where no series has a row."""
        rule_R = np.full(len(self.arena_RC), NEVER)
        for one in (*self.series, *self.beside):
            ends_T = one.start.value + np.arange(1, len(one) + 1) * self.step.value
            rule_R[one.first_row : one.first_row + len(one)] = ends_T + self.delay.value
        return rule_R

    def in_unit(self, unit: str) -> Demand:
        """The same power, said in another unit of the same size ("kW" as "kWh" per period)."""
        if power_unit(unit) != power_unit(self.unit):
            raise DataError(f"power in {power_unit(self.unit)} said in {unit}", "a unit of the same size")
        return replace(self, unit=unit)

    def with_countries(self, countries: Mapping[str, str]) -> Demand:
        """The same table, with some series' own countries: whose public holidays their calendars mark, by name."""
        if all(countries.get(one.unique_id, one.country) == one.country for one in self.series):
            return self
        told = (replace(one, country=countries.get(one.unique_id, one.country)) for one in self.series)
        return replace(self, series=tuple(told))

    def since(self, moment: pd.Timestamp) -> Demand:
        """The table without the periods that start before `moment`; series that end before it are left out."""
        kept = []
        for one in self.series:
            skip = max(0, -int((one.start.value - moment.value) // self.step.value))
            if skip < len(one):
                available_T = one.available_at_T[skip:] if one.available_at_T is not None else None
                start, values_TC = one.start + skip * self.step, one.values_TC[skip:]
                moved = replace(one, start=start, values_TC=values_TC, first_row=one.first_row + skip)
                kept.append(replace(moved, available_at_T=available_T))
        return replace(self, series=tuple(kept))

    def shows_all_at(self, cutoff: pd.Timestamp) -> bool:
        """Whether whatever the table holds and was known at a cutoff is shown: it was not narrowed to before."""
        return self.known_until is None or self.known_until >= cutoff

    def known_rows(self, one: Series) -> Bools:
        """Which rows [T] of a series have a `y` that is known at `known_until`, or would have if it was measured."""
        if "y" in self.versions:
            return np.isfinite(one.values_TC[:, 0])
        if self.known_until is None:
            return np.ones(len(one), dtype=bool)
        if one.available_at_T is not None:
            return np.asarray(one.available_at_T <= self.known_until.value)
        return np.arange(len(one)) <= self.last_known_row(one, self.known_until)

    def begun_rows(self, one: Series) -> Bools:
        """Which rows [T] of a series are periods that had begun at `known_until`, measured or not."""
        if self.known_until is None:
            return np.ones(len(one), dtype=bool)
        return np.asarray(one.start.value + np.arange(len(one)) * self.step.value < self.known_until.value)

    def last_known_row(self, one: Series, cutoff: pd.Timestamp) -> int:
        """The last row known at `cutoff` by the delay rule: its period and the delay are over."""
        return int((cutoff.value - one.start.value - self.delay.value) // self.step.value) - 1

    def stamps(self, one: Series) -> pd.DatetimeIndex:
        """Starts of a series' periods (UTC)."""
        return pd.date_range(one.start, periods=len(one), freq=self.step)

    def observed(self, one: Series, column: str = "y") -> Floats:
        """One column [T] of a series, NaN where missing, not yet known, or no truth."""
        values_T = one.values_TC[:, self.columns.dynamic.index(column)]
        if column == "y" and self.doubted_R is not None:
            doubted_T = self.doubted_R[one.first_row : one.first_row + len(one)]
            values_T = np.where(doubted_T, np.float32(np.nan), values_T)
        if column in self.columns.known or column in self.versions:
            return values_T
        return np.where(self.known_rows(one), values_T, np.float32(np.nan)).astype(np.float32)

    def last_known_end(self) -> pd.Timestamp:
        """End of the last period of any series whose `y` is known: the earliest sensible next cutoff."""
        ends = []
        for one in self.series:
            rows = np.flatnonzero(np.isfinite(self.observed(one)))
            if len(rows):
                end = one.start + (int(rows[-1]) + 1) * self.step + self.delay
                stated = self._stated(one, int(rows[-1]))
                ends.append(end if stated is None else max(end, pd.Timestamp(stated, tz="UTC")))
        if not ends:
            raise DataError("no value of y is known", "at least one", "check the cutoff and the file")
        return max(ends)

    def _stated(self, one: Series, row: int) -> int | None:
        """When the value of y in a row became known (UTC nanoseconds), where the table says so itself."""
        if "y" in self.versions:
            versions = self.versions["y"]
            # Since its first version the row was known; that it was corrected later makes nothing newer.
            return int(versions.available_V[versions.first_R1[one.first_row + row]])
        return None if one.available_at_T is None else int(one.available_at_T[row])

    def select(self, unique_ids: Iterable[str]) -> Demand:
        """The table of some series only; the others are no longer forecast, but still heard as neighbours."""
        wanted = list(unique_ids)
        missing = [name for name in wanted if name not in self.by_id]
        if missing:
            raise DataError(f"no series {', '.join(missing)}", f"one of {', '.join(list(self.by_id)[:10])}")
        beside = tuple(one for one in self.series if one.unique_id not in wanted)
        return replace(self, series=tuple(self.by_id[name] for name in wanted), beside=(*self.beside, *beside))

    def to_frame(self) -> pd.DataFrame:
        """The long frame again: unique_id, ds, y (mean power), covariates; unknown values are NaN."""
        parts = []
        for one in self.series:
            data: dict[str, object] = {"unique_id": one.unique_id, "ds": self.stamps(one)}
            data |= {name: self.observed(one, name) for name in self.columns.dynamic}
            data |= {name: one.static[name] for name in self.columns.static}
            parts.append(pd.DataFrame(data))
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything this table shows."""
        return digest_of(self)


def _moved(one: Series, arena_RC: Floats, stated_R: Ints | None) -> Series:
    """A series in another arena, and when its rows became known where that is told for all of them."""
    viewing = one.viewing(arena_RC)
    if stated_R is None:
        return viewing
    return replace(viewing, available_at_T=stated_R[one.first_row : one.first_row + len(one)])
