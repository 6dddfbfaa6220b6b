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
