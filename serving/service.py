"""`Service`: the parts of a running service, made once and handed to every endpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from forecast.settings import Settings
from serving.access import Access
from serving.desk import Desk
from serving.engine import Engine
from serving.follower import Follower
from serving.ladder import Ladder
from serving.loader import Champion, Served
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
        follower: keeps the champion at what the registry says.
        shadow: asks the challenger, too.
        telemetry: what is counted and timed.
        access: whose keys are let in.
    """

    settings: Settings
    champion: Champion
    desk: Desk = field(default_factory=Desk)

    def __post_init__(self) -> None:
        self.telemetry = Telemetry(Spans.of_environment())
        self.access = Access(self.settings.key_file, self.settings.rate_per_minute)
        self.engine = Engine(self.telemetry)
        self.ladder = Ladder(self.champion, self.engine)
        self.follower = Follower(self.settings, self.champion, self.telemetry)
        self.shadow = Shadow(self.champion, self._idle, self.telemetry)

    def _idle(self) -> bool:
        """Whether no caller waits for computing."""
        return self.engine.idle() and self.desk.idle()

    @classmethod
    def of(cls, settings: Settings, served: Served | None) -> Self:
        """The parts for a model that was handed over, or for the one that the settings name."""
        return cls(settings, Champion(served))
