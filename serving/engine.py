"""`Engine`: from questions to forecasts; those that are asked at the same time go through a model together."""

from __future__ import annotations

import asyncio
import os
import time
import weakref
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from starlette.exceptions import HTTPException

from forecast.calendars import is_day_clock, outside
from forecast.errors import ForecastError
from forecast.forecaster import Forecaster, ForecasterSpec, Replies, Reply
from serving.loader import Served
from serving.questions import Question
from serving.recall import Recall
from serving.telemetry import Telemetry
from serving.told import Told

Said = tuple[tuple[Told, ...], tuple[str, ...]]

MOST_WAITING = 512
"""Questions that may wait for one version."""
MOST_TOGETHER = 64
"""Questions of one pass: more gain nothing, and the first would wait for the last."""
ONE_CORE = hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) == 1
"""Whether one core does everything: then nothing is gained by reading some questions while others are answered."""
HOLD_S = 0.004 if ONE_CORE else 0.002
"""Where several came together last time, a pass waits for as many again, so long after the first of them.

On one core those who wait for their commit come back a little later, and two passes cost more than the waiting.
"""
LONGER, AGAIN_S = 5 if ONE_CORE else 0, 0.002
"""After another came a pass waits at least so long, so often: the first `HOLD_S + LONGER * AGAIN_S` at the most."""
THREADS = 4
"""Versions that can be working at the same time; one that hangs stops no other."""


@dataclass(eq=False)
class _Queue:
    """What waits for one version, whether it works, how many go together, and what holds the next pass, how long."""

    waiting: deque[tuple[Question, asyncio.Future[Said]]] = field(default_factory=deque)
    working: bool = False
    usual: int = 1
    held: asyncio.TimerHandle | None = None
    longer: int = 0


class Engine:
    """Lets served models answer, each in a thread of its own; what comes while one works waits and goes together.

    Args:
        telemetry: told of every pass.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._recall = Recall[Said]()
        self._queues: weakref.WeakKeyDictionary[Served, _Queue] = weakref.WeakKeyDictionary()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="engine")

    def idle(self) -> bool:
        """Whether no version is working."""
        return not any(queue.working for queue in self._queues.values())

    async def ask(self, served: Served, question: Question) -> Said:
        """What one version says, series by series in the order of the request; and its warnings.

        Raises:
            ForecastError: the model cannot answer this question.
            HTTPException: 503, too many are waiting.
        """
        known = self.known(served, question)
        return known if known is not None else await self.put(served, question)

    def known(self, served: Served, question: Question) -> Said | None:
        """What the version said when it was asked the same about the same table."""
        return None if question.fleeting else self._recall.get(question.demand, (served.number, *question.key))

    def put(self, served: Served, question: Question) -> asyncio.Future[Said]:
        """Puts a question in line; what is said comes later, or what `ask` raises.

        Raises:
            HTTPException: 503, too many are waiting.
        """
        queue = self._queues.setdefault(served, _Queue())
        if len(queue.waiting) >= MOST_WAITING:
            raise HTTPException(503, f"{MOST_WAITING} questions are waiting already", {"Retry-After": "1"})
        answer: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
        queue.waiting.append((question, answer))
        if not queue.working:
            if queue.held is not None and queue.longer < LONGER:
                queue.longer += 1
                self._hold(served, queue, max(queue.held.when(), asyncio.get_running_loop().time() + AGAIN_S))
            self._next(served, queue)
        return answer

    def _next(self, served: Served, queue: _Queue) -> None:
        """Starts a pass where as many wait as usual; else a moment later, whoever has come by then.

        One caller alone never waits: then one is usual. Of many who ask again as soon as they are answered, the first
        would go alone, and a pass of one costs nearly what a pass of eight does.
        """
        loop = asyncio.get_running_loop()
        if len(queue.waiting) >= queue.usual:
            if queue.held is not None:
                queue.held.cancel()
            queue.held, queue.working, queue.longer = None, True, 0
            # Not at once: whatever else has arrived by now is read first, and goes along.
            loop.call_soon(self._start, served, queue)
        elif queue.waiting and queue.held is None:
            self._hold(served, queue, loop.time() + HOLD_S)

    def _hold(self, served: Served, queue: _Queue, until: float) -> None:
        if queue.held is not None:
            queue.held.cancel()
        queue.held = asyncio.get_running_loop().call_at(until, self._release, served, queue)

    def _release(self, served: Served, queue: _Queue) -> None:
        queue.held, queue.working, queue.longer = None, True, 0
        self._start(served, queue)

    def _start(self, served: Served, queue: _Queue) -> None:
        """Puts what waits to the version, as many as go together; callers who left are forgotten."""
        together: list[tuple[Question, asyncio.Future[Said]]] = []
        while queue.waiting and len(together) < MOST_TOGETHER:
            question, answer = queue.waiting.popleft()
            if not answer.done():
                together.append((question, answer))
        if not together:
            queue.working = False
            return
        queue.usual = len(together)
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._threads, self._pass, served, [question for question, _ in together])
        work.add_done_callback(lambda done: self._deliver(served, queue, together, done))

    def _deliver(
        self, served: Served, queue: _Queue, together: Sequence[tuple[Question, asyncio.Future[Said]]],
        done: asyncio.Future[list[Said | Exception]],
    ) -> None:  # fmt: skip
        broken = done.exception()
        said = [broken] * len(together) if broken is not None else done.result()
        for (question, answer), one in zip(together, said, strict=True):
            if answer.done():
                continue
            if isinstance(one, BaseException):
                answer.set_exception(one)
            elif question.fleeting:
                answer.set_result(one)
            else:
                answer.set_result(self._recall.put(question.demand, (served.number, *question.key), one))
        queue.working = False
        if ONE_CORE:
            # Two groups that take turns would each be half as large for ever.
            queue.usual = len(together) + len(queue.waiting)
        self._next(served, queue)

    def _pass(self, served: Served, questions: Sequence[Question]) -> list[Said | Exception]:
        begun = time.perf_counter()
        said = answered(served.forecaster, questions)
        self._telemetry.inference(time.perf_counter() - begun, len(questions))
        return said


def answered(forecaster: Forecaster, questions: Sequence[Question]) -> list[Said | Exception]:
    """The answer to each question, in one pass; one by one where that fails, so that none spoils the others."""
    try:
        replies = forecaster.replies([one.wish for one in questions])
    except Exception as error:
        if len(questions) == 1:
            return [error]
        return [one for question in questions for one in answered(forecaster, [question])]
    return [_said(forecaster.spec, question, one) for question, one in zip(questions, replies, strict=True)]


def _said(spec: ForecasterSpec, question: Question, replies: Replies | ForecastError) -> Said | Exception:
    if isinstance(replies, ForecastError):
        return replies
    try:
        wanted, offered = question.levels(spec), spec.recipe.quantiles
    except ForecastError as error:
        return error
    places = (
        None if len(wanted) == len(offered) else [int(np.argmin(np.abs(np.array(offered) - one))) for one in wanted]
    )
    told = {one.unique_id: _told(one, places) for one in replies.told}
    return tuple(told[name] for name in question.order), replies.warnings


def _told(one: Reply, places: Sequence[int] | None) -> Told:
    ds_H = one.ds_H.view("datetime64[ns]")
    if is_day_clock(one.zone):
        ds_H = outside(pd.DatetimeIndex(ds_H, tz="UTC"), one.zone).asi8.view("datetime64[ns]")
    quantiles_HQ = one.quantiles_HQ if places is None else one.quantiles_HQ[:, places]
    return Told(one.unique_id, ds_H, one.mean_H, quantiles_HQ)
