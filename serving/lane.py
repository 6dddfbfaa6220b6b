"""`Lane`: the one address that must be fast is answered before the router, by the function that the router calls."""

from __future__ import annotations

from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from forecast.errors import ForecastError
from serving import forecasts, problems
from serving.service import Service

PATH = "/v1/forecasts"


class _Route(NamedTuple):
    """What the router would note of the address; counts and logs name requests by it."""

    path: str


class Lane:
    """ASGI middleware, the innermost: asks `forecasts.respond` at once, where FastAPI would walk through eight layers.

    What the router does for this address without being asked (cookies, query, dependencies, validation) it has no use
    for. Its description, and every other address, stay the router's.

    Args:
        app: the router.
        service: answers.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a forecast, or passes the request on."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        scope["route"] = _Route(PATH)
        try:
            response = await forecasts.respond(Request(scope, receive, send), self._service)
        except ForecastError as error:
            response = problems.of_error(scope, error)
        except HTTPException as error:
            response = problems.of_http(scope, error)
        await response(scope, receive, send)
