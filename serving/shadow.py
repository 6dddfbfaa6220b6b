"""`Shadow`: what the champion answered is asked of the challenger, too, when nobody waits; its answer is kept."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import anyio
import anyio.to_thread

from forecast.errors import ForecastError
from serving.engine import answered
from serving.loader import CHALLENGER, Champion
from serving.questions import Question
from serving.served import Served
from serving.telemetry import Telemetry
from serving.told import Answered

log = logging.getLogger("serving")

MOST_WAITING = 32
IDLE_PAUSE_S, PATIENCE_S = 0.02, 30.0


@dataclass(frozen=True, eq=False)
class Asked:
    """A question that the champion answered.

    Attributes:
        question: as it was put.
        gate: of its delivery day, where one was given.
    """

    question: Question
    gate: str | None


class Keep(Protocol):
    """Whoever writes answers down."""

    def __call__(self, answered: Answered, question: Question, *, gate: str | None, rung: str) -> object:
        """Takes one at once, and never raises."""
        ...


class Shadow:
    """Puts questions to the challenger behind the callers' backs.

    Args:
        champion: knows the challenger.
        idle: whether no caller waits for computing.
        telemetry: is told how each of them went.

    Attributes:
        keep: takes each answer; nothing is asked of the challenger as long as nobody does.
    """

    def __init__(self, champion: Champion, idle: Callable[[], bool], telemetry: Telemetry) -> None:
        self._champion, self._idle, self._telemetry = champion, idle, telemetry
        self.keep: Keep | None = None
        self._waiting: deque[Asked] = deque()
        self._woken: anyio.Event | None = None
        self._limiter: anyio.CapacityLimiter | None = None
        self.counts = {"scored": 0, "dropped": 0, "failed": 0}
        self._last_failure: str | None = None

    def offer(self, question: Question, gate: str | None = None) -> None:
        """Takes a question that was answered; called in the event loop, costs microseconds, never raises."""
        if self._champion.challenger() is None or self._woken is None or self.keep is None:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._count("dropped")
            return
        self._waiting.append(Asked(question, gate))
        self._woken.set()

    def status(self) -> dict[str, Any]:
        """How many were put to the challenger, and how that went."""
        return {**self.counts, "waiting": len(self._waiting), "last_failure": self._last_failure}

    async def run(self) -> None:
        """Works off what was offered, one at a time, until it is cancelled."""
        self._woken, self._limiter = anyio.Event(), anyio.CapacityLimiter(1)
        while True:
            if not self._waiting:
                await self._woken.wait()
                self._woken = anyio.Event()
                continue
            asked = self._waiting.popleft()
            served = self._champion.challenger()
            if served is None or not await self._quiet():
                self._count("dropped")
                continue
            await self._score(served, asked)

    async def _quiet(self) -> bool:
        """Whether callers left room within a while."""
        for _ in range(round(PATIENCE_S / IDLE_PAUSE_S)):
            if self._idle():
                return True
            await anyio.sleep(IDLE_PAUSE_S)
        return False

    async def _score(self, served: Served, asked: Asked) -> None:
        try:
            said = await anyio.to_thread.run_sync(_answer, served, asked.question, limiter=self._limiter)
            if self.keep is not None:
                self.keep(said, asked.question, gate=asked.gate, rung=CHALLENGER)
        except ForecastError as error:
            # It may read other columns than the champion, whose question this is.
            self._fail(str(error))
        except Exception as error:
            log.exception("the challenger breaks")
            self._fail(f"it breaks ({type(error).__name__})")
        else:
            self._count("scored")

    def _fail(self, why: str) -> None:
        if self._last_failure != why:
            log.warning("the challenger does not answer: %s", why)
        self._last_failure = why
        self._count("failed")

    def _count(self, outcome: str) -> None:
        self.counts[outcome] += 1
        self._telemetry.shadow(outcome)


def _answer(served: Served, question: Question) -> Answered:
    (said,) = answered(served.forecaster, [question])
    if isinstance(said, Exception):
        raise said
    told, warnings = said
    return Answered(
        tuple(replace(one, rung=CHALLENGER) for one in told), question.levels(served.forecaster.spec),
        question.lived_cutoff, question.demand.unit, served, warnings,
    )  # fmt: skip
