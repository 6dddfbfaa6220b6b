"""Databases as the store uses them: SQLite with a write-ahead log, PostgreSQL in a schema of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from forecast.addresses import shown
from forecast.errors import StoreError
from forecast.store.migrating import SCHEMA

PATIENCE_S = 30
"""How long a writer waits for another one."""


def engine_of(url: str) -> Engine:
    """An engine for a store.

    Raises:
        StoreError: the URL is not one of SQLite or PostgreSQL, or the driver is missing.
    """
    try:
        parsed = make_url(url)
        kind = parsed.get_backend_name()
    except (ArgumentError, ValueError, NoSuchModuleError):
        parsed, kind = None, "none"
    if parsed is None or kind not in ("sqlite", "postgresql"):
        raise StoreError(
            f"{shown(url)} is no address of a store", "sqlite:///FILE or postgresql+psycopg://user:password@host/base",
            "correct --store or FORECAST_STORE",
        )  # fmt: skip
    return _sqlite(parsed) if kind == "sqlite" else _postgresql(parsed)


def _sqlite(url: URL) -> Engine:
    file = url.database
    if file in (None, "", ":memory:"):
        raise StoreError("a store in memory", "a file: sqlite:///store.db", "name a file")
    try:
        Path(str(file)).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the folder of {file} cannot be made ({error.strerror})", "a place to write to") from error
    engine = create_engine(url, connect_args={"timeout": PATIENCE_S})

    @event.listens_for(engine, "connect")
    def _settle(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun by us
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes its place in the queue at once: a reader that turns writer half-way would be refused.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(url: URL) -> Engine:
    settings = {"options": f"-csearch_path={SCHEMA} -clock_timeout={PATIENCE_S}s"}
    try:
        return create_engine(url, connect_args=settings, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise StoreError(
            f"the driver '{error.name}' is not installed", "an installed driver",
            'pip install "demand-forecast[postgres]"',
        ) from None  # fmt: skip


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that reads one state of the store."""
    with asking(engine.url), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction of the one writer: committed as a whole at the end of the block, or not at all."""
    with asking(engine.url), engine.connect().execution_options(writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('forecast.store'))"))
        yield connection


@contextmanager
def asking(url: URL) -> Iterator[None]:
    """Turns what a database answers into sentences without its password."""
    try:
        yield
    except DBAPIError as error:
        raise _told(error, url) from error
    except SQLAlchemyError as error:
        raise StoreError(f"the store {place(url)} failed ({_line(error)})") from error


def place(url: URL) -> str:
    """The store's address without secrets."""
    return shown(url.render_as_string(hide_password=False))


def _told(error: DBAPIError, url: URL) -> StoreError:
    words = _line(error.orig)
    if url.password:
        words = words.replace(str(url.password), "***")
    where = place(url)
    low = words.lower()
    if "locked" in low or "lock timeout" in low or "deadlock" in low:
        return StoreError(
            f"the store {where} is being written by another process ({words})", f"it free within {PATIENCE_S} s",
            "wait until the other one is done and run this again; nothing of this step was stored",
        )  # fmt: skip
    if "disk is full" in low or "no space left" in low or "could not extend file" in low:
        return StoreError(
            f"the disk of the store {where} is full ({words})", "free space",
            "free some and run this again; what was stored before is whole, nothing of this step was stored",
        )  # fmt: skip
    if "malformed" in low or "not a database" in low:
        return StoreError(
            f"{where} is damaged or no store ({words})", "a file that this program made", "restore a backup"
        )
    if "readonly" in low or "read-only" in low or "unable to open" in low or "permission denied" in low:
        return StoreError(f"the store {where} cannot be written or opened ({words})", "rights to read and write it")
    if error.connection_invalidated or error.statement is None:
        return StoreError(
            f"the store {where} does not answer ({words})", "a reachable database",
            "check host, port, user and password, and run this again; nothing of this step was stored",
        )  # fmt: skip
    return StoreError(f"the store {where} refused ({words})", "", "nothing of this step was stored")


def _line(error: object) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300]
