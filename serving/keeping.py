"""`Keeper`: the store as a service holds it: opened when first asked, tried again ever less often while it is down.

A service whose store is down goes on answering what needs none. A store that can be read and not written (its disk is
full, another process holds it) is down for writers only.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import pandas as pd
from sqlalchemy import make_url, select

from forecast import clock
from forecast.addresses import shown
from forecast.errors import ForecastError, StoreDown, StoreError
from forecast.settings import Settings
from forecast.store import Store
from forecast.store.schema import ANY, CHANGED
from serving.stamps import written

Answer = TypeVar("Answer")

PATIENCE_S = 5.0
"""How long a caller waits for the store, unless told otherwise."""
READERS = 4
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
log = logging.getLogger("serving")


class _Trouble:
    """What went wrong last, and when it is tried again; ever later while it lasts."""

    def __init__(self) -> None:
        self.why: StoreDown | None = None
        self.retry_moment: pd.Timestamp | None = None
        self._retry_at, self._wait_s = 0.0, FIRST_WAIT_S

    def note(self, error: StoreDown) -> None:
        """It failed."""
        self.why = error
        self._retry_at = time.monotonic() + self._wait_s
        self.retry_moment = clock.now() + pd.Timedelta(seconds=self._wait_s)
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)

    def over(self) -> None:
        """It works again."""
        self.why, self.retry_moment, self._wait_s = None, None, FIRST_WAIT_S

    def refuse(self) -> None:
        """Raises what went wrong last, until it is time to try again."""
        if self.why is not None and time.monotonic() < self._retry_at:
            raise StoreDown(self.why.found, self.why.expected, self.why.do)


class Keeper:
    """Opens the store and asks it in threads.

    Args:
        settings: of the process; they name the store.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: Store | None = None
        self._file: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self._limiter = anyio.CapacityLimiter(READERS)
        self._trouble, self._unwritable = _Trouble(), _Trouble()

    async def ask(self, work: Callable[..., Answer], *args: Any, within: float = PATIENCE_S) -> Answer:
        """What `work(store, *args)` reads, from a thread.

        Raises:
            StoreDown: the store does not answer, not in time, or is left alone for a while after it failed.
            StoreError, DataError: as the work.
        """
        self.refuse_while_down()
        return await self._in_time(self.do, work, *args, within=within, trouble=self.failed)

    async def put(self, work: Callable[..., Answer], *args: Any, within: float = PATIENCE_S) -> Answer:
        """What `work(store, *args)` returns, which writes; raises as `ask`."""
        self.refuse_while_unwritable()
        return await self._in_time(self.write, work, *args, within=within, trouble=self._cannot_write)

    async def _in_time(
        self, done: Callable[..., Answer], *args: Any, within: float, trouble: Callable[[StoreDown], StoreDown]
    ) -> Answer:
        try:
            with anyio.fail_after(within):
                return await anyio.to_thread.run_sync(done, *args, limiter=self._limiter, abandon_on_cancel=True)
        except TimeoutError:
            raise trouble(self.slow(within)) from None

    def do(self, work: Callable[..., Answer], *args: Any) -> Answer:
        """What `work(store, *args)` reads, in this thread."""
        try:
            answer = work(self.store(), *args)
        except StoreDown as error:
            self.failed(error)
            raise
        self._trouble.over()
        return answer

    def write(self, work: Callable[..., Answer], *args: Any) -> Answer:
        """What `work(store, *args)` returns, which writes, in this thread."""
        try:
            answer = work(self.store(), *args)
        except StoreDown as error:
            # Where it can be read, the disk is full or another process writes: readers have no part in it.
            if self._store is not None and self._readable(self._store):
                self._cannot_write(error)
            else:
                self.failed(error)
            raise
        self._trouble.over()
        self._unwritable.over()
        return answer

    def _readable(self, store: Store) -> bool:
        try:
            with store.snapshot() as connection:
                connection.execute(select(CHANGED.c.token).where(CHANGED.c.series_id == ANY)).scalar_one()
        except ForecastError:
            return False
        return True

    def store(self) -> Store:
        """The open store, made where there is none; opened anew where its file was replaced."""
        with self._lock:
            if self._store is not None and self._file is not None and _identity(self._store) != self._file:
                self._close()
            if self._store is None:
                try:
                    self._store = Store.open(_hasty(self._settings.store), self._settings.model_copy(update={
                        "store_patience_s": min(self._settings.store_patience_s, PATIENCE_S)
                    }))  # fmt: skip
                except StoreError as error:
                    down = StoreDown(error.found, error.expected, error.do)
                    raise (error if isinstance(error, StoreDown) else down) from None
                self._file = _identity(self._store)
            return self._store

    def refuse_while_down(self) -> None:
        """Raises what went wrong last, until it is time to try again."""
        self._trouble.refuse()

    def refuse_while_unwritable(self) -> None:
        """The same for who writes."""
        self._trouble.refuse()
        self._unwritable.refuse()

    def failed(self, error: StoreDown) -> StoreDown:
        """Notes that the store is down; nobody asks it for a while."""
        if self._trouble.why is None:
            log.error("the store is down: %s", error)
        self._trouble.note(error)
        with self._lock:
            self._close()
        return error

    def _cannot_write(self, error: StoreDown) -> StoreDown:
        """Notes that the store takes nothing; reading goes on."""
        if self._unwritable.why is None:
            log.error("the store cannot be written, and is read on: %s", error)
        self._unwritable.note(error)
        return error

    def slow(self, within: float) -> StoreDown:
        """That it did not answer in time."""
        return StoreDown(f"the store {self.place} did not answer within {within:g} s", "an answer in time", "try again")

    @cached_property
    def place(self) -> str:
        """The address of the store without secrets."""
        return shown(self._settings.store)

    def status(self) -> dict[str, Any]:
        """Whether it answers and takes anything, and when it is tried again where not."""
        trouble = self._trouble if self._trouble.why is not None else self._unwritable
        why, retry = trouble.why, trouble.retry_moment
        return {
            "ok": self._trouble.why is None, "writable": why is None, "open": self._store is not None,
            "place": self.place, "why": str(why) if why is not None else None,
            "retry_at": written(retry) if retry is not None else None,
        }  # fmt: skip

    def close(self) -> None:
        """Gives the connections back."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store, self._file = None, None


def _hasty(url: str) -> str:
    """The address, of a server with a limit on how long it may take to connect."""
    try:
        parsed = make_url(url)
    except Exception:
        return url
    if parsed.get_backend_name() != "postgresql" or "connect_timeout" in parsed.query:
        return url
    hasty = parsed.update_query_dict({"connect_timeout": str(round(PATIENCE_S))})
    return hasty.render_as_string(hide_password=False)


def _identity(store: Store) -> tuple[int, int] | None:
    """Which file a store is; None for a server."""
    if store.engine.dialect.name != "sqlite":
        return None
    try:
        found = os.stat(str(store.engine.url.database))
    except OSError:
        return (0, 0)
    return found.st_dev, found.st_ino
