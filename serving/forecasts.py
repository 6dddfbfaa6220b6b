"""`POST /v1/forecasts`: history in, forecasts out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from forecast.errors import RequestError
from forecast.tables import quantile_columns
from serving import formats
from serving.answers import JsonAnswer, encode
from serving.bodies import ForecastAnswer, ForecastRequest
from serving.dependencies import ServiceNow
from serving.extras import Extra
from serving.ledger import Recorded
from serving.loader import Served
from serving.parsing import parse
from serving.problems import Problem
from serving.questions import Question
from serving.service import Service
from serving.stamps import written
from serving.told import Answered, Told

router = APIRouter(prefix="/v1", tags=["forecasts"])

SMALL = 64_000
"""Bodies up to so many bytes are read at once: to hand one to a thread costs more."""

_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body is not JSON"},
    404: {"model": Problem, "description": "The store holds no such series"},
    406: {"model": Problem, "description": "No format that you accept"},
    413: {"model": Problem, "description": "The body is too large"},
    415: {"model": Problem, "description": "The body is not declared as JSON"},
    422: {"model": Problem, "description": "The data or the request is wrong; series, column and stamps are named"},
    503: {"model": Problem, "description": "No model is loaded, too many wait, or the store that is asked is down"},
}


@router.post(
    "/forecasts", summary="Forecast from history in the body, or in the store",
    responses={200: {"model": ForecastAnswer, "content": formats.TABLES}, **_REFUSALS},
)  # fmt: skip
async def post_forecasts(request: Request, service: ServiceNow) -> Response:
    """Forecasts of one or many series, each from what was known at the cutoff.

    Send for each series its history (`ds` is the START of a period) with the covariates that the model reads, and in
    `future` those that are known ahead; `GET /v1/models` says which and how much. Ask for `horizon` steps from the
    cutoff, or for one `delivery_day` of 23, 24 or 25 hours in each series' zone, from its `gate` where that is
    given (`D-1T10:00`); without either for the model's own horizon. Missing history is padded and masked, and named in
    `warnings`.

    Series without `history` are read from the store as of `as_of` (else the cutoff or the gate, else now); `future`
    adds what is known ahead. The answer stands in the ledger before it is sent: `id` finds it again; `store: false`
    keeps none. `Accept` chooses JSON, CSV, Parquet or an Arrow stream.
    """
    return await respond(request, service)


async def respond(request: Request, service: Service) -> Response:
    """The answer to a request in the format that it accepts; raises as `said`."""
    _check_declared(request)
    media = formats.chosen(request)
    answered, kept, extra = await said(await request.body(), service, media)
    request.scope["state"]["rung"] = formats.lowest(answered.told)
    if media == formats.JSON:
        return JsonAnswer(content(answered, kept, extra))
    response = formats.table_response(formats.forecast_columns(formats.parts(answered)), media, "forecasts")
    response.headers.update(formats.told_beside(answered, kept))
    return response


def _parsed(raw: bytes, service: Service, served: Served | None) -> ForecastRequest:
    return parse(raw, most_series=service.settings.max_series)


Said = tuple[Answered, Recorded, Extra | None]
Reader = Callable[[bytes, Service, Served | None], ForecastRequest]


async def answer(raw: bytes, service: Service) -> bytes:
    """The whole way from a request's body to the answer's, as JSON; raises as `said`."""
    return encode(content(*await said(raw, service)))


async def said(raw: bytes, service: Service, media: str = formats.JSON, read: Reader = _parsed) -> Said:
    """The answer to a request's body, once it is in the ledger; and what is wanted beside it.

    Args:
        raw: the body.
        service: answers.
        media: of the answer.
        read: makes a request of the body, for the version that will be asked.

    Raises:
        HTTPException, ForecastError: the request cannot be answered.
    """
    # One version from here to the answer: the next look at the registry may serve another.
    served, clock = service.ladder.best, service.ladder.clock()
    extra = None
    with served.used() if served is not None else nullcontext():
        request, question = await _asked(raw, service, served, read)
        if request.options is not None:
            _check_media(media)
            answered, extra = await service.extras.answer(request.options, question, served, clock)
        else:
            answered = await service.ladder.answer(question, served)
    if not request.store:
        return answered, service.ledger.unrecorded(), extra
    kept = await service.ledger.record(answered, question, gate=request.gate, within=clock.left())
    service.shadow.offer(question, request.gate)
    return answered, kept, extra


async def _asked(raw: bytes, service: Service, served: Served | None, read: Reader) -> tuple[ForecastRequest, Question]:
    """The request, and the question in it; a history that it does not bring is the store's."""
    if len(raw) > SMALL:
        request, question = await service.desk.do(_read, raw, service, served, read)
    else:
        request, question = _read(raw, service, served, read)
    if question is not None:
        return request, question
    spec = await service.memory.unlearned(request) if served is None else served.forecaster.spec
    return request, await service.memory.question(request, spec)


