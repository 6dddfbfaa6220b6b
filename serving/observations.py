"""`POST /v1/observations`: measured demand and covariates go into the store; the same again is no news."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from forecast.errors import RequestError
from forecast.settings import Settings
from forecast.store import IngestReport, Store, catalogue
from serving.answers import JsonAnswer, encode
from serving.bodies import Plain
from serving.delivered import Delivered, Observations
from serving.delivered_csv import read_csv
from serving.dependencies import ServiceNow
from serving.parsing import parse_as
from serving.problems import Problem
from serving.service import Service
from serving.telemetry import Telemetry

router = APIRouter(prefix="/v1", tags=["observations"])

SOURCE = "api"
"""The name under which the store knows what came this way."""
PATIENCE_S = 30.0
CSV = "text/csv"
MEDIA = ("application/json", CSV)
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body is not JSON"},
    409: {"model": Problem, "description": "The Idempotency-Key stands for another body"},
    413: {"model": Problem, "description": "The body is too large"},
    415: {"model": Problem, "description": "The body is declared neither as JSON nor as CSV"},
    422: {"model": Problem, "description": "The data is wrong or contradicts what is stored; nothing of it is stored"},
    503: {"model": Problem, "description": "The store does not answer; nothing is stored"},
}


class Stored(BaseModel):
    """What became of the values of a body."""

    rows: int = Field(description="Numbers that it held.")
    new: int = Field(description="Of periods that had none, and further forecasts of what is known ahead.")
    revised: int = Field(description="Of periods that had other ones; what a past moment knew stays as it was.")
    unchanged: int = Field(description="Stored already.")
    late: int = Field(description="New ones that count as known only since now.")


@router.post("/observations", summary="Store measured values", responses={200: {"model": Stored}, **_REFUSALS})
async def post_observations(
    request: Request, service: ServiceNow,
    known: Annotated[list[str] | None, Query(max_length=64, description="Of CSV: columns known ahead.")] = None,
    zone: Annotated[Plain | None, Query(max_length=64, description="Of CSV: civil zone of its series.")] = None,
    unit: Annotated[Plain | None, Query(max_length=8, description="Of CSV: MW, kW, GW, MWh or kWh.")] = None,
    step: Annotated[Plain | None, Query(max_length=20, description="Of CSV: length of a period, as `P1D`.")] = None,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=255, description="For a day the same key has the same answer.")
    ] = None,
) -> Response:  # fmt: skip
    """Stores values with the moment at which they became known, all or nothing.

    A number that contradicts a stored one is a revision: it counts from `available_at`, else from now. JSON as
    described, or `text/csv` with the columns `unique_id`, `ds`, numbers, and `available_at` where it is told; what JSON
    says of a series, the address of CSV says of all of them.
    """
    media = _declared(request)
    said = {"zone": zone, "unit": unit, "step": step}
    for name in [name for name, value in {"known": known, **said}.items() if value and media != CSV]:
        raise RequestError(f"{name} in the address", f"{name} in the body of JSON", "move it there", column=name)
    raw = await request.body()
    key = None if idempotency_key is None else f"{request.scope.get('state', {}).get('key', '')}:{idempotency_key}"
    work = (raw, media, tuple(known or ()), said, key, service)
    return JsonAnswer(await service.keeper.put(_store, *work, within=PATIENCE_S))


def _store(
    store: Store, raw: bytes, media: str, known: Sequence[str], said: Mapping[str, str | None], key: str | None,
    service: Service,
) -> bytes:  # fmt: skip
    settings = service.settings
    body = parse_as(Observations, raw, most_series=settings.max_series) if media != CSV else None
    with store.snapshot() as connection:
        named = None if body is None else [one.unique_id for one in body.series]
        entries = catalogue.entries(connection, named)
        roles = {name: role for name, (_, role) in catalogue.variables(connection).items()}
    # Of what only a request has named, whoever tells is the first.
    told = {name: one for name, one in entries.items() if not one.asked}
    delivered = Delivered.of(body, told) if body is not None else read_csv(raw, known, told, said)
    _check_size(delivered, settings)
    batch = delivered.batch(roles)
    if key is None:
        return _answer(store.add(batch, SOURCE), service.telemetry)
    words = [media, *known, *(f"{name}={value}" for name, value in said.items() if value)]
    sent = b"\0".join([*(word.encode() for word in words), raw])
    return store.add_once(batch, SOURCE, key, sent, partial(_answer, telemetry=service.telemetry))


def _answer(report: IngestReport, telemetry: Telemetry) -> bytes:
    telemetry.observations(new=report.new, revised=report.revised, unchanged=report.known)
    return encode(
        {
            "rows": report.values, "new": report.new, "revised": report.revised, "unchanged": report.known,
            "late": report.late,
        }
    )  # fmt: skip


def _check_size(delivered: Delivered, settings: Settings) -> None:
    if delivered.rows > settings.max_rows:
        raise RequestError(f"{delivered.rows:,} rows", f"at most {settings.max_rows:,} in one request", "send several")
    if len(delivered.names) > settings.max_series:
        raise RequestError(
            f"{len(delivered.names)} series", f"at most {settings.max_series} in one request", "split the request"
        )


def _declared(request: Request) -> str:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in MEDIA:
        raise HTTPException(415, f"Content-Type is '{media[:100]}'; expected {' or '.join(MEDIA)}")
    packed = request.headers.get("content-encoding", "identity").lower()
    if packed != "identity":
        raise HTTPException(415, f"Content-Encoding is '{packed[:100]}'; expected a plain body")
    return media
