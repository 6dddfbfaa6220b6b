"""Who waits for whom before a model is asked."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from serving import engine as room
from serving.engine import Engine
from serving.telemetry import Telemetry


class Question:
    """Something that is asked about a table of its own."""

    def __init__(self, fleeting: bool) -> None:
        self.demand, self.key, self.fleeting = Table(), (), fleeting


class Table:
    """Something that can be remembered by."""


class Version:
    """Something that is asked."""

    number, forecaster = 1, None


@pytest.mark.parametrize("fleeting", [True, False])
@pytest.mark.parametrize(("one_core", "passes"), [(True, [4, 8]), (False, [4, 4, 4])])
def test_on_one_core_callers_who_take_turns_become_one_group(
    monkeypatch: pytest.MonkeyPatch, one_core: bool, passes: list[int], fleeting: bool
) -> None:
    sizes: list[int] = []
    go_on = threading.Semaphore(0)

    def answered(_forecaster: Any, questions: list[Any]) -> list[Any]:
        sizes.append(len(questions))
        go_on.acquire()
        return [((), ()) for _ in questions]

    monkeypatch.setattr(room, "answered", answered)
    monkeypatch.setattr(room, "ONE_CORE", one_core)
    monkeypatch.setattr(room, "HOLD_S", 60.0)
    served: Any = Version()

    async def story() -> None:
        engine = Engine(Telemetry())

        def some() -> list[asyncio.Future[Any]]:
            return [engine.put(served, Question(fleeting)) for _ in range(4)]  # type: ignore[arg-type]

        first = some()
        while not sizes:
            await asyncio.sleep(0.001)
        second = some()
        go_on.release()
        await asyncio.wait_for(asyncio.gather(*first), 30)
        third = some()
        for _ in range(2):
            go_on.release()
        await asyncio.wait_for(asyncio.gather(*second, *third), 30)

    asyncio.run(story())
    assert sizes == passes


def test_the_first_waits_so_long_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "HOLD_S", 4.0)
    monkeypatch.setattr(room, "AGAIN_S", 2.0)
    monkeypatch.setattr(room, "LONGER", 2)
    served: Any = Version()

    async def story() -> list[float]:
        loop, engine, now = asyncio.get_running_loop(), Engine(Telemetry()), 100.0
        queue = engine._queues.setdefault(served, room._Queue(usual=9))
        until = []
        with monkeypatch.context() as patched:
            for now in (100.0, 101.0, 103.5, 105.0, 105.2):
                patched.setattr(loop, "time", lambda now=now: now)
                engine.put(served, Question(fleeting=True))  # type: ignore[arg-type]
                assert queue.held is not None
                until.append(queue.held.when())
        queue.held.cancel()
        return until

    # The second changes nothing, the third holds on for two seconds more; then that was often enough.
    assert asyncio.run(story()) == [104.0, 104.0, 105.5, 105.5, 105.5]
