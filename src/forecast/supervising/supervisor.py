"""`Supervisor`: starts parts in order, starts again what dies or falls silent, stops all in reverse order."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from forecast.errors import SupervisingError
from forecast.supervising.part import Part, Running


@dataclass(frozen=True)
class Patience:
    """How long things may take, in seconds.

    Attributes:
        start: until a part that was started is well.
        between: two questions about health.
        silence: a part that was well and does not answer for so long is started again.
        first, longest: pause before a part that died is started again; it doubles from death to death.
        settled: a part that was well for so long begins again with the first pause.
        look: between two looks at the processes.
    """

    start: float = 180
    between: float = 5
    silence: float = 90
    first: float = 1
    longest: float = 60
    settled: float = 120
    look: float = 0.2


@dataclass
class _Kept:
    """One part, as it is going."""

    part: Part
    running: Running | None = None
    preparing: Running | None = None
    well: bool = False
    asked_at: float = 0
    well_at: float = 0
    start_at: float = 0
    deaths: int = 0


class Supervisor:
    """Keeps parts alive until it is told to stop.

    Args:
        stages: parts that start together; the next ones start when all of these are well.
        tell: hears one line about each event.
        patience: how long things may take.
    """

    def __init__(
        self, stages: Sequence[Sequence[Part]], tell: Callable[[str], None], patience: Patience | None = None
    ) -> None:
        self._stages = [[_Kept(part) for part in stage] for stage in stages]
        self._tell, self._patience = tell, patience or Patience()
        self._signals = 0

    def run(self, ready: Callable[[], None]) -> None:
        """Starts all parts, calls `ready` once all are well, and keeps them until SIGINT or SIGTERM.

        Raises:
            SupervisingError: a part does not become well at the first start; what runs is stopped before.
        """
        with self._listening():
            try:
                for stage in self._stages:
                    self._begin(stage)
                if not self._signals:
                    ready()
                while not self._signals:
                    self._look(self._all)
                    time.sleep(self._patience.look)
            finally:
                self._stop()

    @property
    def _all(self) -> list[_Kept]:
        return [one for stage in self._stages for one in stage]

    def _begin(self, stage: list[_Kept]) -> None:
        """Starts a stage and waits until all of it is well; looks after the earlier ones meanwhile."""
        limit = time.monotonic() + self._patience.start
        started = self._stages[: self._stages.index(stage) + 1]
        while not self._signals and not all(one.well for one in stage):
            self._look([one for each in started for one in each])
            for one in stage:
                if one.deaths > 2 or time.monotonic() > limit:
                    raise SupervisingError(
                        f"{one.part.name} does not start", f"an answer at {one.part.health}",
                        f"read the end of {one.part.log}",
                    )  # fmt: skip
            time.sleep(self._patience.look)

    def _look(self, kept: list[_Kept]) -> None:
        for one in kept:
            if one.preparing is not None:
                self._prepared(one)
            elif one.running is None:
                self._start(one)
            elif one.running.over:
                self._died(one, f"ended with {self._status(one.running.end(0))}")
            else:
                self._ask(one, one.running)

    def _start(self, one: _Kept) -> None:
        if time.monotonic() < one.start_at:
            return
        one.preparing = one.part.prepared()
        if one.preparing is None:
            one.running = one.part.start()

    def _prepared(self, one: _Kept) -> None:
        assert one.preparing is not None
        late = time.monotonic() > one.preparing.since + self._patience.start
        if not one.preparing.over and not late:
            return
        status = one.preparing.end(0)
        one.preparing = None
        if status == 0:
            one.running = one.part.start()
        else:
            self._died(one, "could not be prepared")

    def _ask(self, one: _Kept, running: Running) -> None:
        now = time.monotonic()
        pause = self._patience.between if one.well else min(self._patience.between, 0.5)
        if now < one.asked_at + pause:
            return
        well = running.well
        one.asked_at = time.monotonic()
        if well:
            if not one.well and one.deaths:
                self._tell(f"{one.part.name} is well again")
            if one.deaths and now > running.since + self._patience.settled:
                one.deaths = 0
            one.well, one.well_at = True, one.asked_at
            return
        silent_since = max(one.well_at, running.since)
        limit = self._patience.silence if one.well_at > running.since else self._patience.start
        if now > silent_since + limit:
            running.ask_to_stop()
            running.end(one.part.stops_within_s)
            self._died(one, f"did not answer for {limit:.0f} s and was stopped")

    def _died(self, one: _Kept, how: str) -> None:
        pause = min(self._patience.longest, self._patience.first * 2**one.deaths)
        one.deaths += 1
        one.running, one.well, one.start_at = None, False, time.monotonic() + pause
        self._tell(f"{one.part.name} {how}; it is started again in {pause:g} s ({one.part.log})")

    @staticmethod
    def _status(status: int) -> str:
        return signal.Signals(-status).name if status < 0 else f"status {status}"

    def _stop(self) -> None:
        """In reverse order, each after the one that needs it; a second signal ends the waiting."""
        asked = self._signals
        for one in reversed(self._all):
            if one.preparing is not None:
                one.preparing.end(0)
            if one.running is None:
                continue
            one.running.ask_to_stop()
            self._wait(one.running, asked)
            self._tell(f"{one.part.name} stopped")
            one.running = one.preparing = None

    def _wait(self, running: Running, asked: int) -> None:
        limit = time.monotonic() + running.part.stops_within_s
        while not running.over and time.monotonic() < limit and self._signals == asked:
            time.sleep(0.05)
        running.end(0)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        before = {one: signal.signal(one, self._hear) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def _hear(self, _signal: int, _frame: object) -> None:
        self._signals += 1
