"""`Desk`: where the computing is done, beside the event loop, a few requests at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.exceptions import HTTPException

Work = TypeVar("Work")

AT_ONCE = 1
MOST_WAITING = 64


class Desk:
    """Runs work in a thread while the service goes on answering; callers queue, and too many are sent away.

    Args:
        at_once: works running side by side; a forecast uses its threads best alone.
        most_waiting: callers that may queue.
    """

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._limiter = anyio.CapacityLimiter(at_once)
        self._most_waiting = most_waiting

    def idle(self) -> bool:
        """Whether no work is done or waited for."""
        told = self._limiter.statistics()
        return not told.borrowed_tokens and not told.tasks_waiting

    async def do(self, work: Callable[..., Work], *args: object) -> Work:
        """What the work returns or raises.

        Raises:
            HTTPException: 503, as many are waiting as may.
        """
        if self._limiter.statistics().tasks_waiting >= self._most_waiting:
            raise HTTPException(503, f"{self._most_waiting} requests are waiting already", {"Retry-After": "1"})
        return await anyio.to_thread.run_sync(work, *args, limiter=self._limiter)
