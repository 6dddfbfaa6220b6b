"""`Ledger`: every answer is written down before it is sent; answers that wait at the same time share one commit.

While one commit runs, the answers that come are collected; the next commit holds all of them. A caller waits for two
commits at the most, however many ask.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from forecast import clock
from forecast.calendars import inside, is_day_clock, moment_inside
from forecast.errors import ForecastError, StoreDown, StoreError
from forecast.store import Packed, Said, Store
from serving.keeping import Keeper
from serving.questions import Question
from serving.stamps import SECOND
from serving.telemetry import Telemetry
from serving.told import Answered, Stamps

MOST_AT_ONCE = 256
"""Forecasts in one commit; more wait for the next."""
ROUNDS = 3
"""A request is read in one round of the event loop, begun in the next, and may be answered in it."""
TURNS = 8
"""So often a commit lets such requests go first."""
MOST_FORGOTTEN = 1000
"""Fire-and-forget answers that may wait; more are dropped."""
log = logging.getLogger("serving")


@dataclass(frozen=True)
class Recorded:
    """What became of an answer.

    Attributes:
        id: under which it is found again; None where it was not to be kept.
        recorded: whether it is in the ledger for certain.
        issued_at: when it was given out (UTC, whole seconds).
        warnings: why it is not certain.
    """

    id: str | None
    recorded: bool
    issued_at: pd.Timestamp
    warnings: tuple[str, ...] = ()


@dataclass(eq=False, slots=True)
class _Waiting:
    """A packed forecast, and who waits for it."""

    packed: Packed
    done: asyncio.Future[ForecastError | None] | None
    left: bool = field(default=False)


class Ledger:
    """Writes answers into the store.

    Args:
        keeper: of the store.
        on: whether anything is written.
        wait_ms: how long a commit waits for company; 0: it takes what came while the last one ran.
        deadline_s: how long an answer waits for its commit.
        telemetry: is told of every commit.
        flush: whether a commit waits for the disk.
    """

    def __init__(
        self, keeper: Keeper, *, on: bool, wait_ms: float, deadline_s: float, telemetry: Telemetry, flush: bool = True
    ) -> None:
        self._keeper, self._on, self._wait_s, self._deadline_s = keeper, on, wait_ms / 1000, deadline_s
        self._write = partial(Store.record_packed, flush=flush)
        self._telemetry = telemetry
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None
        self._writing_since: float | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self.counts = {"recorded": 0, "commits": 0, "failed": 0, "dropped": 0}

    async def record(
        self, answered: Answered, question: Question, *, gate: str | None = None, within: float | None = None
    ) -> Recorded:
        """Writes an answer down; returns when it is committed, or cannot be in time. Never raises.

        Args:
            answered: what is said.
            question: what was asked.
            gate: of its delivery day, where one was given.
            within: seconds; the deadline of the settings where None.
        """
        issued_at, patience = _second(clock.now()), self._deadline_s if within is None else within
        if not self._on:
            return Recorded(None, False, issued_at)
        id = _id(issued_at)
        try:
            packed = pack(answered, question, id=id, issued_at=issued_at, gate=gate)
            self._keeper.refuse_while_unwritable()
            if self._stuck(patience):
                raise self._keeper.slow(patience)
            why: ForecastError | None = await self._written(packed, patience)
        except ForecastError as error:
            why = error
        except Exception as error:
            log.exception("an answer cannot be written down")
            why = StoreError(f"the ledger failed ({type(error).__name__})")
        if why is None:
            return Recorded(id, True, issued_at)
        self.counts["failed"] += 1
        return Recorded(id, False, issued_at, (f"this answer is not in the ledger: {why}",))

    def unrecorded(self) -> Recorded:
        """What is said of an answer that is not to be kept."""
        return Recorded(None, False, _second(clock.now()))

    def remember(self, answered: Answered, question: Question, *, gate: str | None = None, rung: str) -> None:
        """Writes an answer down some time soon, under a rung of its own; nobody waits, nothing is raised."""
        if not self._on or len(self._waiting) >= MOST_FORGOTTEN:
            self.counts["dropped"] += 1
            return
        issued_at = _second(clock.now())
        try:
            packed = pack(answered, question, id=_id(issued_at), issued_at=issued_at, gate=gate, rung=rung)
            self._put(_Waiting(packed, None))
        except Exception:
            self.counts["dropped"] += 1
            log.exception("an answer cannot be written down")

    def status(self) -> dict[str, Any]:
        """Forecasts written and not, and commits."""
        return {"on": self._on, **self.counts, "waiting": len(self._waiting)}

    async def _written(self, packed: Packed, patience: float) -> ForecastError | None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[ForecastError | None] = loop.create_future()
        one = _Waiting(packed, done)
        self._put(one)
        timer = loop.call_later(patience, self._leave, one, patience)
        try:
            return await done
        finally:
            timer.cancel()

    def _leave(self, one: _Waiting, patience: float) -> None:
        """Its caller waits no longer: what no commit has taken yet is not written behind the caller's back."""
        one.left = True
        self._tell(one, self._keeper.slow(patience))

    def _put(self, one: _Waiting) -> None:
        self._waiting.append(one)
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._task = loop.create_task(self._work())

    def _stuck(self, patience: float) -> bool:
        """Whether a commit takes so long already that nobody else should wait for it."""
        return self._writing_since is not None and time.monotonic() - self._writing_since > patience

    async def _work(self) -> None:
        """Commits until nothing waits any more."""
        while self._waiting:
            await self._company()
            batch = [one for one in self._waiting[:MOST_AT_ONCE] if not one.left]
            del self._waiting[:MOST_AT_ONCE]
            why = await self._commit([one.packed for one in batch]) if batch else None
            if why is not None and len(batch) > 1 and not isinstance(why, StoreDown):
                # One that the store refuses does not take the others with it.
                for one in batch:
                    self._tell(one, await self._commit([one.packed]))
                continue
            for one in batch:
                self._tell(one, why)

    async def _company(self) -> None:
        """Waits as long as the settings say, and while others who have arrived by now put their answers in line."""
        if self._wait_s:
            await asyncio.sleep(self._wait_s)
        for _ in range(TURNS):
            before = len(self._waiting)
            for _ in range(ROUNDS):
                await asyncio.sleep(0)
            if len(self._waiting) == before or before >= MOST_AT_ONCE:
                return

    def _tell(self, one: _Waiting, why: ForecastError | None) -> None:
        if one.done is not None and not one.done.done():
            one.done.set_result(why)
        elif one.done is None and why is not None:
            self.counts["dropped"] += 1

    async def _commit(self, several: Sequence[Packed]) -> ForecastError | None:
        """Writes in one transaction; why it did not."""
        self._writing_since = begun = time.monotonic()
        try:
            self._keeper.refuse_while_unwritable()
            write = partial(copy_context().run, self._keeper.write, self._write, several)
            await asyncio.get_running_loop().run_in_executor(self._thread, write)
        except StoreError as error:
            self._telemetry.ledger_failed()
            return error
        except Exception as error:
            log.exception("answers cannot be written down")
            self._telemetry.ledger_failed()
            return StoreError(f"the ledger failed ({type(error).__name__})")
        finally:
            self._writing_since = None
        self._telemetry.ledger(time.monotonic() - begun, sum(len(one.said) for one in several))
        self.counts["recorded"] += len(several)
        self.counts["commits"] += 1
        return None


