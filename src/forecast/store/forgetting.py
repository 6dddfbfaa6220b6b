"""Forgetting a series: out of the store, the ledger and the caches, with a line of audit that does not name it."""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, insert, select, update

from forecast import clock
from forecast.addresses import shown
from forecast.errors import StoreError
from forecast.settings import Settings
from forecast.store import catalogue
from forecast.store.engine import bare, place, reading, writing
from forecast.store.schema import ALARM, AUDIT, ERASING, FORECAST, OBSERVATION, RUN, SCORE, SERIES, SOURCE
from forecast.store.tokens import note_all
from forecast.store.traces import erase_traces, traces

FORGET = "forget"
VEIL = "(forgotten)"
"""What stands for the name in what was said to other series."""


@dataclass(frozen=True)
class Forgotten:
    """What was removed of a series, and what somebody has to remove by hand.

    Attributes:
        series: its name; the audit keeps its SHA-256 only.
        observations: values that were stored, every version.
        forecasts: rows of the ledger.
        children: series whose parent it was; they stay, and have none now.
        caches: files and model folders that were removed.
        left: where it may still be, one sentence each.
    """

    series: str
    observations: int = 0
    forecasts: int = 0
    children: tuple[str, ...] = ()
    caches: tuple[Path, ...] = ()
    left: tuple[str, ...] = ()


def name_digest(name: str) -> str:
    """What the audit keeps of a name.

    >>> name_digest("north")[:8]
    'dc365e79'
    """
    return hashlib.sha256(name.encode()).hexdigest()


def forget(engine: Engine, name: str, settings: Settings) -> Forgotten:
    """Removes a series for good; a second call finishes what a broken-off one left.

    Raises:
        StoreError: there is no such series and never was one, or the store or the system refused.
    """
    with reading(engine) as connection:
        _refuse_unknown(connection, engine, name)
        left = _sources(connection, name)
    caches = erase_traces([settings.mlruns / "work", settings.cache], name)
    with writing(engine) as connection:
        rows = erase_rows(connection, name)
        noted = {"series_sha256": name_digest(name), "caches": len(caches), **rows.counts}
        at = int(clock.now().timestamp())
        connection.execute(insert(AUDIT).values(at=at, action=FORGET, detail=json.dumps(noted)))
    left += _scrub(engine, settings.store_patience_s) + _elsewhere(engine, name, settings)
    return Forgotten(name, rows.observations, rows.forecasts, rows.children, caches, tuple(left))


def forgotten_digests(connection: Connection) -> set[str]:
    """The digests of the names that were forgotten."""
    told = connection.execute(select(AUDIT.c.detail).where(AUDIT.c.action == FORGET)).scalars()
    return {str(json.loads(one)["series_sha256"]) for one in told}


@dataclass(frozen=True)
class Erased:
    """Rows that were removed, and the series whose parent they were of."""

    observations: int
    forecasts: int
    children: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """As the audit keeps them."""
        return {"observations": self.observations, "forecasts": self.forecasts, "children": len(self.children)}


def _refuse_unknown(connection: Connection, engine: Engine, name: str) -> None:
    known = catalogue.entries(connection)
    if name not in known and name_digest(name) not in forgotten_digests(connection):
        raise StoreError(
            f"the store {place(engine.url)} holds no series '{name}'",
            f"one of {', '.join(list(known)[:10])}" if known else "at least one", "check the name with forecast store",
        )  # fmt: skip


def erase_rows(connection: Connection, name: str) -> Erased:
    """Deletes all rows of a series; none where it is gone already."""
    entry = catalogue.entries(connection, [name]).get(name)
    if entry is None:
        return Erased(0, 0, ())
    number = entry.number
    children = connection.execute(select(SERIES.c.unique_id).where(SERIES.c.parent == name)).scalars().all()
    _allow(connection, number)
    _veil(connection, number, name)
    _veil_journal(connection, name)
    removed = {table.name: _delete_of(connection, table, number) for table in (OBSERVATION, FORECAST, SCORE, ALARM)}
    connection.execute(update(SERIES).where(SERIES.c.parent == name).values(parent=None))
    connection.execute(delete(SERIES).where(SERIES.c.id == number))
    connection.execute(delete(ERASING))
    note_all(connection)
    return Erased(removed[OBSERVATION.name], removed[FORECAST.name], tuple(sorted(children)))


def _delete_of(connection: Connection, table: Table, number: int) -> int:
    return connection.execute(delete(table).where(table.c.series_id == number)).rowcount


def _veil(connection: Connection, number: int, name: str) -> None:
    """Writes anew what was said of other series in the same breath, where a warning names this one."""
    ids = select(FORECAST.c.id).where(FORECAST.c.series_id == number)
    written = json.dumps(name, ensure_ascii=False)[1:-1]
    named = FORECAST.c.warnings.contains(written, autoescape=True) | FORECAST.c.reason.contains(name, autoescape=True)
    wanted = select(FORECAST).where(FORECAST.c.id.in_(ids), FORECAST.c.series_id != number, named)
    for row in connection.execute(wanted).mappings().all():
        key = [FORECAST.c[word] == row[word] for word in ("id", "series_id", "cutoff")]
        told = [_veiled(one, name) for one in json.loads(row["warnings"])]
        reason = row["reason"] and _veiled(row["reason"], name)
        fresh = {**row, "warnings": json.dumps(told, ensure_ascii=False), "reason": reason}
        _allow(connection, row["series_id"])
        connection.execute(delete(FORECAST).where(*key))
        connection.execute(insert(FORECAST).values(fresh))


