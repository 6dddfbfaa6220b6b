"""`Ladder`: who answers a question, from the champion down."""

from __future__ import annotations

from serving.engine import Engine
from serving.loader import Champion, Served
from serving.questions import Question
from serving.told import Answered


class Ladder:
    """The rungs, best first.

    Args:
        champion: what is served.
        engine: lets a model answer.
    """

    def __init__(self, champion: Champion, engine: Engine) -> None:
        self._champion, self._engine = champion, engine

    async def answer(self, question: Question, served: Served) -> Answered:
        """The best answer there is.

        Args:
            question: read as the served version reads.
            served: what was champion when the request came.

        Raises:
            ForecastError: the question itself cannot be answered, or nothing is served.
        """
        told, warnings = await self._engine.ask(served, question)
        return Answered(
            told, question.levels(served.forecaster.spec), question.lived_cutoff, question.demand.unit, served,
            tuple(dict.fromkeys([*question.warnings, *question.day_begun(told), *warnings])),
        )  # fmt: skip
