"""What was said before: `GET /v1/forecasts/{id}` and `GET /v1/forecasts`, out of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import pandas as pd
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from forecast.calendars import is_day_clock, moment_outside, outside
from forecast.store import Store
from forecast.store.kept import Kept, kept_of, kept_under
from forecast.tables import quantile_column
from serving import formats
from serving.answers import JsonAnswer
from serving.asked import no_series
from serving.bodies import ForecastAnswer, Plain
from serving.dependencies import ServiceNow
from serving.problems import Problem
from serving.stamps import read_stamp, written
from serving.told import Told

router = APIRouter(prefix="/v1", tags=["forecasts"])

MOST = 1000
DAY = r"^(19|20|21)\d\d-\d\d-\d\d$"
_REFUSALS: dict[int | str, dict[str, Any]] = {
    406: {"model": Problem, "description": "No format that you accept"},
    422: {"model": Problem, "description": "A parameter is wrong"},
    503: {"model": Problem, "description": "The store does not answer"},
}


class RecordedForecast(BaseModel):
    """What was said of one series from one cutoff."""

    id: str
    unique_id: str
    cutoff: str
    issued_at: str
    delivery_day: str | None
    gate: str | None
    model: str
    model_version: str | None
    rung: str
    reason: str | None
    unit: str
    ds: list[str]
    mean: list[float]
    quantiles: dict[str, list[float]]
    warnings: list[str]


class RecordedForecasts(BaseModel):
    """The forecasts of one series, oldest cutoff first."""

    forecasts: list[RecordedForecast] = Field(description="Those that were issued last, where there are more.")


@router.get(
    "/forecasts/{id}", summary="An answer that was given before",
    responses={
        200: {"model": ForecastAnswer, "content": formats.TABLES},
        404: {"model": Problem, "description": "The ledger holds no such answer"}, **_REFUSALS,
    },
)  # fmt: skip
async def get_forecast(
    request: Request, service: ServiceNow, id: Annotated[Plain, Path(min_length=1, max_length=200)]
) -> Response:
    """The answer as it was given, bit for bit; options are not kept."""
    media = formats.chosen(request)
    kept = await service.keeper.ask(_under, id)
    if not kept:
        raise HTTPException(404, f"the ledger holds no forecast '{id}'")
    return JsonAnswer(_answer(kept)) if media == formats.JSON else _table(kept, media)


@router.get(
    "/forecasts", summary="What was said of a series",
    responses={
        200: {"model": RecordedForecasts, "content": formats.TABLES},
        404: {"model": Problem, "description": "The store holds no such series"}, **_REFUSALS,
    },
)  # fmt: skip
async def get_forecasts(
    request: Request, service: ServiceNow,
    series: Annotated[Plain, Query(min_length=1, max_length=200, description="Its name.")],
    delivery_day: Annotated[str | None, Query(pattern=DAY, description="Only what was asked for this day.")] = None,
    as_of: Annotated[str | None, Query(max_length=40, description="Only what was issued by then, with zone.")] = None,
    first: Annotated[str | None, Query(max_length=40, description="Only what reaches this stamp or later.")] = None,
    last: Annotated[str | None, Query(max_length=40, description="Only what begins by this stamp.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST, description="Those that were issued last.")] = 100,
) -> Response:  # fmt: skip
    """Forecasts of one series from the ledger, oldest cutoff first."""
    media = formats.chosen(request)
    bounds = {
        name: None if text is None else int(read_stamp(text, column=name).value // 10**9)
        for name, text in (("as_of", as_of), ("first", first), ("last", last))
    }
    kept = await service.keeper.ask(_of, series, {"delivery_day": delivery_day, "limit": limit, **bounds})
    return JsonAnswer({"forecasts": [_entry(one) for one in kept]}) if media == formats.JSON else _table(kept, media)


def _under(store: Store, id: str) -> list[Kept]:
    with store.snapshot() as connection:
        return kept_under(connection, id)


def _of(store: Store, series: str, wanted: dict[str, Any]) -> list[Kept]:
    from forecast.store import catalogue

    with store.snapshot() as connection:
        found = kept_of(connection, series, **wanted)
        if not found and not catalogue.entries(connection, [series]):
            raise no_series(series)
    return found


def _answer(kept: Sequence[Kept]) -> dict[str, Any]:
    """The rows of one id as `ForecastAnswer`."""
    head = kept[0]
    told = [_told(one) for one in kept]
    model = {"name": head.model, "version": head.model_version, "run_id": None, "alias": None, "recipe": None}
    return {
        "id": head.id, "recorded": True, "issued_at": _moment(head.issued_at),
        "model": None if head.model in formats.RUNGS else model, "rung": formats.lowest(told),
        "cutoff": _cutoff(head), "unit": head.unit, "quantiles": head.levels, "warnings": head.warnings,
        "forecasts": [
            {"unique_id": one.unique_id, "ds": one.ds_H, "mean": _plain(one.mean_H),
             "quantiles": _quantiles(one, head.levels), "rung": one.rung, "reason": one.reason}
            for one in told
        ],
    }  # fmt: skip


def _entry(one: Kept) -> dict[str, Any]:
    told = _told(one)
    return {
        "id": one.id, "unique_id": one.unique_id, "cutoff": _cutoff(one), "issued_at": _moment(one.issued_at),
        "delivery_day": one.delivery_day, "gate": one.gate, "model": one.model, "model_version": one.model_version,
        "rung": one.rung, "reason": one.reason, "unit": one.unit, "ds": told.ds_H, "mean": _plain(told.mean_H),
        "quantiles": _quantiles(told, one.levels), "warnings": one.warnings,
    }  # fmt: skip


def _table(kept: Sequence[Kept], media: str) -> Response:
    parts = [formats.Part(_cutoff64(one), one.levels, _told(one)) for one in kept]
    return formats.table_response(formats.forecast_columns(parts), media, "forecasts")


def _told(one: Kept) -> Told:
    """The arrays of an entry, civil days as they were lived."""
    ds_H = one.ds_H.astype("datetime64[s]").astype("datetime64[ns]")
    if one.zone is not None and is_day_clock(one.zone):
        ds_H = outside(pd.DatetimeIndex(ds_H, tz="UTC"), one.zone).to_numpy(dtype="datetime64[ns]")
    return Told(one.unique_id, ds_H, one.mean_H, one.quantiles_HQ, one.rung, one.reason)


def _quantiles(one: Told, levels: Sequence[float]) -> dict[str, Any]:
    return {quantile_column(level): _plain(one.quantiles_HQ[:, place]) for place, level in enumerate(levels)}


def _plain(values: Any) -> Any:
    return np.ascontiguousarray(values)


def _cutoff(one: Kept) -> str:
    moment = pd.Timestamp(one.cutoff * 10**9, tz="UTC")
    return written(moment_outside(moment, one.zone) if one.zone is not None else moment)


def _cutoff64(one: Kept) -> np.datetime64:
    return np.datetime64(_cutoff(one).removesuffix("Z"), "s")


def _moment(seconds: int) -> str:
    return written(pd.Timestamp(seconds * 10**9, tz="UTC"))