def _read(raw: bytes, service: Service, served: Served | None, read: Reader) -> tuple[ForecastRequest, Question | None]:
    settings = service.settings
    request = read(raw, service, served)
    if request.stateful:
        return request, None
    return request, Question.of(request, service.ladder.spec(request, served), most_rows=settings.max_rows)


def content(answered: Answered, kept: Recorded, extra: Extra | None = None) -> dict[str, Any]:
    """An answer as `ForecastAnswer`; arrays stay arrays."""
    told = {
        "id": kept.id,
        "recorded": kept.recorded,
        "issued_at": written(kept.issued_at),
        "model": _model(answered.served),
        "rung": formats.lowest(answered.told),
        "cutoff": written(answered.cutoff),
        "unit": answered.unit,
        "quantiles": answered.levels,
        "warnings": (*answered.warnings, *kept.warnings),
        "forecasts": [_series(one, answered.levels) for one in answered.told],
    }
    return told if extra is None else _with(told, extra, answered.levels)


def _with(told: dict[str, Any], extra: Extra, levels: Sequence[float]) -> dict[str, Any]:
    """An answer with what was wanted beside it."""
    told["warnings"] = tuple(dict.fromkeys([*told["warnings"], *extra.warnings]))
    for one in told["forecasts"]:
        one |= extra.series[one["unique_id"]]
    if extra.summed:
        told["sum"] = extra.total
    if extra.scenarios:
        told["scenarios"] = [
            {"name": name, "forecasts": None if said is None else [_series(one, levels) for one in said]}
            for name, said in extra.scenarios
        ]
    return told


def _model(served: Served | None) -> dict[str, str | None] | None:
    if served is None:
        return None
    ref, recipe = served.ref, served.forecaster.spec.name
    return {"name": ref.name, "version": ref.version, "run_id": ref.run_id, "alias": ref.alias, "recipe": recipe}


def _series(one: Told, levels: Sequence[float]) -> dict[str, Any]:
    rows_QH = np.ascontiguousarray(one.quantiles_HQ.T)
    quantiles = dict(zip(quantile_columns(levels), rows_QH, strict=True))
    return {
        "unique_id": one.unique_id,
        "ds": one.ds_H,
        "mean": np.ascontiguousarray(one.mean_H),
        "quantiles": quantiles,
        "rung": one.rung,
        "reason": one.reason,
    }


def _check_media(media: str) -> None:
    if media != formats.JSON:
        raise RequestError(f"options beside Accept: {media}", "options are answered as JSON only", column="options")


def _check_declared(request: Request) -> None:
    headers = request.headers
    media = headers.get("content-type", "")
    if media != "application/json":
        media = media.partition(";")[0].strip().lower()
        if media != "application/json":
            raise HTTPException(415, f"Content-Type is '{media}'; expected application/json")
    packed = headers.get("content-encoding", "identity").lower()
    if packed != "identity":
        raise HTTPException(415, f"Content-Encoding is '{packed}'; expected a plain body")
