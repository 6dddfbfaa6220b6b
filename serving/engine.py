"""`Engine`: from questions to forecasts, beside the event loop."""

from __future__ import annotations

from serving.desk import Desk
from serving.loader import Served
from serving.questions import Question
from serving.told import Told, by_series


class Engine:
    """Lets a served model answer.

    Args:
        desk: where the computing is done.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ask(self, served: Served, question: Question) -> tuple[tuple[Told, ...], tuple[str, ...]]:
        """What one version says, series by series in the order of the request; and its warnings.

        Raises:
            ForecastError: the model cannot answer this question.
            HTTPException: 503, too many are waiting.
        """
        return await self._desk.do(_put, served, question)


def _put(served: Served, question: Question) -> tuple[tuple[Told, ...], tuple[str, ...]]:
    forecast = question.put(served.forecaster)
    return by_series(forecast, question.demand.zones, question.order), forecast.warnings
