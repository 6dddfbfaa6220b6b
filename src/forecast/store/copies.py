"""Backups: a store as one file that needs no database to be read, and the way back into SQLite or PostgreSQL.

The file holds every table as of one moment, the schema's revision and the SHA-256 of every part (`archive`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select, text

from forecast import clock
from forecast.errors import StoreError
from forecast.settings import Settings
from forecast.store import catalogue
from forecast.store.archive import Archive, writing_archive
from forecast.store.engine import reading, writing
from forecast.store.forgetting import FORGET, erase_rows, name_digest
from forecast.store.migrating import HEAD, remake
from forecast.store.parts import read_parts, write_part
from forecast.store.schema import AUDIT, METADATA, SERIES, SOURCE, VARIABLE
from forecast.store.store import Store
from forecast.store.tokens import note_all

TABLES = [table for table in METADATA.sorted_tables if table.name not in ("erasing", "changed", "answered")]
"""Those that hold something to keep, parents first."""


@dataclass(frozen=True)
class Copied:
    """What was copied.

    Attributes:
        path: the backup's file.
        rows: by table.
        taken_at: when the backup was begun (ISO 8601, UTC).
        forgotten: series that were left out, for the store had forgotten them.
    """

    path: Path
    rows: Mapping[str, int]
    taken_at: str
    forgotten: int = 0


def backup(store: Store, path: Path) -> Copied:
    """Writes everything of a store into one file, as of one moment; others may go on reading and writing.

    The file stands under its name once it is whole. An older backup there is replaced; any other file is not.

    Raises:
        StoreError: the store does not answer, the file cannot be written (a full disk), or is none of ours.
    """
    if path.exists():
        Archive.open(path)
    rows, taken_at = dict.fromkeys((table.name for table in TABLES), 0), clock.now().isoformat()
    with writing_archive(path) as archive, reading(store.engine) as connection:
        for table in TABLES:
            for part in read_parts(connection, table):
                archive.add(table.name, part)
                rows[table.name] += part.num_rows
        archive.finish(revision=HEAD, taken_at=taken_at, rows=rows)
    return Copied(path, rows, taken_at)


def restore(path: Path, url: str | None = None, *, replace: bool = False, settings: Settings | None = None) -> Copied:
    """Fills a store from a backup, whichever of the two databases either was; all of it or nothing.

    Args:
        path: of the backup.
        url: of the store, made where there is none; that of the settings where None.
        replace: whether what the store holds is given up. What it has forgotten stays forgotten.
        settings: those of the process where None.

    Raises:
        StoreError: the backup is broken or of another revision, or the store holds something and `replace` is not set.
    """
    archive = Archive.open(path)
    if archive.revision != HEAD:
        raise StoreError(
            f"the backup {path} has the schema's revision {archive.revision}", f"{HEAD}, which this version writes",
            "restore it with the version that wrote it, and open that store with this one",
        )  # fmt: skip
    archive.verify()
    with Store.open(url, settings) as store, writing(store.engine) as connection:
        audit, lost = _emptied(connection, store.place, replace=replace)
        for part in archive.parts:
            write_part(connection, METADATA.tables[part.table], archive.read(part))
        _check_rows(connection, archive)
        _count_on(connection)
        note_all(connection)
        again = [name for name in catalogue.entries(connection) if name_digest(name) in lost]
        for name in again:
            erase_rows(connection, name)
        _note(connection, audit, {"taken_at": archive.taken_at, "rows": archive.rows, "forgotten": len(again)})
    return Copied(path, archive.rows, archive.taken_at, len(again))


def _emptied(connection: Connection, place: str, *, replace: bool) -> tuple[list[dict[str, Any]], set[str]]:
    """Makes the store empty; what its audit says of forgotten series, and the digests of those that did not return."""
    held = [table.name for table in TABLES if connection.execute(select(table).limit(1)).first() is not None]
    if not held:
        return [], set()
    if not replace:
        raise StoreError(
            f"the store {place} is not empty (it has rows in {', '.join(held)})", "an empty one, or none",
            "name another, or give up what it holds with --replace",
        )  # fmt: skip
    told = connection.execute(select(AUDIT).where(AUDIT.c.action == FORGET).order_by(AUDIT.c.id)).mappings()
    audit = [{name: row[name] for name in ("at", "action", "detail")} for row in told]
    lost = {str(json.loads(line["detail"])["series_sha256"]) for line in audit}
    lost -= set(map(name_digest, catalogue.entries(connection)))
    remake(connection)
    return audit, lost


def _check_rows(connection: Connection, archive: Archive) -> None:
    for table in TABLES:
        found = connection.execute(select(func.count()).select_from(table)).scalar_one()
        if found != archive.rows[table.name]:
            raise StoreError(
                f"{found} rows of {table.name} were restored from {archive.path}", f"{archive.rows[table.name]}",
                "take another backup; nothing was restored",
            )  # fmt: skip


def _count_on(connection: Connection) -> None:
    """PostgreSQL's counters stand behind the keys that came with their rows."""
    if connection.dialect.name != "postgresql":
        return
    for table in (SERIES, VARIABLE, SOURCE, AUDIT):
        highest = connection.execute(select(func.max(table.c.id))).scalar()
        if highest is not None:
            moved = text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :highest)")
            connection.execute(moved, {"name": table.name, "highest": highest})


def _note(connection: Connection, audit: Sequence[Mapping[str, Any]], detail: Mapping[str, Any]) -> None:
    """Keeps the lines on forgotten series that the backup does not have, and adds one on what was done."""
    known = {(row.at, row.detail) for row in connection.execute(select(AUDIT))}
    lines = [line for line in audit if (line["at"], line["detail"]) not in known]
    lines.append({"at": int(clock.now().timestamp()), "action": "restore", "detail": json.dumps(detail)})
    connection.execute(insert(AUDIT), lines)
