"""`Rows`: one series of a request as checked columns, every complaint naming the series."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast import clock
from forecast.calendars import checked_days, day_zone, inside, is_day_clock
from forecast.errors import DataError, DeclarationError
from forecast.forecaster import ForecasterSpec
from forecast.tables.laid import NOT_A_TIME
from serving.bodies import Future, History, SeriesBody
from serving.periods import Values, check_future, check_history, check_step
from serving.stamps import Nanoseconds, read_stamp, read_stamps, read_step


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one series, history first, then the future.

    Attributes:
        unique_id, zone: of the series.
        ds: start of each period, UTC nanoseconds, ascending.
        columns: y and the covariates that the model reads; NaN where missing or not given.
        available_at: UTC nanoseconds, `NOT_A_TIME` where not stated; None where no row states it.
        static: the static covariates that the model reads.
        unread: columns that came and are not read.
    """

    unique_id: str
    zone: str
    ds: Nanoseconds
    columns: Mapping[str, Values]
    available_at: Nanoseconds | None
    static: Mapping[str, float]
    unread: tuple[str, ...]

    @classmethod
    def of(cls, one: SeriesBody, spec: ForecasterSpec) -> Rows:
        """Checks one series against what the model reads.

        Raises:
            DataError: a column is missing or has another length; stamps are naive, doubled, out of order, of another
                step or in the future; every y is missing, and no static column tells the model the level.
            DeclarationError: its zone is not known.
        """
        past, ahead, zone = one.measured, one.future, _zone(one, spec)
        read = _columns(one, "history", {"y": past.y, **past.columns}, ("y", *spec.past, *spec.known))
        coming = _columns(one, "future", ahead.columns, spec.known) if ahead else {}
        ds_past = _stamps(one, past, len(past.y), spec, zone)
        ds_ahead = _stamps(one, ahead, _length(ahead), spec, zone) if ahead else ds_past[:0]
        _check_lengths(one.unique_id, read, len(ds_past))
        _check_lengths(one.unique_id, coming, len(ds_ahead))
        counted = past.ds is None
        check_history(
            one.unique_id, ds_past, read["y"], spec.step, blank=spec.starts_from_static, counted=counted
        )  # fmt: skip
        check_future(one.unique_id, ds_past, ds_ahead, spec.step)
        columns = read if ahead is None else _with_ahead(read, coming, len(ds_ahead))
        given = {*past.columns, *(ahead.columns if ahead else ()), *one.static}
        return cls(
            one.unique_id, zone, np.concatenate([ds_past, ds_ahead]) if ahead is not None else ds_past, columns,
            _available(one, len(ds_past), len(ds_ahead), zone), _static(one, spec),
            tuple(sorted(given - {*spec.past, *spec.known, *spec.static})),
        )  # fmt: skip

    @cached_property
    def known(self) -> npt.NDArray[np.bool_]:
        """Where y is a number."""
        return np.isfinite(self.columns["y"])

    @cached_property
    def newest(self) -> int | None:
        """START of the last period whose y is a number (UTC nanoseconds)."""
        if len(self.ds) and self.known[-1]:
            return int(self.ds[-1])
        rows = np.flatnonzero(self.known)
        return int(self.ds[rows[-1]]) if len(rows) else None

    def over(self, step: pd.Timedelta, delay: pd.Timedelta) -> int | None:
        """When the last y became known, where the delay rule tells it; None where rows state it, or there is none."""
        if self.available_at is not None or self.newest is None:
            return None
        return int(self.newest + step.value + delay.value)

    def known_at(self, step: pd.Timedelta, delay: pd.Timedelta) -> Nanoseconds:
        """When each row became known (UTC nanoseconds): as stated, else at its period's end plus the delay."""
        ruled = np.asarray(self.ds + (step.value + delay.value), dtype=np.int64)
        if self.available_at is None:
            return ruled
        return np.asarray(np.where(self.available_at == NOT_A_TIME, ruled, self.available_at))

    def since(self, moment: pd.Timestamp) -> Rows:
        """Only the rows whose period starts at `moment` or later."""
        return self if self.ds[0] >= moment.value else self._only(self.ds >= moment.value)

    def about(self, first: pd.Timestamp, cutoff: pd.Timestamp, last: pd.Timestamp, step: pd.Timedelta) -> Rows:
        """Of a series without any y only the rows from `first` to `last`, or one blank row at the cutoff."""
        keep = (self.ds >= first.value) & (self.ds <= last.value)
        if keep.any():
            return self._only(keep)
        place = self.ds[0] - (self.ds[0] - cutoff.value) // step.value * step.value
        columns = {name: np.full(1, np.nan) for name in self.columns}
        return replace(self, ds=np.array([place], dtype=np.int64), columns=columns, available_at=None)

    def _only(self, keep: npt.NDArray[np.bool_]) -> Rows:
        if keep.all():
            return self
        columns = {name: values[keep] for name, values in self.columns.items()}
        available = self.available_at[keep] if self.available_at is not None else None
        return replace(self, ds=self.ds[keep], columns=columns, available_at=available)


