"""What a database likes to have done now and then: room given back, statistics made anew."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from forecast.errors import StoreError
from forecast.store.contents import size_of
from forecast.store.engine import bare, reading
from forecast.store.schema import METADATA

WORTH = 0.1
"""A file of which a tenth is empty is written anew."""


@dataclass(frozen=True)
class Tended:
    """What was done.

    Attributes:
        did: as words.
        before, after: bytes of the database.
        left: what could not be done now, and why.
    """

    did: tuple[str, ...]
    before: int
    after: int
    left: tuple[str, ...] = ()


def tend(engine: Engine, *, dry_run: bool = False) -> Tended:
    """Writes SQLite's file anew where much of it is empty, and empties its log; vacuums and analyses PostgreSQL.

    Others may read and write; what waits for them is left for the next time, and said.

    Raises:
        StoreError: the store does not answer.
    """
    with reading(engine) as connection:
        before = size_of(connection)
    sqlite = engine.dialect.name == "sqlite"
    with bare(engine) as connection:
        wanted = _of_sqlite(connection) if sqlite else _of_postgresql()
    if dry_run:
        return Tended(tuple(wanted), before, before)
    did, left = [], []
    for what, statement in wanted.items():
        try:
            with bare(engine) as connection:
                answer = connection.exec_driver_sql(statement)
                busy = answer.returns_rows and sqlite and "checkpoint" in statement and bool(answer.scalar())
        except StoreError as error:
            left.append(f"{what}: {error}")
            continue
        if busy:
            left.append(f"{what}: another process reads the store")
        else:
            did.append(what)
    with reading(engine) as connection:
        return Tended(tuple(did), before, size_of(connection), tuple(left))


def _of_sqlite(connection: Connection) -> dict[str, str]:
    pages, free = (
        int(connection.exec_driver_sql(f"PRAGMA {word}").scalar() or 0) for word in ("page_count", "freelist_count")
    )
    anew = {"the file is written anew": "VACUUM"} if pages and free / pages >= WORTH else {}
    ends = {"the log is emptied": "PRAGMA wal_checkpoint(TRUNCATE)"}
    return {"statistics are looked after": "PRAGMA optimize", **anew, **ends}


def _of_postgresql() -> dict[str, str]:
    return {
        f"{table.name} is vacuumed and analysed": f"VACUUM (ANALYZE) {table.name}" for table in METADATA.sorted_tables
    }
