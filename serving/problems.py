"""What went wrong, said in `application/problem+json` (RFC 9457) with types that stay the same between versions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from forecast.errors import (
    DataError,
    DeclarationError,
    ForecastError,
    KeyReused,
    ModelFolderError,
    NoSeries,
    NotEnoughHistory,
    RegistryError,
    RequestError,
    StoreError,
)

MEDIA_TYPE = "application/problem+json"
SHOWN_STAMPS = 20
_SECRET = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True)
class Kind:
    """One type of problem: its name in the address `/problems/NAME`, its status, and what it means."""

    name: str
    status: int
    title: str
    meaning: str


KINDS = {
    kind.name: kind
    for kind in (
        Kind("malformed", 400, "The body is not JSON", "The body cannot be read; `detail` names the place."),
        Kind("unauthorized", 401, "A key is needed", "Send `Authorization: Bearer fk_...` or `X-API-Key: fk_...`."),
        Kind("forbidden", 403, "This key may not do that", "Ask for a key with the scope that `detail` names."),
        Kind("not-found", 404, "Nothing at this address", "See /docs for the addresses."),
        Kind(
            "no-series", 404, "The store holds no such series", "`series` names it; GET /v1/series lists what there is."
        ),
        Kind("method", 405, "This address answers other methods", "The header `Allow` lists them."),
        Kind("slow-body", 408, "The body did not arrive in time", "Send it again, faster or in smaller parts."),
        Kind("not-acceptable", 406, "No format that you accept", "`Accept` JSON, CSV, Parquet or an Arrow stream."),
        Kind("conflict", 409, "The key stands for another body", "Send this one under an Idempotency-Key of its own."),
        Kind("too-large", 413, "The body is too large", "Send fewer series or less history in one request."),
        Kind("media-type", 415, "The body is not declared as JSON", "Send `Content-Type: application/json`."),
        Kind("data", 422, "The data is wrong", "Stamps, numbers or units; `series`, `column`, `stamps` say where."),
        Kind("not-enough-history", 422, "Too little history", "No value is known that the model could start from."),
        Kind("declaration", 422, "The data is declared wrongly", "An unknown zone or unit."),
        Kind("request", 422, "The request cannot be answered", "A field is unknown, missing, contradicting or large."),
        Kind("too-many", 429, "Too many requests with this key", "Wait the seconds in `Retry-After`."),
        Kind("large-head", 431, "The headers are too large", "Send fewer or shorter headers."),
        Kind("internal", 500, "The service failed", "A defect; its log holds the cause under `request_id`."),
        Kind("no-model", 503, "No model is loaded", "The registry had no usable champion; `do` says how to get one."),
        Kind("not-promoted", 409, "The version is not served", "It cannot be read, or fails when tried; see `detail`."),
        Kind("store", 503, "The store does not answer", "What needs no store goes on; ask again after `Retry-After`."),
        Kind("registry", 503, "The registry does not answer", "What is served goes on being served; ask again later."),
        Kind("busy", 503, "Too many requests are waiting", "Send it again after the seconds in `Retry-After`."),
        Kind("timeout", 503, "The answer took too long", "Ask for less, or send it again later."),
        Kind("http", 400, "The request was refused", "See `detail`."),
    )
}
_OF_ERROR: Mapping[type[ForecastError], str] = {
    NotEnoughHistory: "not-enough-history",
    DataError: "data",
    DeclarationError: "declaration",
    NoSeries: "no-series",
    RequestError: "request",
    RegistryError: "no-model",
    ModelFolderError: "no-model",
    KeyReused: "conflict",
    StoreError: "store",
}
_OF_STATUS = {
    400: "malformed", 404: "not-found", 405: "method", 406: "not-acceptable", 413: "too-large", 415: "media-type",
    503: "busy",
}  # fmt: skip


class Problem(BaseModel):
    """An answer that says what was found, what was expected and what to do (RFC 9457)."""

    type: str = Field(description="Stable address of the kind of problem.", examples=["/problems/data"])
    title: str = Field(description="The kind in words.")
    status: int = Field(description="The HTTP status again.")
    detail: str = Field(description="This problem in one sentence.")
    instance: str = Field(description="The path that was asked.")
    request_id: str = Field(description="As in the header X-Request-ID; the service's log has it, too.")
    found: str | None = Field(None, description="What was met.")
    expected: str | None = Field(None, description="What would have been right.")
    do: str | None = Field(None, description="What to do next.")
    series: str | None = Field(None, description="The series concerned.")
    column: str | None = Field(None, description="The column or field concerned.")
    stamps: list[str] = Field([], description=f"The stamps or rows concerned, {SHOWN_STAMPS} at the most.")


def problem(scope: Mapping[str, Any], name: str, detail: str, *, status: int | None = None,
            headers: Mapping[str, str] | None = None, **members: object) -> Response:  # fmt: skip
    """One problem as a response.

    Args:
        scope: of the request that is answered.
        name: a key of `KINDS`.
        detail: one sentence.
        status: where it differs from the kind's.
        headers: more of them.
        members: more fields of `Problem`; empty ones are left out.
    """
    kind = KINDS[name]
    body = {
        "type": f"/problems/{name}",
        "title": kind.title,
        "status": status or kind.status,
        "detail": _SECRET.sub("", detail),
        "instance": str(scope.get("path", "")),
        "request_id": str(scope.get("state", {}).get("request_id", "")),
    }
    body |= {
        key: _SECRET.sub("", value) if isinstance(value, str) else value for key, value in members.items() if value
    }
    # The standard library escapes what is no valid UTF-8, where orjson would refuse to quote a broken request.
    return Response(json.dumps(body), status or kind.status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def of_error(scope: Mapping[str, Any], error: ForecastError) -> Response:
    """A mistake that a user can mend, as a response."""
    name = next((_OF_ERROR[kind] for kind in type(error).__mro__ if kind in _OF_ERROR), "internal")
    if KINDS[name].status == 422 and "--" in error.do:
        # Advice for the command line; a caller over HTTP has no flags.
        error = type(error)(error.found, error.expected, "correct the request and send it again",
                            series=error.series, column=error.column, stamps=error.stamps)  # fmt: skip
    headers = {"Retry-After": "30"} if KINDS[name].status == 503 else {}
    return problem(
        scope, name, str(error), headers=headers, found=error.found, expected=error.expected, do=error.do,
        series=error.series, column=error.column, stamps=list(error.stamps[:SHOWN_STAMPS]),
    )  # fmt: skip


def of_http(scope: Mapping[str, Any], error: HTTPException) -> Response:
    """A refusal by status, as a response."""
    name = _OF_STATUS.get(error.status_code, "http")
    return problem(scope, name, str(error.detail), status=error.status_code, headers=error.headers)


async def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ForecastError)
    return of_error(request.scope, error)


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = of_http(request.scope, error)
    if error.status_code == 405 and (methods := _methods(request)):
        answer.headers["allow"] = ", ".join(methods)
    return answer


def _methods(request: Request) -> list[str]:
    """All methods of an address, which may have a route for each: the router names those of the first."""
    path = str(getattr(request.scope.get("route"), "path", "")).replace(":path}", "}")
    operations = request.app.openapi()["paths"].get(path, {})
    return sorted(name.upper() for name in operations)


async def _answer_parameter(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"][1:]))
    return of_error(request.scope, RequestError(f"{name}: {first['msg'].lower()}", "see /docs", column=name))


def install(app: FastAPI) -> None:
    """Makes an application answer its errors as problems."""
    app.add_exception_handler(ForecastError, _answer_error)
    app.add_exception_handler(RequestValidationError, _answer_parameter)
    app.add_exception_handler(HTTPException, _answer_http)
