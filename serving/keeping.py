"""`Keeper`: the store as a service holds it: opened when first asked, tried again ever less often while it is down.

A service whose store is down goes on answering what needs none.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import pandas as pd
from sqlalchemy import make_url

from forecast import clock
from forecast.addresses import shown
from forecast.errors import StoreDown, StoreError
from forecast.settings import Settings
from forecast.store import Store
from serving.stamps import written

Answer = TypeVar("Answer")

PATIENCE_S = 5.0
"""How long a caller waits for the store, unless told otherwise."""
READERS = 4
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
log = logging.getLogger("serving")


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
        self._why: StoreError | None = None
        self._retry_at = 0.0
        self._retry_moment: pd.Timestamp | None = None
        self._wait_s = FIRST_WAIT_S

    async def ask(self, work: Callable[..., Answer], *args: Any, within: float = PATIENCE_S) -> Answer:
        """What `work(store, *args)` returns, from a thread.

        Raises:
            StoreDown: the store does not answer, not in time, or is left alone for a while after it failed.
            StoreError, DataError: as the work.
        """
        self.refuse_while_down()
        try:
            with anyio.fail_after(within):
                return await anyio.to_thread.run_sync(
                    self.do, work, *args, limiter=self._limiter, abandon_on_cancel=True
                )
        except TimeoutError:
            raise self.failed(self.slow(within)) from None

    def do(self, work: Callable[..., Answer], *args: Any) -> Answer:
        """The same in this thread."""
        try:
            answer = work(self.store(), *args)
        except StoreDown as error:
            self.failed(error)
            raise
        self._why, self._wait_s = None, FIRST_WAIT_S
        return answer

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
        if self._why is not None and time.monotonic() < self._retry_at:
            raise StoreDown(self._why.found, self._why.expected, self._why.do)

    def failed(self, error: StoreDown) -> StoreDown:
        """Notes that the store is down; nobody asks it for a while."""
        if self._why is None:
            log.error("the store is down: %s", error)
        self._why = error
        self._retry_at = time.monotonic() + self._wait_s
        self._retry_moment = clock.now() + pd.Timedelta(seconds=self._wait_s)
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
        with self._lock:
            self._close()
        return error

    def slow(self, within: float) -> StoreDown:
        """That it did not answer in time."""
        return StoreDown(f"the store {self.place} did not answer within {within:g} s", "an answer in time", "try again")

    @property
    def place(self) -> str:
        """The address of the store without secrets."""
        return shown(self._settings.store)

    def status(self) -> dict[str, Any]:
        """Whether it answers, and when it is tried again where it does not."""
        down = self._why is not None
        retry = written(self._retry_moment) if down and self._retry_moment is not None else None
        return {
            "ok": not down, "open": self._store is not None, "place": self.place,
            "why": str(self._why) if self._why is not None else None, "retry_at": retry,
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
