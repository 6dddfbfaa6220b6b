"""`Extras`: what a request wants beside its forecasts. Whatever goes wrong here costs the extra, never the answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from starlette.exceptions import HTTPException

from forecast.errors import ForecastError
from forecast.forecaster import ForecasterSpec
from forecast.store.issued import CHAMPION
from forecast.tables.forecast import LEVELS
from serving.bodies import Options
from serving.desk import Desk
from serving.engine import Engine
from serving.ladder import Clock, Ladder, about, sound
from serving.questions import Question
from serving.scenarios import beyond, check_scenarios, shifted, unchanged
from serving.served import Served
from serving.sight import Sight
from serving.told import Answered, Told

log = logging.getLogger("serving")

MOST_EXPLAINED = 4
"""Series of one request that are explained; each costs dozens of passes through the model."""
SHARE = 0.8
"""Of what is left of the deadline; the ledger needs some, too."""
Made = TypeVar("Made")


@dataclass
class Extra:
    """What was made beside the forecasts.

    Attributes:
        series: by series, what stands inside its forecast.
        summed: whether the sum of all is wanted.
        total: what is said of it; None where it cannot be.
        scenarios: by name what is said then; None where it cannot be.
        warnings: what is missing, and why.
    """

    series: dict[str, dict[str, Any]] = field(default_factory=dict)
    summed: bool = False
    total: dict[str, Any] | None = None
    scenarios: list[tuple[str, tuple[Told, ...] | None]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Extras:
    """Makes them, after the ladder has answered and before the answer is written down.

    Args:
        ladder: answers.
        engine: lets a version answer scenarios.
    """

    def __init__(self, ladder: Ladder, engine: Engine) -> None:
        self._ladder, self._engine = ladder, engine
        # Threads of their own: reading requests does not wait for explanations.
        self._drawing, self._explaining = Desk(), Desk()

    async def answer(
        self, options: Options, question: Question, served: Served | None, clock: Clock
    ) -> tuple[Answered, Extra]:
        """The ladder's answer, and what is wanted beside it.

        Args:
            options: what is wanted.
            question: made for the version.
            served: the version that is asked first.
            clock: of the request.

        Raises:
            RequestError: a scenario changes what the model does not read.
            ForecastError, HTTPException: as the ladder.
        """
        spec = served.forecaster.spec if served is not None else None
        if spec is not None:
            check_scenarios(options.scenarios, spec.known, spec.name)
        wanted, every = _levels(question, spec)
        whole = replace(question, quantiles=every) if options.drawn else question
        answered = await self._ladder.answer(whole, served)
        extra = Extra({one.unique_id: {} for one in answered.told}, options.sum)
        until = asyncio.get_running_loop().time() + SHARE * clock.left()
        parts: list[Awaitable[None]] = []
        if options.drawn:
            parts.append(self._drawn(options, question, answered, wanted, extra, until))
        if options.explanation:
            parts.append(self._explained(question, _only(answered, wanted), extra, until))
        if options.scenarios:
            parts.append(self._scenarios(options, question, answered, served, extra, until))
        await asyncio.gather(*parts)
        return _only(answered, wanted), extra

    async def _drawn(
        self, options: Options, question: Question, answered: Answered, wanted: tuple[float, ...], extra: Extra,
        until: float,
    ) -> None:  # fmt: skip
        asked = [name for name in ("peak", "energy", "paths") if getattr(options, name)]
        for told in extra.series.values():
            told |= dict.fromkeys(asked)
        named = ", ".join([*asked, *(["sum"] if options.sum else [])])
        made = await self._within(self._drawing.do(_draw, options, question, answered, wanted), until, named, extra)
        if made is None:
            return
        for name, figures in made.series.items():
            extra.series[name] |= figures
        extra.total = made.total
        extra.warnings += made.warnings

    async def _explained(self, question: Question, answered: Answered, extra: Extra, until: float) -> None:
        for told in extra.series.values():
            told["explanation"] = None
        if len(answered.told) > MOST_EXPLAINED:
            extra.warnings.append(
                f"no explanations: {len(answered.told)} series, and at most {MOST_EXPLAINED} are explained at once"
            )
            return
        served = answered.served
        for one in answered.told:
            if served is None or one.rung != CHAMPION:
                extra.warnings.append(f"series '{one.unique_id}': no explanation of what '{one.rung}' says")
                continue
            work = self._explaining.do(_explain, served, question, one, answered.levels)
            made = await self._within(work, until, f"explanation of series '{one.unique_id}'", extra)
            if made is not None:
                extra.series[one.unique_id]["explanation"], lacking = made
                extra.warnings += lacking

    async def _scenarios(
        self, options: Options, question: Question, answered: Answered, served: Served | None, extra: Extra,
        until: float,
    ) -> None:  # fmt: skip
        """All scenarios together: they are put to the engine at the same time, which takes them in one pass."""
        names = [one.unique_id for one in answered.told if one.rung == CHAMPION]
        extra.scenarios = [(one.name, None) for one in options.scenarios]
        if served is None or not names:
            extra.warnings.append("no scenarios: the model that reads what they change did not answer")
            return
        if len(names) < len(answered.told):
            left = ", ".join(f"'{one.unique_id}'" for one in answered.told if one.rung != CHAMPION)
            extra.warnings.append(f"scenarios leave out series {left}, which the model did not answer")
        with served.used():
            said = self._asked(options, about(question, names), served, extra)
            made = await self._within(said, until, "scenarios", extra)
        if made is not None:
            extra.scenarios = [(one.name, told) for one, told in zip(options.scenarios, made, strict=True)]

    async def _asked(
        self, options: Options, question: Question, served: Served, extra: Extra
    ) -> list[tuple[Told, ...] | None]:
        sights, spec = [], served.forecaster.spec
        for one in options.scenarios:
            for column in unchanged(question, one.shift):
                extra.warnings.append(f"scenario '{one.name}': nothing is known ahead of column '{column}'")
            sights.append(Sight.of(shifted(question, one.shift), spec))
        said = await asyncio.gather(*(self._engine.ask(served, sight.question) for sight in sights))
        levels, made = question.levels(spec), list[tuple[Told, ...] | None]()
        for one, sight, (told, _) in zip(options.scenarios, sights, said, strict=True):
            until = max(each.ds_H[-1] for each in told)
            extra.warnings += beyond(sight.question, one, spec.features, until)
            wild = sorted(sight.unbelievable(told, levels))
            if wild:
                extra.warnings.append(
                    f"scenario '{one.name}' is left out: what the model says of series '{wild[0]}' then lies far from "
                    "all that is known of it"
                )
            good = not wild and all(sound(each, len(levels)) for each in told)
            made.append(tuple(sight.seen(each, None, CHAMPION, levels) for each in told) if good else None)
        return made

    async def _within(self, work: Coroutine[Any, Any, Made], until: float, what: str, extra: Extra) -> Made | None:
        """What the work makes; None, with a warning, where it fails or does not come in time."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(work)
        # Not cancelled when it is late: a thread cannot be stopped, and the next one waits for it in the queue.
        done, _ = await asyncio.wait({task}, timeout=max(0.0, until - loop.time()))
        why = "the time was short"
        if done:
            error = task.exception()
            if error is None:
                return task.result()
            why = _why(error, what)
        else:
            task.add_done_callback(_forget)
        extra.warnings.append(f"no {what}: {why}")
        return None


