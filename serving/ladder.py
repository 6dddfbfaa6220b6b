"""`Ladder`: who answers a question, from the champion down."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from starlette.exceptions import HTTPException

from forecast.errors import DataError, DeclarationError, ForecastError, RequestError
from forecast.fallback import DEADLINE, ERROR, IMPLAUSIBLE, NO_MODEL, NON_FINITE, PREVIOUS, Profile
from forecast.fallback import sound as sound_numbers
from forecast.forecaster import ForecasterSpec
from forecast.store.issued import CHAMPION
from forecast.tables.forecast import LEVELS, check_levels
from serving.bodies import ForecastRequest
from serving.engine import Engine
from serving.loader import Champion
from serving.lower import lower
from serving.patience import Patience
from serving.questions import Question
from serving.recall import Recall
from serving.served import Served
from serving.sight import Seen, Sight
from serving.telemetry import Telemetry
from serving.told import Answered, Told
from serving.unlearned import spec_of_request

log = logging.getLogger("serving")

SHARES = {CHAMPION: 0.6, PREVIOUS: 0.2}
"""Of the deadline, for each model; what is left is plenty for the rungs below."""
RESTS = 2.0
"""So many deadlines long a version that hangs is left alone."""
THEIR_OWN = (DataError, DeclarationError, RequestError)
"""Mistakes of the caller, which no rung can mend."""


@dataclass(frozen=True)
class Clock:
    """The deadline of one request: so many seconds from when it began, on the loop's clock."""

    seconds: float
    begun: float

    def left(self) -> float:
        """Seconds until the deadline, a tenth of them at least: whoever asks may try."""
        return max(self.begun + self.seconds - asyncio.get_running_loop().time(), self.seconds / 10)


@dataclass
class Climb:
    """How far the answer to one question has come.

    Attributes:
        question: as it is put to models: without what cannot be true.
        sight: what is known, and how well.
        levels: of the answer.
        told: the answers that are there, by series.
        reasons: why those that are not there have none yet, by series.
        served: the version that spoke on the highest rung.
        warnings: what to know.
    """

    question: Question
    sight: Sight
    levels: tuple[float, ...]
    told: dict[str, Told] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    served: Served | None = None
    warnings: list[str] = field(default_factory=list)


