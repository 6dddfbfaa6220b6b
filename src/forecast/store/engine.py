"""Databases as the store uses them: SQLite with a write-ahead log, PostgreSQL in a schema of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from forecast.addresses import shown
from forecast.errors import StoreDown, StoreError
from forecast.store.migrating import SCHEMA

PATIENCE_S = 30.0
"""How long a writer waits for another one, unless told otherwise."""


def engine_of(url: str, patience_s: float = PATIENCE_S) -> Engine:
    """An engine for a store.

    Args:
        url: of SQLite or PostgreSQL.
        patience_s: how long a writer waits for another one.

    Raises:
        StoreError: the URL is not one of SQLite or PostgreSQL, or the driver is missing.
    """
    try:
        parsed = make_url(url)
        kind = parsed.get_backend_name()
    except (ArgumentError, ValueError, NoSuchModuleError):
        parsed, kind = None, "none"
    if parsed is not None and "@" in str(parsed.host or ""):
        raise StoreError(
            f"{shown(url)} holds a second @",
            "user:password@host/base",
            "write special characters of the password as %40",
        )
    if parsed is None or kind not in ("sqlite", "postgresql"):
        raise StoreError(
            f"{shown(url)} is no address of a store", "sqlite:///FILE or postgresql+psycopg://user:password@host/base",
            "correct --store or FORECAST_STORE",
        )  # fmt: skip
    engine = _sqlite(parsed, patience_s) if kind == "sqlite" else _postgresql(parsed, patience_s)
    engine.update_execution_options(patience_s=patience_s)
    return engine


def _sqlite(url: URL, patience_s: float) -> Engine:
    file = url.database
    if file in (None, "", ":memory:"):
        raise StoreError("a store in memory", "a file: sqlite:///store.db", "name a file")
    try:
        Path(str(file)).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the folder of {file} cannot be made ({error.strerror})", "a place to write to") from error
    engine = create_engine(url, connect_args={"timeout": patience_s})

    @event.listens_for(engine, "connect")
    def _settle(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun by us
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("bare", False):
            return
        _set_flush(connection, options.get("flush", True))
        # A writer takes its place in the queue at once: a reader that turns writer half-way would be refused.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes", False) else "BEGIN")

    return engine


def _set_flush(connection: Connection, flush: bool) -> None:
    """Whether the next commit waits for the disk; told to SQLite only where it is another word than the last."""
    kept = connection.connection.info
    if kept.get("flush", True) != flush:
        connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if flush else 'NORMAL'}")
        kept["flush"] = flush


def _postgresql(url: URL, patience_s: float) -> Engine:
    settings = {"options": f"-csearch_path={SCHEMA} -clock_timeout={round(patience_s * 1000)}ms"}
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
    with asking(engine), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@contextmanager
def writing(engine: Engine, *, flush: bool = True) -> Iterator[Connection]:
    """A transaction of the one writer: committed as a whole at the end of the block, or not at all.

    Args:
        engine: of the store.
        flush: whether the commit waits for the disk. Without, it outlives this process and not a loss of power, which
            may take the last of these commits, and never a part of one.
    """
    with (
        asking(engine),
        engine.connect().execution_options(writes=True, flush=flush) as connection,
        connection.begin(),
    ):
        if engine.dialect.name == "postgresql":
            if not flush:
                connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('forecast.store'))"))
        yield connection


@contextmanager
def bare(engine: Engine) -> Iterator[Connection]:
    """A connection outside of any transaction, for what a database does with its files."""
    options = {"bare": True} if engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
    with asking(engine), engine.connect().execution_options(**options) as connection:
        yield connection


@contextmanager
def asking(engine: Engine) -> Iterator[None]:
    """Turns what a database answers into sentences without its password."""
    try:
        yield
    except DBAPIError as error:
        raise _told(error.orig, engine, lost=error.connection_invalidated or error.statement is None) from error
    except SQLAlchemyError as error:
        raise StoreError(f"the store {place(engine.url)} failed ({_line(error)})") from error
    except Exception as error:
        # What is asked past SQLAlchemy (COPY, many rows) fails in the driver's own words.
        driver = engine.dialect.loaded_dbapi
        if driver is None or not isinstance(error, driver.Error):
            raise
        lost = engine.dialect.name == "postgresql" and isinstance(error, driver.OperationalError)
        raise _told(error, engine, lost=lost) from error


def place(url: URL) -> str:
    """The store's address without secrets."""
    return shown(url.render_as_string(hide_password=False))


def _told(error: object, engine: Engine, *, lost: bool) -> StoreError:
    words, url = _line(error), engine.url
    if url.password:
        words = words.replace(str(url.password), "***")
    where = place(url)
    low = words.lower()
    if "locked" in low or "lock timeout" in low or "deadlock" in low:
        patience = engine.get_execution_options().get("patience_s", PATIENCE_S)
        return StoreDown(
            f"the store {where} is being written by another process ({words})", f"it free within {patience:g} s",
            "wait until the other one is done and run this again; nothing of this step was stored",
        )  # fmt: skip
    if "disk is full" in low or "no space left" in low or "could not extend file" in low:
        return StoreDown(
            f"the disk of the store {where} is full ({words})", "free space",
            "free some and run this again; what was stored before is whole, nothing of this step was stored",
        )  # fmt: skip
    if "disk i/o error" in low:
        return StoreDown(
            f"the disk of the store {where} failed ({words})",
            "a disk that works, with free space and without a limit on the size of files",
            "see to that and run this again; what was stored before is whole, nothing of this step was stored",
        )  # fmt: skip
    if "malformed" in low or "not a database" in low:
        return StoreDown(
            f"{where} is damaged or no store ({words})", "a file that this program made", "restore a backup"
        )
    if "readonly" in low or "read-only" in low or "unable to open" in low or "permission denied" in low:
        return StoreDown(
            f"the store {where} cannot be written or opened ({words})",
            "rights to read and write it, also for who only reads",
            "give the rights to file and folder; from read-only media, copy the file to a place that can be written "
            "and name that one",
        )
    if lost:
        return StoreDown(
            f"the store {where} does not answer ({words})", "a reachable database",
            "check host, port, user and password, and run this again; nothing of this step was stored",
        )  # fmt: skip
    return StoreError(f"the store {where} refused ({words})", "", "nothing of this step was stored")


def _line(error: object) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300]
