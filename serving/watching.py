"""Whether anything in the store changed, asked so cheaply that every request may ask.

A question counts for whoever came before it began, never for who comes later: nobody is told an older state than that
of their own arrival.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import anyio
from sqlalchemy import Connection, select

from forecast.store import Store
from forecast.store.engine import asking
from forecast.store.schema import ANY, CHANGED
from serving.keeping import Keeper


class Watch:
    """Tells the token of the last change.

    Args:
        keeper: of the store.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._lock = anyio.Lock()
        self._begun = self._done = self._token = 0
        self._connection: Connection | None = None
        self._engine: object = None
        self._file: FileWatch | None = None

    async def now(self) -> int:
        """The token as of this moment or later; of SQLite without a thread.

        Raises:
            StoreDown: the store does not answer.
        """
        token = self._file.now() if self._file is not None else None
        if token is not None:
            return token
        mine = self._begun + 1
        async with self._lock:
            # Whoever came while another question ran shares the next one.
            if self._done < mine:
                self._begun = begun = self._begun + 1
                self._token = await self._keeper.ask(self._ask)
                self._done = begun
            return self._token

    def close(self) -> None:
        """Gives the connections back."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._forget()

    def _forget(self) -> None:
        if self._connection is not None:
            # Invalid first: a server that hangs would be asked to roll back.
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def _ask(self, store: Store) -> int:
        if store.engine.dialect.name == "sqlite":
            with store.snapshot() as connection:
                token = _read(connection)
            self._file = FileWatch(str(store.engine.url.database))
            return token
        with asking(store.engine):
            if self._connection is None or self._engine is not store.engine:
                self._forget()
                self._connection = store.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
                self._engine = store.engine
            try:
                return _read(self._connection)
            except Exception:
                self._forget()
                raise


class FileWatch:
    """A file of SQLite: its own counter of writes tells whether the token needs to be read at all.

    Args:
        file: of the store.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self._seen: tuple[int, int] | None = None
        self._version = self._token = -1

    def now(self) -> int | None:
        """The token; None where the file is locked, or gone."""
        try:
            found = os.stat(self._file)
            if self._connection is None or self._seen != (found.st_dev, found.st_ino):
                self._open((found.st_dev, found.st_ino))
            version = self._one("PRAGMA data_version")
            if version != self._version:
                self._token = self._one(f"SELECT token FROM changed WHERE series_id = {ANY}")
                self._version = version
        except (OSError, sqlite3.Error):
            self._version = -1
            return None
        return self._token

    def close(self) -> None:
        """Closes the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self, seen: tuple[int, int]) -> None:
        self.close()
        uri = f"{Path(self._file).absolute().as_uri()}?mode=ro"
        self._connection = sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False)
        self._seen, self._version = seen, -1

    def _one(self, statement: str) -> int:
        assert self._connection is not None
        row: Any = self._connection.execute(statement).fetchone()
        return int(row[0])


def _read(connection: Connection) -> int:
    return int(connection.execute(select(CHANGED.c.token).where(CHANGED.c.series_id == ANY)).scalar_one())