def _veil_journal(connection: Connection, name: str) -> None:
    """Takes the name out of what flows wrote of others in the same breath."""
    written = json.dumps(name, ensure_ascii=False)[1:-1]
    for table in (RUN, ALARM):
        keys = list(table.primary_key)
        for row in connection.execute(select(table).where(table.c.detail.contains(written, autoescape=True))).all():
            mine = [key == getattr(row, key.name) for key in keys]
            told = json.dumps(_veiled_in(json.loads(row.detail), name), ensure_ascii=False)
            connection.execute(update(table).where(*mine).values(detail=told))


def _veiled_in(told: Any, name: str) -> Any:
    """What was read from JSON, without the name in any of its texts."""
    if isinstance(told, dict):
        return {_veiled(key, name): _veiled_in(value, name) for key, value in told.items()}
    if isinstance(told, list):
        return [_veiled_in(value, name) for value in told]
    return _veiled(told, name) if isinstance(told, str) else told


def _veiled(sentence: str, name: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", VEIL, sentence)


def _allow(connection: Connection, number: int) -> None:
    """Lets the rows of a series go, until the end of this transaction."""
    if connection.execute(select(ERASING).where(ERASING.c.series_id == number)).first() is None:
        connection.execute(insert(ERASING).values(series_id=number))


def _sources(connection: Connection, name: str) -> list[str]:
    """Sentences on the sources that gave the series, and on those that are named after it."""
    entry = catalogue.entries(connection, [name]).get(name)
    mine = select(OBSERVATION.c.source_id).where(OBSERVATION.c.series_id == (entry.number if entry else -1)).distinct()
    gave = set(connection.execute(mine).scalars())
    told = []
    for row in connection.execute(select(SOURCE).order_by(SOURCE.c.name)):
        if row.id in gave:
            told.append(f"the source {row.name} gave it: take it out there, or the next forecast ingest brings it back")
        if name in row.name or json.dumps(name)[1:-1] in (row.mark or ""):
            told.append(f"the store keeps how far the source {row.name} was read, and the name stands there")
    return told


def _scrub(engine: Engine, patience: float) -> list[str]:
    """Writes the files of the database anew, so that nothing that was deleted stays in them."""
    try:
        with bare(engine) as connection:
            if engine.dialect.name == "sqlite":
                _scrub_sqlite(connection)
            else:
                _scrub_postgres(connection, patience)
    except StoreError as error:
        return [f"the rows are gone, and their bytes still in the files of the store; run this again ({error})"]
    if engine.dialect.name == "sqlite":
        return []
    return ["the write-ahead log, archives and replicas of the PostgreSQL server, until they are recycled"]


def _scrub_postgres(connection: Connection, patience: float) -> None:
    """Writes the tables anew until no deleted row is carried along: one that an open snapshot may see still is."""
    until = time.monotonic() + patience
    for table in (OBSERVATION, FORECAST, SCORE, ALARM, RUN, SERIES):
        while carried := _rewritten(connection, table):
            if time.monotonic() > until:
                raise StoreError(
                    f"{carried:,} deleted rows of {table.name} are kept for a reader that began before",
                    "no transaction that is open for long", "see pg_stat_activity",
                )  # fmt: skip
            time.sleep(0.2)


def _rewritten(connection: Connection, table: Table) -> int:
    """The deleted rows that stayed in a table after it was written anew, as the server says in its notice."""
    notices: list[str] = []
    driver = connection.connection.driver_connection
    assert driver is not None

    def hear(notice: Any) -> None:
        notices.append(notice.message_detail or "")

    driver.add_notice_handler(hear)
    try:
        # Statistics hold frequent values and names: they are made anew, too.
        connection.exec_driver_sql(f"VACUUM (FULL, ANALYZE, VERBOSE) {table.name}")
    finally:
        driver.remove_notice_handler(hear)
    # The number stands first in every language: "12 dead row versions cannot be removed yet."
    counts = [re.match(r"\D*(\d+)", detail) for detail in notices]
    return sum(int(count[1]) for count in counts if count)


def _scrub_sqlite(connection: Connection) -> None:
    for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
        answer = connection.exec_driver_sql(statement)
        busy = answer.scalar() if answer.returns_rows else 0
        if busy:
            raise StoreError("another process reads the store", "nobody", "wait until it is done")


def _elsewhere(engine: Engine, name: str, settings: Settings) -> list[str]:
    """Sentences on what this program wrote and does not remove."""
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    mine = [Path(f"{file}{ending}").absolute() for ending in ("", "-wal", "-shm")] if file else []
    found = traces([settings.mlruns], name, mine)
    told = [f"{path} names it: {_advice(path, settings)}" for path in found]
    return [
        *told, "backups that were made before: make a new one and delete them",
        "models that learned from it: their weights hold no values, but their specifications and runs in MLflow "
        f"({shown(settings.mlflow_uri)}) name their series; train again and delete old versions and runs there",
        "the parameters and results of flows in Prefect's database, where a flow was told its name",
    ]  # fmt: skip


def _advice(path: Path, settings: Settings) -> str:
    return "delete its run in MLflow" if path.is_relative_to(settings.artifacts) else "delete it, or what wrote it"
