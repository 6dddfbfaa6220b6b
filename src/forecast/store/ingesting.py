"""From a batch to rows: what is new, what is a revision, and since when each value counts as known.

Nothing that a past moment knew is ever changed. A number that contradicts the stored one becomes known when it
arrives, unless it carries a later moment of its own; a value that should have been there at the last reading and was
not became known now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, insert

from forecast import clock
from forecast.errors import DataError
from forecast.store import catalogue
from forecast.store.catalogue import Entry, Origin
from forecast.store.news import KEYS, Bools, Ints, Loose, changes, news
from forecast.store.schema import OBSERVATION
from forecast.tables import Columns, SeriesInfo
from forecast.tables.batch import Batch
from forecast.tables.steps import usual_step

CHUNK = 100_000


@dataclass(frozen=True)
class IngestReport:
    """What was done with the values of some batches.

    Attributes:
        values: numbers that the batches held.
        new: of periods that had none, and further forecasts of what is known ahead.
        revised: of periods that had other ones.
        known: stored already.
        series: names of the series that got something.
        batches: how many.
        notes: what the user should know.
        late: new ones that should have been there at the last reading: they count as known since now.
    """

    values: int = 0
    new: int = 0
    revised: int = 0
    known: int = 0
    series: frozenset[str] = frozenset()
    batches: int = 0
    notes: tuple[str, ...] = ()
    late: int = 0

    def __add__(self, other: IngestReport) -> IngestReport:
        return IngestReport(
            self.values + other.values, self.new + other.new, self.revised + other.revised, self.known + other.known,
            self.series | other.series, self.batches + other.batches,
            tuple(dict.fromkeys((*self.notes, *other.notes))), self.late + other.late,
        )  # fmt: skip


def add_batch(connection: Connection, batch: Batch, source: Origin) -> IngestReport:
    """Writes a batch within the writer's transaction.

    Raises:
        DataError: stamps, units or roles do not fit what is stored; nothing of the batch is written.
    """
    # A source of weather brings no demand.
    frame = batch.frame if catalogue.TARGET in batch.frame else batch.frame.assign(**{catalogue.TARGET: np.nan})
    numbers = catalogue.register_variables(connection, batch.columns)
    if frame.empty:
        for info in batch.series:
            catalogue.register(connection, info, None, None)
        return IngestReport(batches=1, notes=batch.notes)
    series_N, ds_N = _keys(frame)
    entries = _register(connection, batch, series_N, ds_N)
    places = {entry.number: name for name, entry in entries.items()}
    report = IngestReport(batches=1, notes=batch.notes)
    for name, number in numbers.items():
        loose, doubled = _loose(frame, name, batch.columns, entries, ds_N)
        fresh, revision_N, late = news(connection, loose, number, source)
        _write(connection, fresh, revision_N, number, source.number)
        # A weather forecast that is issued again corrects nothing.
        revised = 0 if name in batch.columns.known else int((revision_N > 0).sum())
        report += IngestReport(
            len(loose) + doubled, len(fresh) - revised, revised, len(loose) + doubled - len(fresh),
            frozenset(places[int(one)] for one in np.unique(fresh.series_N)), late=late,
        )  # fmt: skip
    return report


def _keys(frame: pd.DataFrame) -> tuple[npt.NDArray[np.object_], Ints]:
    names = frame["unique_id"].astype(str).to_numpy(dtype=object)
    stamps = frame["ds"]
    if getattr(stamps.dtype, "tz", None) is None or stamps.isna().any():
        raise DataError("stamps without a zone, or missing ones", "aware stamps in every row", column="ds")
    return names, _seconds(stamps)


def _seconds(stamps: pd.Series) -> Ints:
    """Whole seconds since 1970, upwards: nothing is known earlier than it was. Missing stamps come out wrong."""
    nanoseconds = stamps.dt.tz_convert("UTC").to_numpy(dtype="datetime64[ns]").astype(np.int64)
    return np.asarray(-(-nanoseconds // 1_000_000_000))


def _register(connection: Connection, batch: Batch, names: npt.NDArray[np.object_], ds_N: Ints) -> dict[str, Entry]:
    """The entries of all series of a batch, in the order of their names."""
    told = {one.unique_id: one for one in batch.series}
    codes_N, found = pd.factorize(names, sort=True)
    known = catalogue.entries(connection, map(str, found))
    entries = {}
    order = np.argsort(codes_N, kind="stable")
    parts = np.split(ds_N[order], np.cumsum(np.bincount(codes_N, minlength=len(found)))[:-1])
    for name, mine_N in zip(map(str, found), parts, strict=True):
        if name not in known or name in told or known[name].anchor is None:
            info = told.pop(name, SeriesInfo(unique_id=name))
            entries[name] = catalogue.register(connection, info, usual_step(mine_N), int(mine_N[0]), by_source=True)
        else:
            entries[name] = known[name]
        _check_clock(name, entries[name], mine_N)
    for info in told.values():
        catalogue.register(connection, info, None, None)
    return entries


def _check_clock(name: str, entry: Entry, ds_N: Ints) -> None:
    assert entry.anchor is not None  # registered with these stamps
    off_N = (ds_N - entry.anchor) % entry.step_seconds != 0
    if off_N.any():
        raise DataError(
            f"{int(off_N.sum())} stamps are not on its clock of every {pd.Timedelta(seconds=entry.step_seconds)}",
            f"stamps that many steps from {pd.Timestamp(entry.anchor, unit='s', tz='UTC')}",
            "resample them, or store them as another series", series=name,
            stamps=pd.to_datetime(ds_N[off_N][:6], unit="s", utc=True),
        )  # fmt: skip


def _loose(
    frame: pd.DataFrame, name: str, columns: Columns, entries: Mapping[str, Entry], ds_N: Ints
) -> tuple[Loose, int]:
    """The values of a column with their moments, ordered and without doubles; and how many doubles there were."""
    value_N = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    names, codes = np.array(list(entries)), np.searchsorted(list(entries), frame["unique_id"].astype(str))
    _check_values(frame, name, value_N)
    by_name = [entries[one] for one in names]
    number_N = np.array([one.number for one in by_name])[codes]
    rule_N = ds_N + np.array([one.step_seconds + one.delay_seconds for one in by_name])[codes]
    default_N = np.zeros_like(ds_N) if name in columns.known else rule_N
    stated_N = np.zeros(len(frame), dtype=bool)
    available_N = default_N
    if "available_at" in frame.columns:
        stated_N = frame["available_at"].notna().to_numpy()
        available_N = np.where(stated_N, _seconds(frame["available_at"]), default_N)
    if name not in columns.known:
        _check_knowledge(frame, ds_N, available_N, np.isfinite(value_N) & stated_N)
    loose = Loose(number_N, ds_N, available_N, value_N, stated_N).only(np.flatnonzero(np.isfinite(value_N)))
    if name == catalogue.TARGET:
        _check_not_future(loose)
    return _single(loose)


def _check_values(frame: pd.DataFrame, name: str, value_N: npt.NDArray[np.float64]) -> None:
    infinite_N = np.isinf(value_N)
    if infinite_N.any():
        raise DataError(
            f"{int(infinite_N.sum())} values are infinite", "finite numbers, or nothing where a value is missing",
            "correct or empty them", column=name, stamps=frame["ds"][infinite_N],
        )  # fmt: skip


def _check_knowledge(frame: pd.DataFrame, ds_N: Ints, available_N: Ints, told_N: Bools) -> None:
    early_N = told_N & (available_N < ds_N)
    if early_N.any():
        raise DataError(
            f"{int(early_N.sum())} values were available before their period began", "available_at at or after it",
            "check the column and its zone", column="available_at", stamps=frame["ds"][early_N],
        )  # fmt: skip


def _check_not_future(loose: Loose) -> None:
    late_N = loose.ds_N > int(clock.now().timestamp())
    if late_N.any():
        raise DataError(
            f"{int(late_N.sum())} values of demand are stamped in the future",
            f"stamps before {clock.now():%Y-%m-%dT%H:%MZ}", "check the zone of the source", column="ds",
            stamps=pd.to_datetime(loose.ds_N[late_N][:6], unit="s", utc=True),
        )  # fmt: skip


def _single(loose: Loose) -> tuple[Loose, int]:
    """Each series, period and moment once, in order; of several numbers the last one counts."""
    order = np.lexsort((loose.available_N, loose.ds_N, loose.series_N))
    ordered = loose.only(order)
    last_N = np.ones(len(ordered), dtype=bool)
    last_N[:-1] = changes(ordered, KEYS)
    return ordered.only(last_N), int((~last_N).sum())


def _write(connection: Connection, fresh: Loose, revision_N: Ints, variable: int, source: int) -> None:
    columns = (
        fresh.series_N, np.full(len(fresh), variable), fresh.ds_N, fresh.available_N, revision_N, fresh.value_N,
        np.full(len(fresh), source),
    )  # fmt: skip
    for begin in range(0, len(fresh), CHUNK):
        rows = zip(*(column[begin : begin + CHUNK].tolist() for column in columns), strict=True)
        if connection.dialect.name == "postgresql":
            _copy(connection, rows)
        else:
            statement = str(insert(OBSERVATION).compile(connection.engine))
            connection.exec_driver_sql(statement, list(rows))


def _copy(connection: Connection, rows: object) -> None:
    """PostgreSQL's way of taking many rows."""
    names = ", ".join(column.name for column in OBSERVATION.columns)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY observation ({names}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["int4", "int2", "int8", "int8", "int4", "float8", "int4"])
        for row in rows:  # type: ignore[attr-defined]
            copy.write_row(row)