def _levels(question: Question, spec: ForecasterSpec | None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The levels that the caller wants, and all that there are: paths need them."""
    offered = tuple(spec.recipe.quantiles) if spec is not None else LEVELS
    if spec is not None:
        return question.levels(spec), offered
    # Without a model any level can be said.
    wanted = tuple(sorted(question.quantiles or offered))
    return wanted, tuple(sorted({*offered, *wanted}))


def _why(error: BaseException, what: str) -> str:
    if isinstance(error, ForecastError):
        return str(error)
    if isinstance(error, HTTPException):
        return str(error.detail)
    log.error("no %s", what, exc_info=error)
    return f"it fails ({type(error).__name__})"


def _forget(late: asyncio.Task[Any]) -> None:
    if not late.cancelled() and late.exception() is not None:
        log.warning("an option failed after its deadline: %s", late.exception())


def _draw(options: Options, question: Question, answered: Answered, wanted: tuple[float, ...]) -> Extra:
    """In a thread: what is read off coherent paths."""
    # SciPy comes with it; nobody who asks for no paths needs that.
    from serving.drawing import MOST_SAID, Drawn

    drawn = Drawn.of(question, answered, wanted, options.paths or 0)
    made = Extra(warnings=list(drawn.warnings))
    said = (options.paths or 0) * sum(len(one.ds_H) for one in answered.told)
    if said > MOST_SAID:
        made.warnings.append(f"no paths: {said:,} numbers, and at most {MOST_SAID:,} are sent; ask for fewer")
        options = options.model_copy(update={"paths": None})
    for one in answered.told:
        made.series[one.unique_id] = drawn.of_series(one, options)
    if options.sum:
        try:
            made.total = drawn.total(options)
        except ForecastError as error:
            made.warnings.append(f"no sum: {error}")
    return made


def _explain(
    served: Served, question: Question, one: Told, levels: tuple[float, ...]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """In a thread: why a forecast is what it is, from what the model was shown."""
    from serving.explaining import explained

    return explained(served.forecaster, Sight.of(question, served.forecaster.spec).question, one, levels)


def _only(answered: Answered, wanted: Sequence[float]) -> Answered:
    """The answer with the levels that the caller wants."""
    if tuple(wanted) == answered.levels:
        return answered
    places = [answered.levels.index(level) for level in wanted]
    told = tuple(replace(one, quantiles_HQ=one.quantiles_HQ[:, places]) for one in answered.told)
    return replace(answered, told=told, levels=tuple(wanted))
