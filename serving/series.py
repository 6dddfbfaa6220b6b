"""The series that the store holds: what is known of them, their values, and what a forecast of them needs."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import pandas as pd
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection, func, select
from starlette.requests import Request
from starlette.responses import Response

from forecast.calendars import moment_outside
from forecast.clock import lived_zone
from forecast.store import Store, catalogue
from forecast.store.catalogue import TARGET, Entry
from forecast.store.schema import OBSERVATION, SERIES
from serving import formats
from serving.answers import JsonAnswer
from serving.asked import no_series
from serving.bodies import Plain
from serving.dependencies import ServedNow, ServiceNow
from serving.needs import Wanted, requirements
from serving.problems import Problem
from serving.shown import Look, Shown, look
from serving.stamps import read_stamp, write_step, written

router = APIRouter(prefix="/v1", tags=["series"])

MOST_SERIES, MOST_PERIODS = 1000, 50_000
DAY = r"^(19|20|21)\d\d-\d\d-\d\d$"
Name = Annotated[Plain, Path(min_length=1, max_length=200, description="Of the series.")]
Stamp = Annotated[str | None, Query(max_length=40, description="ISO 8601 with zone.")]
_DOWN: dict[int | str, dict[str, Any]] = {503: {"model": Problem, "description": "The store does not answer"}}
_WRONG: dict[int | str, dict[str, Any]] = {
    422: {"model": Problem, "description": "A parameter is wrong"}, **_DOWN,
}  # fmt: skip
_NONE: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "There is no such series"}}


class SeriesDescription(BaseModel):
    """What is known of a series."""

    unique_id: str
    zone: str
    unit: str
    step: str
    delay: str
    country: str | None
    parent: str | None
    capacity: float | None
    latitude: float | None
    longitude: float | None
    static: dict[str, float]
    first: str | None = Field(description="Start of the first period with a demand; null where there is none.")
    last: str | None = Field(description="Start of the newest one.")


class SeriesList(BaseModel):
    """Series in the order of their names."""

    series: list[SeriesDescription]
    next: str | None = Field(description="Ask again with `after` set to it; null where these were all.")


class Missing(BaseModel):
    """Periods of which nothing is known."""

    first: str
    last: str


class ColumnNeeds(BaseModel):
    """What is read of one column."""

    name: str
    role: str = Field(description="`target`, `past`, or `known ahead`.")
    first: str | None = Field(description="Start of the first period that can touch the forecast.")
    last: str | None = Field(description="Start of the last one.")
    periods: int
    missing: int = Field(description="Of these, periods of which nothing is known.")
    missing_ranges: list[Missing]


class SeriesNeeds(BaseModel):
    """What a forecast of one series needs."""

    unique_id: str
    model: str
    step: str
    as_of: str
    cutoff: str
    static_missing: list[str]
    columns: list[ColumnNeeds]


class ObservationsAnswer(BaseModel):
    """Values by period, as `ds` and one list per column (`y`, covariates); null where nothing is known."""

    unique_id: str
    unit: str
    step: str
    more: bool = Field(description="Whether there are more periods than `limit`.")
    ds: list[str]
    columns: dict[str, list[float | None]]


@router.get("/series", summary="The series that the store holds", responses={200: {"model": SeriesList}, **_WRONG})
async def get_series(
    service: ServiceNow,
    after: Annotated[Plain | None, Query(max_length=200, description="Only names behind this one.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_SERIES)] = 100,
) -> Response:
    """Names, zones, units and spans, in the order of the names, so many at a time."""
    return JsonAnswer(await service.keeper.ask(_listed, after, limit))


@router.get(
    "/series/{unique_id:path}/requirements", summary="What a forecast of a series needs",
    responses={200: {"model": SeriesNeeds}, **_NONE, **_WRONG},
)  # fmt: skip
async def get_requirements(
    service: ServiceNow, served: ServedNow, unique_id: Name, as_of: Stamp = None,
    horizon: Annotated[int | None, Query(ge=1, description="Steps; the model's where left out.")] = None,
    delivery_day: Annotated[str | None, Query(pattern=DAY)] = None,
    gate: Annotated[str | None, Query(pattern=r"^D(-\d{1,2})?T\d\d:\d\d$")] = None,
) -> Response:  # fmt: skip
    """For each column that the champion reads: the first and last period, and what the store did not know `as_of` then.

    The cutoff is that of the gate, else the end of what was known.
    """
    wanted = Wanted(unique_id, as_of, horizon, delivery_day, gate)
    return JsonAnswer(await service.keeper.ask(requirements, wanted, served.forecaster.spec))


@router.get(
    "/series/{unique_id:path}/observations", summary="Stored values of a series",
    responses={200: {"model": ObservationsAnswer, "content": formats.TABLES}, **_NONE, **_WRONG},
)  # fmt: skip
async def get_observations(
    request: Request, service: ServiceNow, unique_id: Name,
    first: Stamp = None, last: Stamp = None, as_of: Stamp = None,
    columns: Annotated[str | None, Query(max_length=2000, description="Names, with commas between.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_PERIODS, description="Periods.")] = 1000,
) -> Response:  # fmt: skip
    """Values as they were known `as_of` a moment: from `first` on, else the newest ones."""
    media = formats.chosen(request)
    first_, last_, as_of_ = (
        None if text is None else read_stamp(text, column=name)
        for name, text in (("first", first), ("last", last), ("as_of", as_of))
    )
    names = tuple(dict.fromkeys(name.strip() for name in (columns or "").split(",") if name.strip()))
    shown = await service.keeper.ask(look, Look(unique_id, first_, last_, as_of_, names, limit))
    if media == formats.JSON:
        return JsonAnswer(_content(shown))
    series = np.full(len(shown.ds_N), shown.entry.info.unique_id, dtype=object)
    return formats.table_response({"unique_id": series, "ds": shown.ds_N, **shown.columns}, media, "observations")


# Last: a name may hold slashes.
@router.get(
    "/series/{unique_id:path}", summary="What is known of a series",
    responses={200: {"model": SeriesDescription}, **_NONE, **_WRONG},
)  # fmt: skip
async def get_one_series(service: ServiceNow, unique_id: Name) -> Response:
    """Its zone, unit, step and place, and from when to when it has values."""
    found = await service.keeper.ask(_one, unique_id)
    if found is None:
        raise no_series(unique_id)
    return JsonAnswer(found)


def _listed(store: Store, after: str | None, limit: int) -> dict[str, Any]:
    wanted = select(SERIES.c.unique_id).order_by(SERIES.c.unique_id).limit(limit + 1)
    wanted = wanted if after is None else wanted.where(SERIES.c.unique_id > after)
    with store.snapshot() as connection:
        names = connection.execute(wanted).scalars().all()
        some = list(names[:limit])
        found = catalogue.entries(connection, some)
        told = [_told(connection, found[name]) for name in some]
    return {"series": told, "next": some[-1] if len(names) > limit else None}


def _one(store: Store, name: str) -> dict[str, Any] | None:
    with store.snapshot() as connection:
        entry = catalogue.entries(connection, [name]).get(name)
        return None if entry is None else _told(connection, entry)


def _told(connection: Connection, entry: Entry) -> dict[str, Any]:
    info, table = entry.info, OBSERVATION.c
    number = catalogue.variables(connection).get(TARGET, (-1, ""))[0]
    mine = (table.series_id == entry.number, table.variable_id == number)
    ends = [connection.execute(select(end(table.ds)).where(*mine)).scalar() for end in (func.min, func.max)]
    plain = info.model_dump(include={"unique_id", "country", "parent", "capacity", "latitude", "longitude", "static"})
    zone = info.zone or "UTC"
    first, last = (
        None if one is None else written(moment_outside(pd.Timestamp(one * 10**9, tz="UTC"), zone)) for one in ends
    )
    lengths = {name: write_step(pd.Timedelta(seconds=getattr(entry, f"{name}_seconds"))) for name in ("step", "delay")}
    return {**plain, "zone": lived_zone(zone), "unit": str(info.unit), **lengths, "first": first, "last": last}


def _content(shown: Shown) -> dict[str, Any]:
    info = shown.entry.info
    return {
        "unique_id": info.unique_id, "unit": info.unit,
        "step": write_step(pd.Timedelta(seconds=shown.entry.step_seconds)), "more": shown.more, "ds": shown.ds_N,
        "columns": shown.columns,
    }  # fmt: skip