def pack(
    answered: Answered, question: Question, *, id: str, issued_at: pd.Timestamp, gate: str | None = None,
    rung: str | None = None,
) -> Packed:  # fmt: skip
    """An answer as the ledger's rows hold it.

    Raises:
        DataError: the periods of a series do not follow each other in one step.
    """
    zones, step = question.demand.zones, int(question.demand.step.value // 10**9)
    served = answered.served
    said = tuple(
        Said.of(
            one.unique_id, zones[one.unique_id], _seconds(one.ds_H, zones[one.unique_id]), one.mean_H,
            one.quantiles_HQ, step_seconds=step, rung=rung or one.rung, reason=one.reason,
        )
        for one in answered.told
    )  # fmt: skip
    cutoff = moment_inside(answered.cutoff, next(iter(zones.values())))
    return Packed(
        id, said, int(cutoff.value // 10**9), int(issued_at.value // 10**9), answered.unit, tuple(answered.levels),
        served.ref.name if served is not None else said[0].rung, served.ref.version if served is not None else None,
        question.day, gate, tuple(answered.warnings),
    )  # fmt: skip


def _seconds(ds_H: Stamps, zone: str) -> Any:
    """Starts of periods in seconds; civil days on the clock on which they follow each other evenly."""
    if is_day_clock(zone):
        ds_H = inside(pd.DatetimeIndex(ds_H, tz="UTC"), zone).to_numpy(dtype="datetime64[ns]")
    return np.asarray(ds_H).astype("datetime64[s]").astype(np.int64)


def _id(moment: pd.Timestamp) -> str:
    """Random, and later ones sort behind earlier ones, which keeps an index small."""
    return f"{int(moment.value // 10**9):09x}{secrets.token_hex(10)}"


def _second(moment: pd.Timestamp) -> pd.Timestamp:
    return pd.Timestamp(moment.value // SECOND * SECOND, tz="UTC")
