"""`GET /v1/series/{unique_id}/skill`: how the forecast of a day turned out, beside last week again."""

from __future__ import annotations

import math
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, BeforeValidator, Field
from starlette.responses import Response

from forecast.monitoring import Realised, Score, realised
from forecast.store import Store, catalogue
from serving.answers import JsonAnswer
from serving.asked import no_series
from serving.bodies import Plain
from serving.dependencies import ServiceNow
from serving.problems import Problem
from serving.stamps import written

router = APIRouter(prefix="/v1", tags=["series"])

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
"""Days that stamps can tell, in every zone."""


def _written_out(day: object) -> object:
    """A day as text; pydantic alone takes a number of seconds for one, too."""
    if isinstance(day, str) and len(day) != len("2014-12-31"):
        raise ValueError("write it as 2014-12-31")
    return day


class Scored(BaseModel):
    """Errors of one forecast of one day, in the series' unit; of its median, or of its mean where that is not told."""

    id: str = Field(description="The forecast, as `GET /v1/forecasts/{id}` gives it.")
    issued_at: str
    cutoff: str
    model: str | None
    model_version: str | None
    rung: str
    periods: int = Field(description="Of the day.")
    scored: int = Field(description="Of these, with a forecast and a known demand; the errors are of them.")
    mae: float = Field(description="Mean absolute error.")
    mape: float | None = Field(description="Mean absolute error in percent; null where there was no demand.")
    bias: float = Field(description="Mean of forecast - demand.")
    coverage: float | None = Field(description="Share of the periods within the 80 % band; null where it was not told.")
    naive_scored: int = Field(description="Scored periods for which the same local hour of a week before was known.")
    naive_mae: float | None = Field(description="Mean absolute error of that seasonal naive.")
    compared_mae: float | None = Field(description="The forecast's own, over the same periods.")
    skill: float | None = Field(description="1 - compared_mae / naive_mae: above 0 the forecast was better.")


class SkillAnswer(BaseModel):
    """How the forecast of one day turned out."""

    unique_id: str
    zone: str
    unit: str
    day: str | None = Field(description="The civil day; null where no day of the past eight can be judged.")
    scored: Scored | None = Field(description="Null where the day cannot be judged.")
    why: str | None = Field(description="Then the reason.")


@router.get(
    "/series/{unique_id:path}/skill", summary="How the forecast of a day turned out",
    responses={
        200: {"model": SkillAnswer}, 404: {"model": Problem, "description": "The store holds no such series"},
        422: {"model": Problem, "description": "The day is none, or does not exist in the series' zone"},
        503: {"model": Problem, "description": "The store does not answer"},
    },
)  # fmt: skip
async def get_skill(
    unique_id: Plain, service: ServiceNow,
    day: Annotated[date | None, BeforeValidator(_written_out), Query(
        ge=FIRST_DAY, le=LAST_DAY, description="A civil day of the series. Where left out: the last one that is "
        "over and complete, else the last one that can be judged.",
    )] = None,
) -> Response:  # fmt: skip
    """The last forecast that the ledger holds from before the day began, judged by the demand that is known now.

    Beside it the seasonal naive: the same local hour a week before (two weeks where that was not known yet), from what
    was known at that forecast's own cutoff.
    """
    return JsonAnswer(content(await service.keeper.ask(_judged, unique_id, day)))


def _judged(store: Store, unique_id: str, day: date | None) -> Realised:
    with store.snapshot() as connection:
        if not catalogue.entries(connection, [unique_id]):
            raise no_series(unique_id)
    return realised(store, unique_id, day)


def content(told: Realised) -> dict[str, Any]:
    """What became of a day, as `SkillAnswer`."""
    scored = None if told.score is None else _scored(told.score)
    day = None if told.day is None else told.day.isoformat()
    answer = SkillAnswer(
        unique_id=told.unique_id, zone=told.zone, unit=told.unit, day=day, scored=scored, why=told.why
    )  # fmt: skip
    return answer.model_dump()


def _scored(score: Score) -> Scored:
    issued = score.issued
    return Scored(
        id=issued.id, issued_at=written(issued.issued_at), cutoff=written(issued.forecast.frame["cutoff"].iloc[0]),
        model=issued.forecast.model or None, model_version=issued.model_version, rung=issued.rung,
        periods=score.periods, scored=score.scored, mae=score.mae, mape=_told(score.mape), bias=score.bias,
        coverage=_told(score.coverage), naive_scored=score.naive_scored, naive_mae=_told(score.naive_mae),
        compared_mae=_told(score.compared_mae), skill=_told(score.skill),
    )  # fmt: skip


def _told(value: float) -> float | None:
    """No number is null: JSON knows no NaN."""
    return value if math.isfinite(value) else None
