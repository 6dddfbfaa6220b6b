"""The registry of series, variables and sources: what the numbers in the observations mean."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Connection, insert, select, update

from forecast.errors import DataError
from forecast.store.schema import SERIES, SOURCE, VARIABLE
from forecast.tables import Columns, SeriesInfo

TARGET = "y"
MOST_NAMED = 10_000
"""Of more than so many, all are asked for: a statement has room for some 30,000 values."""


@dataclass(frozen=True)
class Entry:
    """A registered series.

    Attributes:
        number: its key.
        info: what is known of it; unit, step and delay are always told. A zone that is not told counts as UTC.
        anchor: one stamp of its clock, seconds since 1970; None until it has a value.
        asked: whether only a request for a forecast has named it: whoever tells of it is the first.
    """

    number: int
    info: SeriesInfo
    anchor: int | None
    asked: bool = False

    @property
    def step_seconds(self) -> int:
        """Length of a period."""
        return int(pd.Timedelta(self.info.step).total_seconds())

    @property
    def delay_seconds(self) -> int:
        """How long after its period's end a value is known by rule."""
        return int(pd.Timedelta(self.info.delay).total_seconds())


def entries(connection: Connection, names: Iterable[str] | None = None) -> dict[str, Entry]:
    """The registered series by name, in the order of their names; some of them only."""
    wanted, chosen = select(SERIES), None if names is None else set(names)
    if chosen is not None and len(chosen) <= MOST_NAMED:
        wanted = wanted.where(SERIES.c.unique_id.in_(sorted(chosen)))
    rows = connection.execute(wanted).all()
    found = {row.unique_id: _entry(row) for row in rows if chosen is None or row.unique_id in chosen}
    return {name: found[name] for name in sorted(found)}


def _entry(row: Any) -> Entry:
    told = {name: getattr(row, name) for name in SeriesInfo.model_fields if name in SERIES.c}
    lengths = {name: str(pd.Timedelta(seconds=getattr(row, f"{name}_seconds"))) for name in ("step", "delay")}
    info = SeriesInfo.model_validate({**told, **lengths, "static": json.loads(row.static)})
    return Entry(row.id, info, row.anchor, bool(row.asked))


def register(
    connection: Connection, told: SeriesInfo, step_seconds: int | None, anchor: int | None, *, by_source: bool = False
) -> Entry:
    """Writes what a source says of a series; what it does not say stays as it is.

    Args:
        connection: of a writer.
        told: what is said.
        step_seconds: length of a period as read from the stamps, where `told` leaves it open.
        anchor: one stamp of its clock, for a series that has none yet.
        by_source: a source says it, which does not move a series with values to another zone or delay.

    Raises:
        DataError: unit, step or zone contradict what is stored, or nothing tells the step of a new series.
    """
    known = entries(connection, [told.unique_id]).get(told.unique_id)
    if known is None:
        return _add(connection, told, step_seconds, anchor)
    if known.asked:
        return _introduce(connection, known, told, step_seconds, anchor)
    said = {name: value for name, value in told.model_dump(exclude_none=True).items() if value != {}}
    _refuse_change(known.info, told)
    if by_source and known.anchor is not None:
        _refuse_move(known.info, told)
        said = {name: value for name, value in said.items() if name != "delay"}
    merged = known.info.model_copy(update={**said, "static": {**known.info.static, **told.static}})
    settled = known.anchor if known.anchor is not None else anchor
    if merged != known.info or settled != known.anchor:
        values = {**_columns(merged), "anchor": settled}
        connection.execute(update(SERIES).where(SERIES.c.id == known.number).values(values))
    return Entry(known.number, merged, settled)


def _add(connection: Connection, told: SeriesInfo, step_seconds: int | None, anchor: int | None) -> Entry:
    if told.step is None and step_seconds is None:
        raise DataError(
            "nothing tells the frequency of a new series", "two stamps or more, or a declared frequency",
            "declare it with --freq, or as step in what is described", series=told.unique_id,
        )  # fmt: skip
    step = told.step or str(pd.Timedelta(seconds=step_seconds))
    full = told.model_copy(update={"step": step, "delay": told.delay or "0h", "unit": told.unit or "MW"})
    values = {**_columns(full), "unique_id": told.unique_id, "anchor": anchor}
    number = connection.execute(insert(SERIES).values(values)).inserted_primary_key
    assert number is not None
    return Entry(int(number[0]), full, anchor)


def _introduce(
    connection: Connection, known: Entry, told: SeriesInfo, step_seconds: int | None, anchor: int | None
) -> Entry:
    """Writes what the first one says of a series that only a request has named, as of a new one."""
    step = told.step or (known.info.step if step_seconds is None else str(pd.Timedelta(seconds=step_seconds)))
    full = told.model_copy(update={"step": step, "delay": told.delay or "0h", "unit": told.unit or "MW"})
    values = {**_columns(full), "anchor": anchor, "asked": None}
    connection.execute(update(SERIES).where(SERIES.c.id == known.number).values(values))
    return Entry(known.number, full, anchor)