def ahead_of(one: SeriesBody, spec: ForecasterSpec, zone: str) -> tuple[Nanoseconds, dict[str, Values]]:
    """Stamps and columns of a series' `future`, checked, of a series whose history the store has.

    Raises:
        DataError: a column has another length, or stamps are naive, doubled, out of order or of another step.
    """
    assert one.future is not None
    given = {name: values for name, values in one.future.columns.items() if name in spec.known}
    columns = _columns(one, "future", given, tuple(given))
    ds = _stamps(one, one.future, _length(one.future), spec, zone)
    _check_lengths(one.unique_id, columns, len(ds))
    check_future(one.unique_id, ds[:0], ds, spec.step)
    return ds, columns


def _with_ahead(read: Mapping[str, Values], coming: Mapping[str, Values], rows: int) -> dict[str, Values]:
    blank = np.full(rows, np.nan)
    return {name: np.concatenate([values, coming.get(name, blank)]) for name, values in read.items()}


def _columns(
    one: SeriesBody, part: str, given: Mapping[str, list[float | None]], needed: tuple[str, ...]
) -> dict[str, Values]:
    missing = [name for name in needed if name not in given]
    if missing:
        raise DataError(
            f"no column {', '.join(map(repr, missing))} in {part}",
            f"{', '.join(needed)}; found {', '.join(given) or 'none'}",
            "add it, with null where a value is missing", series=one.unique_id, column=missing[0],
        )  # fmt: skip
    several = [given[name] for name in needed]
    rows = len(several[0]) if several else 0
    if all(len(values) == rows for values in several):
        # Several times as fast as NumPy alone, which asks of every number what it is.
        block = array("d")
        try:
            for values in several:
                block.fromlist(values)  # type: ignore[arg-type]
        except TypeError:  # where one is None
            block = array("d")
        if block:
            return dict(zip(needed, np.asarray(block).reshape(-1, rows), strict=True))
    return {name: np.array(values, dtype=np.float64) for name, values in zip(needed, several, strict=True)}


def _length(part: Future) -> int:
    return max((len(values) for values in part.columns.values()), default=0)


def _stamps(one: SeriesBody, part: History | Future, size: int, spec: ForecasterSpec, zone: str) -> Nanoseconds:
    """Starts of the periods; of a model of daily tables, on the clock of its civil days."""
    if part.ds is not None:
        return _days(read_stamps(part.ds, series=one.unique_id, column="ds"), zone, one.unique_id)
    assert part.start is not None
    assert part.step is not None
    start = read_stamp(part.start, series=one.unique_id, column="start")
    check_step(one.unique_id, read_step(part.step, series=one.unique_id), spec.step)
    first = _days(np.array([start.value], dtype=np.int64), zone, one.unique_id)
    if int(first[0]) + spec.step.value * size > pd.Timestamp.max.value:
        raise DataError(
            f"{size:,} periods of {part.step} from {part.start} on reach past the year {pd.Timestamp.max.year}",
            "periods of this century", "correct start or step", series=one.unique_id, column="start",
        )  # fmt: skip
    return np.asarray(first[0] + spec.step.value * np.arange(size, dtype=np.int64))


def _days(ds: Nanoseconds, zone: str, series: str) -> Nanoseconds:
    if not is_day_clock(zone):
        return ds
    try:
        return np.asarray(checked_days(pd.DatetimeIndex(ds, tz="UTC"), zone).asi8)
    except DataError as error:
        raise DataError(
            error.found, error.expected, error.do, series=series, column="ds", stamps=error.stamps
        ) from None  # fmt: skip


def _check_lengths(name: str, columns: Mapping[str, Values], rows: int) -> None:
    for column, values in columns.items():
        if len(values) != rows:
            raise DataError(
                f"{len(values)} values beside {rows} stamps", "one value per stamp",
                "send null where a value is missing", series=name, column=column,
            )  # fmt: skip


def _available(one: SeriesBody, rows: int, ahead: int, zone: str) -> Nanoseconds | None:
    texts = one.measured.available_at
    if texts is None:
        return None
    if len(texts) != rows:
        raise DataError(
            f"{len(texts)} values beside {rows} stamps", "one value per stamp", "send null where it is not known",
            series=one.unique_id, column="available_at",
        )  # fmt: skip
    stated = [row for row, text in enumerate(texts) if text is not None]
    known = np.full(rows + ahead, NOT_A_TIME, dtype=np.int64)
    moments = read_stamps([texts[row] or "" for row in stated], series=one.unique_id, column="available_at")
    known[stated] = inside(pd.DatetimeIndex(moments, tz="UTC"), zone).asi8
    return known


def _static(one: SeriesBody, spec: ForecasterSpec) -> dict[str, float]:
    missing = [name for name in spec.static if name not in one.static]
    if missing:
        raise DataError(
            f"no static covariate {', '.join(map(repr, missing))}", f"{', '.join(spec.static)} in `static`", "add it",
            series=one.unique_id, column=missing[0],
        )  # fmt: skip
    return {name: one.static[name] for name in spec.static}


def _zone(one: SeriesBody, spec: ForecasterSpec) -> str:
    chosen = one.zone or clock.lived_zone(spec.zone)
    try:
        clock.zone(chosen)
    except DeclarationError as error:
        raise DeclarationError(error.found, error.expected, series=one.unique_id, column="zone") from None
    return day_zone(chosen) if is_day_clock(spec.zone) else chosen
