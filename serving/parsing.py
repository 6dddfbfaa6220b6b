"""From bytes to a `ForecastRequest`, and from what is wrong with them to a sentence that names the place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException

from forecast.errors import DataError, ForecastError, RequestError
from serving.bodies import LARGEST, ForecastRequest
from serving.problems import SHOWN_STAMPS

Request = TypeVar("Request", bound=BaseModel)

MOST_FIELDS = 64
_COLUMNS = ("history", "future")
_INNER = (*_COLUMNS, "static")


def parse(raw: bytes, *, most_series: int) -> ForecastRequest:
    """Reads a request.

    Raises:
        HTTPException: 400, it is not JSON.
        DataError: a value is not what a column holds.
        RequestError: a field is missing, unknown or contradicting; or there are too many.
    """
    return parse_as(ForecastRequest, raw, most_series=most_series)


def parse_as(kind: type[Request], raw: bytes, *, most_series: int) -> Request:
    """Reads a body of some kind that holds `series`; raises as `parse`."""
    body, why = decode(raw)
    request = checked(kind, body, most_series=most_series)
    if why:
        raise HTTPException(400, why)
    return request


def checked(kind: type[Request], body: Any, *, most_series: int) -> Request:
    """A body that was read already, as what it should be.

    Raises:
        DataError: a value is not what a column holds.
        RequestError: a field is missing, unknown or contradicting; or there are too many.
    """
    _check_size(body, most_series)
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise _told(error.errors(include_url=False, include_context=False)[0], body) from None


def decode(raw: bytes) -> tuple[Any, str]:
    """The body; and why it is not JSON where only Python's lenient reader took it (NaN, Infinity)."""
    if not raw.strip():
        raise HTTPException(400, "the body is empty; expected a JSON object with `series`")
    try:
        return orjson.loads(raw), ""
    except orjson.JSONDecodeError as strict:
        why = f"the body is not JSON ({strict}); NaN and Infinity are not part of JSON: send null for missing values"
        try:
            return json.loads(raw), why
        except (ValueError, RecursionError):
            raise HTTPException(400, why) from None


def _check_size(body: Any, most_series: int) -> None:
    """What would make the thorough check slow is refused before it."""
    series = body.get("series") if isinstance(body, dict) else None
    series = series if isinstance(series, list) else []
    if len(series) > most_series:
        raise RequestError(f"{len(series)} series", f"at most {most_series} in one request", "split the request")
    inner = [one.get(name) for one in series if isinstance(one, dict) for name in _INNER]
    most = 0
    for part in (body, *series, *inner):
        if isinstance(part, dict) and len(part) > most:
            most = len(part)
    if most > MOST_FIELDS:
        raise RequestError(f"an object with {most} fields", f"at most {MOST_FIELDS}", "leave out what is not read")


def _told(error: ErrorDetails, body: Any) -> ForecastError:
    """The first thing that pydantic found wrong, as an error of the house."""
    place: Sequence[int | str] = error["loc"]
    name = _series_at(body, place)
    if len(place) >= 5 and place[2] in _COLUMNS:
        return _told_of_column(error, body["series"][place[1]], name)
    field = str(place[-1]) if place else None
    if place and place[0] == "options":
        field = ".".join(str(part) for part in place if not isinstance(part, int))
    shown = ".".join(map(str, place)) or "the body"
    if error["type"] == "missing":
        found, expected, do = f"no field '{shown}'", "the fields that /docs requires", "add it"
    elif error["type"] == "extra_forbidden":
        found, expected, do = f"unknown field '{shown}'", "only the fields under /docs", "leave it out"
    else:
        said = error["msg"].removeprefix("Value error, ")
        found, expected, do = f"{shown}: {said[0].lower()}{said[1:]}", "", "see the schema under /docs"
    return RequestError(found, expected, do, series=name, column=field)


def _told_of_column(error: ErrorDetails, one: dict[str, Any], name: str | None) -> DataError:
    """A value in a column of a series: all its likes are named by their stamps."""
    part, column = map(str, error["loc"][2:4])
    values = one[part][column]
    stamped = column in ("ds", "available_at")
    fits = {"ds": _is_text, "available_at": _is_text_or_null}.get(column, _is_number)
    rows = [row for row, value in enumerate(values) if not fits(value)]
    stamps = one[part].get("ds")
    at = stamps if isinstance(stamps, list) and len(stamps) == len(values) and not stamped else None
    named = [f"{at[row] if at else f'row {row}'}: {values[row]!r:.40}" for row in rows[:SHOWN_STAMPS]]
    kind = "texts with a time" if stamped else "finite numbers, or null where a value is missing"
    return DataError(
        f"{len(rows)} of {len(values)} values are not {'stamps' if stamped else 'numbers'}", kind,
        "correct them and send it again", series=name, column=column, stamps=named,
    )  # fmt: skip


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_null(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_number(value: object) -> bool:
    if value is None:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def _series_at(body: Any, place: Sequence[int | str]) -> str | None:
    if len(place) < 2 or place[0] != "series" or not isinstance(place[1], int):
        return None
    one = body["series"][place[1]]
    name = one.get("unique_id") if isinstance(one, dict) else None
    return str(name)[:200] if name is not None else f"number {place[1]}"
