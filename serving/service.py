"""`Service`: the parts of a running service, made once and handed to every endpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from forecast.settings import Settings
from serving.access import Access
from serving.desk import Desk
from serving.engine import Engine
from serving.extras import Extras
from serving.follower import Follower
from serving.judging import Judge
from serving.keeping import Keeper
from serving.ladder import Ladder
from serving.ledger import Ledger
from serving.loader import Champion, Served
from serving.memory import Memory
from serving.shadow import Shadow
from serving.spans import Spans
from serving.telemetry import Telemetry


@dataclass
class Service:
    """What endpoints work with.

    Attributes:
        settings: of this process.
        champion: which versions are served.
        desk: where slow work is done.
        engine: lets a model answer.
        ladder: who answers.
        extras: what is wanted beside the forecasts.
        follower: keeps the champion at what the registry says.
        shadow: asks the challenger, too.
        keeper: holds the store.
        memory: makes questions of what the store knows.
        ledger: writes answers down.
        telemetry: what is counted and timed.
        judge: how yesterday's forecasts turned out.
        access: whose keys are let in.
    """

    settings: Settings
    champion: Champion
    desk: Desk = field(default_factory=Desk)

    def __post_init__(self) -> None:
        self.telemetry = Telemetry(Spans.of_environment())
        self.access = Access(self.settings.key_file, self.settings.rate_per_minute)
        settings = self.settings
        self.keeper = Keeper(settings)
        self.memory = Memory(self.keeper, settings)
        self.judge = Judge(self.keeper, self.telemetry)
        self.ledger = Ledger(
            self.keeper, on=settings.ledger, wait_ms=settings.ledger_wait_ms, flush=settings.ledger_flush,
            deadline_s=settings.deadline_s, telemetry=self.telemetry,
        )  # fmt: skip
        self.engine = Engine(self.telemetry)
        self.ladder = Ladder(self.champion, self.engine, self.telemetry, self.settings.deadline_s)
        self.extras = Extras(self.ladder, self.engine)
        self.follower = Follower(self.settings, self.champion, self.telemetry)
        self.shadow = Shadow(self.champion, self._idle, self.telemetry)
        self.shadow.keep = self.ledger.remember

    def _idle(self) -> bool:
        """Whether no caller waits for computing."""
        return self.engine.idle() and self.desk.idle()

    @classmethod
    def of(cls, settings: Settings, served: Served | None) -> Self:
        """The parts for a model that was handed over, or for the one that the settings name."""
        return cls(settings, Champion(served))
