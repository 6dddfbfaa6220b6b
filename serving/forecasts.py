"""`POST /v1/forecasts`: history in, forecasts out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from forecast.calendars import moment_outside, told
from forecast.settings import Settings
from forecast.tables import quantile_column
from serving.answers import JsonAnswer, encode
from serving.bodies import ForecastAnswer
from serving.dependencies import DeskNow, ServedNow, SettingsNow
from serving.loader import Served
from serving.parsing import parse
from serving.problems import Problem
from serving.questions import Question

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
async def post_forecasts(request: Request, served: ServedNow, settings: SettingsNow, desk: DeskNow) -> Response:
    """Forecasts of one or many series, each from what was known at the cutoff.

    Send for each series its history (`ds` is the START of a period) with the covariates that the model reads, and in
    `future` those that are known ahead; `GET /v1/models` says which and how much. Ask for `horizon` steps from the
    cutoff, or for one `delivery_day` of 23, 24 or 25 hours in each series' zone, from its `gate` where that is
    given (`D-1T10:00`); without either for the model's own horizon. Missing history is padded and masked, and named in
    `warnings`.
    """
    _check_declared(request)
    raw = await request.body()
    return JsonAnswer(await desk.do(answer, raw, served, settings))


def answer(raw: bytes, served: Served, settings: Settings) -> bytes:
    """The whole way from a request's body to the answer's, in one thread.

    Raises:
        HTTPException, ForecastError: the request cannot be answered.
    """
    spec = served.forecaster.spec
    question = Question.of(parse(raw, most_series=settings.max_series), spec, most_rows=settings.max_rows)
    forecast = question.put(served.forecaster)
    said = _by_series(told(forecast.frame, question.demand.zones), forecast.levels)
    ref = served.ref
    return encode(
        {
            "model": {
                "name": ref.name, "version": ref.version, "run_id": ref.run_id, "alias": ref.alias, "recipe": spec.name,
            },
            "cutoff": _z(moment_outside(question.cutoff, question.demand.series[0].zone)),
            "unit": forecast.unit,
            "quantiles": forecast.levels,
            "warnings": list(dict.fromkeys([*question.warnings, *_day_begun(question, said), *forecast.warnings])),
            "forecasts": [said[name] for name in question.order],
        }
    )  # fmt: skip


def _check_declared(request: Request) -> None:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise HTTPException(415, f"Content-Type is '{media}'; expected application/json")
    packed = request.headers.get("content-encoding", "identity").lower()
    if packed != "identity":
        raise HTTPException(415, f"Content-Encoding is '{packed}'; expected a plain body")


def _by_series(frame: pd.DataFrame, levels: Sequence[float]) -> dict[str, dict[str, object]]:
    """One entry per series; its rows lie side by side, for the answer has a single cutoff."""
    names = frame["unique_id"].to_numpy()
    columns = {name: np.ascontiguousarray(frame[name].to_numpy()) for name in ["mean", *map(quantile_column, levels)]}
    ds = frame["ds"].to_numpy(dtype="datetime64[ns]")
    begins = np.flatnonzero(np.r_[True, names[1:] != names[:-1]]) if len(names) else np.array([], dtype=int)
    parts = {}
    for begin, end in zip(begins, [*begins[1:], len(names)], strict=True):
        mine = slice(begin, end)
        quantiles = {quantile_column(level): columns[quantile_column(level)][mine] for level in levels}
        parts[str(names[begin])] = {
            "unique_id": names[begin], "ds": ds[mine], "mean": columns["mean"][mine], "quantiles": quantiles,
        }  # fmt: skip
    return parts


def _day_begun(question: Question, said: dict[str, dict[str, object]]) -> list[str]:
    """That a delivery day lies in the past in part."""
    begun = []
    for one in question.demand.series if question.day else ():
        start, _ = question.span(one.zone)
        if start < question.cutoff:
            first = np.asarray(said[one.unique_id]["ds"])[:1]
            begun.append(
                f"series '{one.unique_id}': delivery day {question.day} began at {_z(start)}, before the cutoff; "
                f"it is forecast from {np.datetime_as_string(first, unit='m')[0]}Z on"
            )
    return begun


def _z(moment: pd.Timestamp) -> str:
    return str(moment.tz_convert("UTC").isoformat()).replace("+00:00", "Z")