def _refuse_change(known: SeriesInfo, told: SeriesInfo) -> None:
    for word, before, now in (("unit", known.unit, told.unit), ("frequency", known.step, told.step)):
        same = now is None or before == now or (word == "frequency" and pd.Timedelta(before) == pd.Timedelta(now))
        if not same:
            raise DataError(
                f"the source says {word} {now}, the store holds it in {before}", f"{word} {before}",
                "declare what the values are, or store them under another name", series=told.unique_id,
            )  # fmt: skip


def check_families(connection: Connection) -> None:
    """Raises a DataError where a parent is not registered, or is a part of its own part."""
    known = entries(connection)
    parents = {name: one.info.parent for name, one in known.items() if one.info.parent is not None}
    for name, parent in parents.items():
        if parent not in known:
            raise DataError(
                f"its parent '{parent}' is not registered", "a registered series", "describe it too", series=name
            )
        above, seen = parent, {name}
        while above in parents and above not in seen:
            seen.add(above)
            above = str(parents[above])
        if above in seen:
            raise DataError(
                f"it is a part of itself, through {', '.join(sorted(seen))}",
                "a tree",
                "correct one of them",
                series=name,
            )


def _refuse_move(known: SeriesInfo, told: SeriesInfo) -> None:
    if told.zone is not None and known.zone is not None and told.zone != known.zone:
        raise DataError(
            f"the source says zone {told.zone}, the store holds it in {known.zone}", f"zone {known.zone}",
            "declare that zone (and the clock of the stamps with --stamp-zone); forecast describe moves a series",
            series=told.unique_id,
        )  # fmt: skip


def _columns(info: SeriesInfo) -> dict[str, Any]:
    plain = info.model_dump(exclude={"unique_id", "step", "delay", "static"})
    lengths = {f"{name}_seconds": int(pd.Timedelta(getattr(info, name)).total_seconds()) for name in ("step", "delay")}
    return {**plain, **lengths, "static": json.dumps(info.static, sort_keys=True)}


def variables(connection: Connection) -> dict[str, tuple[int, str]]:
    """Number and role of every stored variable."""
    return {row.name: (row.id, row.role) for row in connection.execute(select(VARIABLE).order_by(VARIABLE.c.id))}


def register_variables(connection: Connection, columns: Columns) -> dict[str, int]:
    """The numbers of a batch's columns, new ones added.

    Raises:
        DataError: a column is stored in another role.
    """
    known = variables(connection)
    for name, role in roles_of(columns).items():
        if name not in known:
            done = connection.execute(insert(VARIABLE).values(name=name, role=role)).inserted_primary_key
            assert done is not None
            known[name] = (int(done[0]), role)
        elif known[name][1] != role:
            raise DataError(
                f"column '{name}' comes as {role} and is stored as {known[name][1]}", "one role per name",
                "declare it as before, or rename it",
            )  # fmt: skip
    return {name: known[name][0] for name in columns.dynamic}


def roles_of(columns: Columns) -> dict[str, str]:
    """The role of every column with values."""
    return {TARGET: "target"} | dict.fromkeys(columns.past, "past") | dict.fromkeys(columns.known, "known")


def columns_of(stored: Mapping[str, tuple[int, str]], static: Sequence[str]) -> Columns:
    """Stored variables as the columns of a table."""
    by_role = {role: tuple(name for name, (_, one) in stored.items() if one == role) for role in ("past", "known")}
    return Columns(past=by_role["past"], known=by_role["known"], static=tuple(static))


@dataclass(frozen=True)
class Origin:
    """A registered source: its number, how far it was read, and when it was last read to its end (seconds)."""

    number: int
    mark: Mapping[str, Any] | None
    polled_at: int | None


def origin(connection: Connection, name: str) -> Origin | None:
    """A source, where it is known."""
    row = connection.execute(select(SOURCE).where(SOURCE.c.name == name)).first()
    return None if row is None else Origin(row.id, None if row.mark is None else json.loads(row.mark), row.polled_at)


def register_origin(connection: Connection, name: str) -> Origin:
    """A source, added where it is new."""
    found = origin(connection, name)
    if found is not None:
        return found
    done = connection.execute(insert(SOURCE).values(name=name)).inserted_primary_key
    assert done is not None
    return Origin(int(done[0]), None, None)


def note_mark(connection: Connection, number: int, mark: Mapping[str, Any]) -> None:
    """Writes how far a source was read."""
    connection.execute(update(SOURCE).where(SOURCE.c.id == number).values(mark=json.dumps(mark)))


def note_poll(connection: Connection, number: int, at: int) -> None:
    """Writes when a source was read to its end."""
    connection.execute(update(SOURCE).where(SOURCE.c.id == number).values(polled_at=at))
