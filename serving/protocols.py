"""MLflow's scoring protocol: `/invocations` answers what `mlflow models serve` of the registered version answers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from importlib import metadata
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, model_validator
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

import forecast
from forecast.tables import quantile_columns
from serving import forecasts, formats
from serving.answers import JsonAnswer
from serving.bodies import ForecastRequest, Level, StrictBody
from serving.dependencies import ServedNow, ServiceNow
from serving.long import Long
from serving.parsing import checked, decode
from serving.problems import Problem
from serving.served import Served
from serving.service import Service
from serving.stamps import written
from serving.told import Answered

router = APIRouter(tags=["other protocols"])

CSV, JSON = "text/csv", "application/json"
Records = Annotated[list[dict[str, Any]], Field(fail_fast=True)]
Table = dict[str, list[Any]]
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body is neither JSON nor CSV"},
    415: {"model": Problem, "description": "The body is declared neither as JSON nor as CSV"},
    422: {
        "model": Problem,
        "description": "Table or parameters are wrong; series, column and stamps are named",
    },
    503: {"model": Problem, "description": "Too many wait"},
}


class Split(StrictBody):
    """A table as pandas writes it with `orient="split"`."""

    columns: list[str] = Field(min_length=1, max_length=64)
    data: Annotated[list[list[Any]], Field(fail_fast=True)]
    index: list[Any] | None = Field(None, description="Not read.")


class Params(StrictBody):
    """Parameters of the registered model."""

    cutoff: str = Field("", description="The moment of the forecast; the end of what is known where empty.")
    horizon: int = Field(0, ge=0, description="Steps; the model's where 0.")
    quantiles: Annotated[list[Level], Field(fail_fast=True)] = Field(
        [], max_length=99, description="Levels; all where empty."
    )  # fmt: skip
    store: bool = Field(True, description="Whether the answer is kept in the ledger.")


class Invocation(StrictBody):
    """One long table in one of four forms: `unique_id`, `ds`, `y` (null ahead of the cutoff), covariates."""

    dataframe_split: Split | None = None
    dataframe_records: Records | None = None
    instances: Records | None = None
    inputs: Table | Records | None = Field(None, description="By column, or row by row.")
    params: Params | None = None

    @model_validator(mode="after")
    def _one_table(self) -> Invocation:
        given = [name for name in type(self).model_fields if name != "params" and getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(
                f"give exactly one of dataframe_split, dataframe_records, instances, inputs; found {found}"
            )
        return self

    @property
    def table(self) -> Long:
        """The table, whichever form it has."""
        if self.dataframe_split is not None:
            return Long.of_rows(self.dataframe_split.columns, self.dataframe_split.data)
        if isinstance(self.inputs, dict):
            return Long(self.inputs)
        return Long.of_records(self.dataframe_records or self.instances or self.inputs or [])


class Predictions(BaseModel):
    """What MLflow's clients read is `predictions`; the rest stands beside it."""

    predictions: list[dict[str, Any]] = Field(description="A row per series and period, as the registered model says.")
    id: str | None = Field(description="In the ledger.")
    recorded: bool
    rung: str = Field(description="The lowest step of the fallbacks that any series needed.")
    unit: str
    warnings: list[str]


@router.post(
    "/invocations", summary="MLflow's scoring protocol", responses={200: {"model": Predictions}, **_REFUSALS}
)  # fmt: skip
async def post_invocations(request: Request, service: ServiceNow) -> Response:
    """Forecasts of a long table, as `mlflow models serve` of the registered version answers them.

    Rows have `unique_id`, `ds` with a zone, `y`, and what the model reads; rows ahead of the cutoff have no `y`. JSON
    with `dataframe_split`, `dataframe_records`, `instances` or `inputs`, and `params`; or CSV with a header. The same
    forecaster, fallbacks and ledger as `POST /v1/forecasts` stand behind it.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in (JSON, CSV):
        raise HTTPException(415, f"Content-Type is '{media}'; expected {JSON} or {CSV}")
    read = partial(_read, csv=media == CSV)
    answered, kept, _ = await forecasts.said(await request.body(), service, read=read)
    request.scope["state"]["rung"] = formats.lowest(answered.told)
    return JsonAnswer(
        {
            "predictions": rows(answered), "id": kept.id, "recorded": kept.recorded,
            "rung": formats.lowest(answered.told), "unit": answered.unit,
            "warnings": (*answered.warnings, *kept.warnings),
        }
    )  # fmt: skip


@router.get("/ping", summary="MLflow's health check", responses={200: {"content": {"text/plain": {}}}})
@router.get("/health", summary="The same", responses={200: {"content": {"text/plain": {}}}})
async def get_ping(served: ServedNow) -> PlainTextResponse:
    """Answers 200 once a model is loaded."""
    del served
    return PlainTextResponse("\n")


@router.get("/version", summary="Whose protocol is spoken", responses={200: {"content": {"text/plain": {}}}})
async def get_version() -> PlainTextResponse:
    """The version of MLflow whose protocol `/invocations` speaks."""
    return PlainTextResponse(_mlflow())


@cache
def _mlflow() -> str:
    try:
        return metadata.version("mlflow")
    except metadata.PackageNotFoundError:
        return forecast.__version__


def rows(answered: Answered) -> list[dict[str, Any]]:
    """An answer row by row, series by name, as the registered model makes its table."""
    cutoff, names = written(answered.cutoff), quantile_columns(answered.levels)
    return [
        {"unique_id": one.unique_id, "cutoff": cutoff, "ds": ds, "mean": mean, **dict(zip(names, values, strict=True))}
        for one in sorted(answered.told, key=lambda one: one.unique_id)
        for ds, mean, values in zip(one.ds_H, one.mean_H.tolist(), one.quantiles_HQ.tolist(), strict=True)
    ]


def _read(raw: bytes, service: Service, served: Served | None, *, csv: bool) -> ForecastRequest:
    params, most_series = Params(), service.settings.max_series
    if csv:
        table = Long.of_csv(raw)
    else:
        body, _ = decode(raw)
        invocation = checked(Invocation, body, most_series=most_series)
        table, params = invocation.table, invocation.params or params
    spec = served.forecaster.spec if served is not None else None
    return table.request(spec, _asked(params), most_series=most_series)


def _asked(params: Params) -> Mapping[str, Any]:
    asked = {"cutoff": params.cutoff, "horizon": params.horizon, "quantiles": params.quantiles}
    return {"store": params.store, **{name: value for name, value in asked.items() if value}}
