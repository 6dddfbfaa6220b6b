"""`POST /v1/forecasts`: history in, forecasts out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from forecast.tables import quantile_column
from serving.answers import JsonAnswer, encode
from serving.bodies import ForecastAnswer
from serving.dependencies import ServiceNow
from serving.loader import Served
from serving.parsing import parse
from serving.problems import Problem
from serving.questions import Question
from serving.service import Service
from serving.stamps import written
from serving.told import Answered, Told

router = APIRouter(prefix="/v1", tags=["forecasts"])

_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body is not JSON"},
    413: {"model": Problem, "description": "The body is too large"},
    415: {"model": Problem, "description": "The body is not declared as JSON"},
    422: {"model": Problem, "description": "The data or the request is wrong; series, column and stamps are named"},
    503: {"model": Problem, "description": "No model is loaded, or too many requests are waiting"},
}


@router.post(
    "/forecasts", summary="Forecast from history in the body",
    responses={200: {"model": ForecastAnswer}, **_REFUSALS},
)  # fmt: skip
async def post_forecasts(request: Request, service: ServiceNow) -> Response:
    """Forecasts of one or many series, each from what was known at the cutoff.

    Send for each series its history (`ds` is the START of a period) with the covariates that the model reads, and in
    `future` those that are known ahead; `GET /v1/models` says which and how much. Ask for `horizon` steps from the
    cutoff, or for one `delivery_day` of 23, 24 or 25 hours in each series' zone, from its `gate` where that is
    given (`D-1T10:00`); without either for the model's own horizon. Missing history is padded and masked, and named in
    `warnings`.
    """
    _check_declared(request)
    return JsonAnswer(await answer(await request.body(), service))


async def answer(raw: bytes, service: Service) -> bytes:
    """The whole way from a request's body to the answer's.

    Raises:
        HTTPException, ForecastError: the request cannot be answered.
    """
    # One version from here to the answer: the next look at the registry may serve another.
    served = service.champion.now()
    with served.used():
        question = await service.desk.do(_asked, raw, service, served)
        answered = await service.ladder.answer(question, served)
    service.shadow.offer(question)
    return encode(content(answered))


def _asked(raw: bytes, service: Service, served: Served) -> Question:
    settings, spec = service.settings, served.forecaster.spec
    return Question.of(parse(raw, most_series=settings.max_series), spec, most_rows=settings.max_rows)


def content(answered: Answered) -> dict[str, Any]:
    """An answer as `ForecastAnswer`; arrays stay arrays."""
    return {
        "model": _model(answered.served),
        "cutoff": written(answered.cutoff),
        "unit": answered.unit,
        "quantiles": answered.levels,
        "warnings": answered.warnings,
        "forecasts": [_series(one, answered.levels) for one in answered.told],
    }


def _model(served: Served | None) -> dict[str, str | None] | None:
    if served is None:
        return None
    ref, recipe = served.ref, served.forecaster.spec.name
    return {"name": ref.name, "version": ref.version, "run_id": ref.run_id, "alias": ref.alias, "recipe": recipe}


def _series(one: Told, levels: Sequence[float]) -> dict[str, Any]:
    quantiles = {quantile_column(level): one.quantiles_HQ[:, place] for place, level in enumerate(levels)}
    quantiles = {name: np.ascontiguousarray(values_H) for name, values_H in quantiles.items()}
    return {
        "unique_id": one.unique_id,
        "ds": one.ds_H,
        "mean": np.ascontiguousarray(one.mean_H),
        "quantiles": quantiles,
    }


def _check_declared(request: Request) -> None:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise HTTPException(415, f"Content-Type is '{media}'; expected application/json")
    packed = request.headers.get("content-encoding", "identity").lower()
    if packed != "identity":
        raise HTTPException(415, f"Content-Encoding is '{packed}'; expected a plain body")
