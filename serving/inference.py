"""Open Inference Protocol, version 2, over REST: the same forecasts as tensors.

Source: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

import forecast
from forecast.errors import RequestError
from forecast.forecaster import ForecasterSpec
from serving import forecasts, formats
from serving.answers import JsonAnswer
from serving.bodies import ForecastRequest
from serving.dependencies import ServedNow, ServiceNow
from serving.ledger import Recorded
from serving.long import NAME, START, TARGET, Long
from serving.parsing import checked, decode
from serving.problems import Problem
from serving.served import Served
from serving.service import Service
from serving.stamps import written
from serving.tensors import Inference, Inferred, Live, ModelInfo, ModelReady, Parameter, Ready, Server, Tensor
from serving.told import Answered

router = APIRouter(prefix="/v2", tags=["other protocols"])

TEXT = "BYTES"
NUMBERS = (
    "FP64", "FP32", "FP16", "INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16", "UINT8",
)  # fmt: skip
OUTPUTS = (NAME, START, "mean", "quantiles", "levels", "rung")
PARAMETERS = ("cutoff", "horizon", "delivery_day", "gate", "as_of", "unit", "quantiles", "store")
NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "Another model or version, or no such series"}
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    **NOT_FOUND,
    400: {"model": Problem, "description": "The body is not JSON"},
    415: {"model": Problem, "description": "The body is not declared as JSON"},
    422: {"model": Problem, "description": "Tensors or parameters are wrong; series, column and stamps are named"},
    503: {"model": Problem, "description": "No model is loaded, or too many wait"},
}


@router.get("", summary="Who answers", responses={200: {"model": Server}})
async def get_server() -> Response:
    """Name and version of this server."""
    return JsonAnswer({"name": "forecast", "version": forecast.__version__, "extensions": []})


@router.get("/health/live", summary="Is the process alive?", responses={200: {"model": Live}})
async def get_live() -> Response:
    """Answers 200 as long as the process runs."""
    return JsonAnswer({"live": True})


@router.get("/health/ready", summary="Can forecasts be answered?", responses={200: {"model": Ready}})
async def get_ready(served: ServedNow) -> Response:
    """Answers 200 once a model is loaded, else 503."""
    del served
    return JsonAnswer({"ready": True})


@router.get("/models/{name}", summary="What a model reads and says", responses={200: {"model": ModelInfo}, **NOT_FOUND})
async def get_model(served: ServedNow, name: str) -> Response:
    """Its input and output tensors. There is one model, the champion, and one version that may be asked for."""
    return _described(served, name)


@router.get(
    "/models/{name}/versions/{version}", summary="The same of a version",
    responses={200: {"model": ModelInfo}, **NOT_FOUND},
)  # fmt: skip
async def get_model_version(served: ServedNow, name: str, version: str) -> Response:
    """Its input and output tensors, where it is the version that answers now."""
    return _described(served, name, version)


@router.get("/models/{name}/ready", summary="Does a model answer?", responses={200: {"model": ModelReady}, **NOT_FOUND})
async def get_model_ready(served: ServedNow, name: str) -> Response:
    """Answers 200 where it does."""
    return _ready(served, name)


@router.get(
    "/models/{name}/versions/{version}/ready", summary="Does a version answer?",
    responses={200: {"model": ModelReady}, **NOT_FOUND},
)  # fmt: skip
async def get_model_version_ready(served: ServedNow, name: str, version: str) -> Response:
    """Answers 200 where it does."""
    return _ready(served, name, version)


@router.post("/models/{name}/infer", summary="Forecast", responses={200: {"model": Inferred}, **_REFUSALS})
async def post_infer(request: Request, service: ServiceNow, name: str) -> Response:
    """Forecasts of a long table of tensors: `unique_id`, `ds`, `y` (null ahead of the cutoff), covariates.

    The same forecaster, fallbacks and ledger as `POST /v1/forecasts` stand behind it.
    """
    return await _infer(request, service, name)


@router.post(
    "/models/{name}/versions/{version}/infer", summary="Forecast with a version",
    responses={200: {"model": Inferred}, **_REFUSALS},
)  # fmt: skip
async def post_version_infer(request: Request, service: ServiceNow, name: str, version: str) -> Response:
    """The same, as long as this version answers; 404 once another one does."""
    return await _infer(request, service, name, version)


async def _infer(request: Request, service: Service, name: str, version: str | None = None) -> Response:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json" or "inference-header-content-length" in request.headers:
        raise HTTPException(415, "the body is binary or declared otherwise; expected tensors in application/json")
    check_name(service.champion.now(), name, version)
    asked: list[Inference] = []
    read = partial(_read, name=name, version=version, asked=asked)
    answered, kept, _ = await forecasts.said(await request.body(), service, read=read)
    request.scope["state"]["rung"] = formats.lowest(answered.told)
    return JsonAnswer(_inferred(asked[0], name, answered, kept))


def _described(served: Served, name: str, version: str | None = None) -> Response:
    check_name(served, name, version)
    ref, spec = served.ref, served.forecaster.spec
    return JsonAnswer(
        {
            "name": ref.name, "versions": [ref.version] if ref.version else [], "platform": "demand-forecast",
            "inputs": _inputs(spec), "outputs": _outputs(len(spec.recipe.quantiles)),
        }
    )  # fmt: skip


def _ready(served: Served, name: str, version: str | None = None) -> Response:
    check_name(served, name, version)
    return JsonAnswer({"name": served.ref.name, "ready": True})


def check_name(served: Served, name: str, version: str | None) -> None:
    """Whether a model and a version are what is served.

    Raises:
        HTTPException: 404, they are not.
    """
    if name != served.ref.name or version not in (None, served.ref.version):
        asked = f"'{name}' version '{version}'" if version is not None else f"'{name}'"
        raise HTTPException(404, f"no model {asked} is served here; {served} is")


def _read(
    raw: bytes, service: Service, served: Served | None, *, name: str, version: str | None, asked: list[Inference]
) -> ForecastRequest:
    if served is not None:
        # It may have been replaced since the address was looked at.
        check_name(served, name, version)
    body, _ = decode(raw)
    inference = checked(Inference, body, most_series=service.settings.max_series)
    asked.append(inference)
    columns: dict[str, list[Any]] = {}
    for one in inference.inputs:
        if one.name in columns:
            raise RequestError("two tensors have one name", "each column once", "rename one", column=one.name)
        columns[one.name] = _values(one)
    spec = served.forecaster.spec if served is not None else None
    return Long(columns).request(spec, _fields(inference.parameters), most_series=service.settings.max_series)


def _values(one: Tensor) -> list[Any]:
    """The values of a tensor, one per row."""
    values = list(_flat(one.data, 4))
    wide = math.prod(one.shape[1:])
    if wide != 1 or one.shape[0] != len(values):
        raise RequestError(
            f"a tensor of shape {one.shape} with {len(values)} values", f"[{len(values)}]: one value per row",
            "correct it", column=one.name,
        )  # fmt: skip
    if (one.datatype == TEXT) != (one.name in (NAME, START)):
        expected = TEXT if one.datatype != TEXT else ", ".join(NUMBERS)
        raise RequestError(f"datatype {one.datatype}", expected, "correct it", column=one.name)
    return values


def _flat(values: Iterable[Any], depth: int) -> Iterable[Any]:
    for value in values:
        if isinstance(value, list) and depth:
            yield from _flat(value, depth - 1)
        else:
            yield value


def _fields(parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    """Parameters as the fields of a `ForecastRequest`.

    Raises:
        RequestError: one is not known, or cannot be read.
    """
    odd = [name for name in parameters if name not in PARAMETERS]
    if odd:
        raise RequestError(
            f"parameter '{odd[0][:100]}'", ", ".join(PARAMETERS), "leave it out", column=f"parameters.{odd[0][:100]}"
        )
    fields: dict[str, Any] = dict(parameters)
    levels = fields.get("quantiles")
    if isinstance(levels, str):
        try:
            fields["quantiles"] = [float(text) for text in levels.split(",")]
        except ValueError:
            found = f"quantiles '{levels[:100]}'"
            raise RequestError(found, "numbers with commas, as 0.1,0.5", column="parameters.quantiles") from None
    return fields


def _inputs(spec: ForecasterSpec) -> list[dict[str, Any]]:
    numbers = (TARGET, *spec.past, *spec.known, *spec.static)
    texts = [{"name": name, "datatype": TEXT, "shape": [-1]} for name in (NAME, START)]
    return [*texts, *({"name": name, "datatype": "FP64", "shape": [-1]} for name in numbers)]


def _outputs(levels: int) -> list[dict[str, Any]]:
    kinds = {"mean": "FP64", "quantiles": "FP64", "levels": "FP64"}
    shapes = {"quantiles": [-1, levels], "levels": [levels]}
    return [
        {"name": name, "datatype": kinds.get(name, TEXT), "shape": shapes.get(name, [-1])} for name in OUTPUTS
    ]  # fmt: skip


def _inferred(asked: Inference, name: str, answered: Answered, kept: Recorded) -> dict[str, Any]:
    wanted = OUTPUTS if asked.outputs is None else tuple(dict.fromkeys(one.name for one in asked.outputs))
    tensors = _tensors(answered)
    version = answered.served.ref.version if answered.served is not None else None
    parameters = {
        "forecast_id": kept.id, "recorded": kept.recorded, "cutoff": written(answered.cutoff), "unit": answered.unit,
        "rung": formats.lowest(answered.told), "warnings": "\n".join((*answered.warnings, *kept.warnings)),
    }  # fmt: skip
    return {
        "model_name": name, **({"model_version": version} if version else {}),
        **({"id": asked.id} if asked.id is not None else {}),
        "parameters": {key: value for key, value in parameters.items() if value not in (None, "")},
        "outputs": [_output(info, tensors[info["name"]]) for info in _outputs(len(answered.levels))
                    if info["name"] in wanted],
    }  # fmt: skip


def _output(info: dict[str, Any], values: list[Any] | npt.NDArray[np.float64]) -> dict[str, Any]:
    """A tensor, its values row by row."""
    data = values if isinstance(values, list) else np.ravel(values)
    return {**info, "shape": list(np.shape(values)), "data": data}


def _tensors(answered: Answered) -> dict[str, list[Any] | npt.NDArray[np.float64]]:
    told = answered.told
    return {
        NAME: [one.unique_id for one in told for _ in one.ds_H],
        START: [ds for one in told for ds in one.ds_H],
        "mean": np.concatenate([one.mean_H for one in told]),
        "quantiles": np.concatenate([one.quantiles_HQ for one in told]),
        "levels": np.array(answered.levels),
        "rung": [one.rung for one in told for _ in one.ds_H],
    }  # fmt: skip