class Ladder:
    """The rungs, best first.

    Args:
        champion: what is served.
        engine: lets a model answer.
        telemetry: is told the rung of each series.
        deadline_s: an answer is given within so many seconds, whatever happens.

    Attributes:
        counts: series answered, by rung and reason.
    """

    def __init__(self, champion: Champion, engine: Engine, telemetry: Telemetry, deadline_s: float) -> None:
        self._champion, self._telemetry, self._deadline_s = champion, telemetry, deadline_s
        self._patience = Patience(engine, RESTS * deadline_s)
        # Its own threads: what hangs elsewhere does not stop the last rungs.
        self._reserve = ThreadPoolExecutor(2, thread_name_prefix="ladder")
        self._sights = Recall[Seen]()
        self.counts: Counter[tuple[str, str | None]] = Counter()

    def clock(self) -> Clock:
        """How much of the deadline of a request that begins now is left."""
        return Clock(self._deadline_s, asyncio.get_running_loop().time())

    @property
    def best(self) -> Served | None:
        """The version to ask first; None while none is served."""
        return self._champion.roles.champion

    def spec(self, request: ForecastRequest, served: Served | None) -> ForecasterSpec:
        """What a request is checked against: the version that will be asked, else what the request itself tells.

        Raises:
            RegistryError, ModelFolderError: no model is served, and the request does not tell the length of a period.
        """
        if served is not None:
            return served.forecaster.spec
        return spec_of_request(request) or self._champion.now().forecaster.spec

    async def answer(self, question: Question, served: Served | None) -> Answered:
        """The best answer there is.

        Args:
            question: made for the version.
            served: the version that is asked first; None: none is served.

        Raises:
            ForecastError: the question itself cannot be answered.
            HTTPException: 503, too many are waiting.
        """
        previous = self._champion.roles.previous
        spec = served.forecaster.spec if served is not None else None
        offered = question.quantiles or LEVELS
        levels = question.levels(spec) if spec is not None else check_levels(offered, offered)
        sight = self._look(question, served)
        for seconds in sight.overdue_s:
            self._telemetry.staleness(seconds)
        climb = Climb(sight.question, sight, levels, reasons=dict(sight.unable))
        if served is None:
            climb.reasons = dict.fromkeys(question.order, NO_MODEL)
        else:
            await self._model(climb, served, CHAMPION, [name for name in question.order if name not in sight.unable])
        left = [name for name in climb.reasons if name not in sight.unable]
        if previous is not None and previous is not served and left and _fits(previous, climb):
            with previous.used():
                await self._model(climb, previous, PREVIOUS, left)
        if climb.reasons:
            await self._below(climb, sight.steps, _profile(served, previous))
        return self._answered(question, climb)

    def _look(self, question: Question, served: Served | None) -> Sight:
        """What is seen of a question; of one about a table that was looked at before, nothing is looked up again."""
        spec = served.forecaster.spec if served is not None else None
        if question.fleeting:
            return Sight.of(question, spec)
        asked = (served and served.number, *question.key)
        known = self._sights.get(question.demand, asked)
        if known is not None:
            return known.of_question(question)
        sight = Sight.of(question, spec)
        if not sight.hidden:
            self._sights.put(question.demand, asked, sight.kept())
        return sight

    async def _model(self, climb: Climb, served: Served, rung: str, names: list[str]) -> None:
        """Asks a version about some series; those that it answers well are taken, the others get a reason."""
        if not names:
            return
        try:
            told, warnings = await self._patience.ask(
                served, about(climb.question, names), SHARES[rung] * self._deadline_s
            )
        except TimeoutError:
            self._fall(climb, served, names, DEADLINE, "it did not answer in time")
        except Exception as error:
            if rung == CHAMPION and isinstance(error, (*THEIR_OWN, HTTPException)):
                raise
            if not isinstance(error, ForecastError):
                log.error("%s breaks", served, exc_info=error)
            self._fall(climb, served, names, ERROR, f"it breaks ({type(error).__name__})")
        else:
            self._take(climb, served, rung, told, warnings)

    def _take(self, climb: Climb, served: Served, rung: str, told: tuple[Told, ...], warnings: tuple[str, ...]) -> None:
        whole = [one for one in told if sound(one, len(climb.levels))]
        # No failure of the version: it was asked about a series that it knows too little of.
        doubtful = climb.sight.unbelievable(whole, climb.levels)
        good = [one for one in whole if one.unique_id not in doubtful]
        for one in good:
            reason = climb.reasons.pop(one.unique_id, None)
            climb.told[one.unique_id] = climb.sight.seen(one, reason, rung, climb.levels)
        for name in doubtful:
            climb.reasons.setdefault(name, IMPLAUSIBLE)
        if good:
            climb.served = climb.served or served
            climb.warnings += warnings
        if len(whole) < len(told):
            broken = [one.unique_id for one in told if one not in whole]
            self._fall(climb, served, broken, NON_FINITE, "its answer holds numbers that are not finite, or cross")

    def _fall(self, climb: Climb, served: Served, names: list[str], reason: str, why: str) -> None:
        for name in names:
            climb.reasons.setdefault(name, reason)
        self._champion.failed(served, why)

    async def _below(self, climb: Climb, steps: int, profile: Profile | None) -> None:
        loop = asyncio.get_running_loop()
        climb.told |= await loop.run_in_executor(
            self._reserve, lower, climb.question, climb.reasons, climb.levels, steps, profile
        )

    def _answered(self, question: Question, climb: Climb) -> Answered:
        told = tuple(climb.told[name] for name in question.order)
        counts = Counter((one.rung, one.reason) for one in told)
        self.counts.update(counts)
        for (rung, reason), series in counts.items():
            self._telemetry.rung(rung, reason, series)
        warnings = [*question.warnings, *question.day_begun(told), *climb.warnings, *climb.sight.warnings(told)]
        return Answered(
            told, climb.levels, question.lived_cutoff, question.demand.unit, climb.served,
            tuple(dict.fromkeys(warnings)),
        )  # fmt: skip


def about(question: Question, names: list[str]) -> Question:
    """The question about some of its series; the others are still heard as neighbours."""
    if len(names) == len(question.order):
        return question
    kept = set(names)
    demand = question.demand.select([one.unique_id for one in question.demand.series if one.unique_id in kept])
    return replace(question, demand=demand, order=tuple(name for name in question.order if name in kept))


def sound(one: Told, levels: int) -> bool:
    """Whether an answer holds only numbers, in order."""
    return sound_numbers(one.mean_H, one.quantiles_HQ, (len(one.ds_H), levels))


def _fits(served: Served, climb: Climb) -> bool:
    """Whether a version can be asked the question that was made for another one."""
    spec = served.forecaster.spec
    try:
        same = spec.step == climb.question.demand.step and spec.columns == climb.question.demand.columns
        return same and climb.question.levels(spec) == climb.levels
    except ForecastError:
        return False


def _profile(*versions: Served | None) -> Profile | None:
    """The average week that one of the versions learned."""
    told = (one.forecaster.spec.profile for one in versions if one is not None)
    return next((one for one in told if one is not None), None)
