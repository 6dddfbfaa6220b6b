"""`create_app`: the HTTP application, put together."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

import forecast
from forecast.errors import ForecastError
from forecast.forecaster import Forecaster
from forecast.settings import Settings
from serving import (
    forecasts,
    health,
    inference,
    metrics,
    models,
    observations,
    page,
    pages,
    problems,
    protocols,
    realised,
    records,
    series,
    status,
)
from serving.access import Guard
from serving.lane import Lane
from serving.limits import BodyLimit, TimeLimit
from serving.schema import DESCRIPTION, TAGS, TITLE, DescribedApp
from serving.served import Served
from serving.service import Service
from serving.trace import Trace
from serving.trial import try_out

SENT = ["authorization", "x-api-key", "content-type", "accept", "idempotency-key", "traceparent", "x-request-id"]
"""Headers that a page of another origin may send."""
SEEN = ["x-request-id", "traceresponse", "ratelimit", "ratelimit-policy", "retry-after"]
"""Headers that it may read."""
log = logging.getLogger("serving")


def create_app(settings: Settings | None = None, forecaster: Forecaster | None = None) -> FastAPI:
    """The application; its model is loaded when it starts.

    Args:
        settings: of this process; read from the environment where None.
        forecaster: answers instead of the registered champion.
    """
    settings = settings or Settings.read()
    app = DescribedApp(
        title=TITLE, description=DESCRIPTION, version=forecast.__version__, openapi_tags=TAGS, lifespan=_lifespan,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"}, docs_url=None, redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )  # fmt: skip
    app.state.settings = settings
    app.state.service = service = Service.of(settings, Served.given(forecaster) if forecaster is not None else None)
    app.state.champion, app.state.desk = service.champion, service.desk
    problems.install(app)
    pages.install(app)
    page.install(app)
    parts = (forecasts, records, observations, models, health, metrics, status, realised, series, protocols, inference)
    for part in parts:
        app.include_router(part.router)
    app.add_api_route("/problems/{name}", _kind_of_problem, include_in_schema=False)
    _guard(app, service)
    return app


def _guard(app: FastAPI, service: Service) -> None:
    """What stands between a caller and the endpoints; the last one added meets a request first."""
    settings, telemetry = service.settings, service.telemetry
    app.add_middleware(Lane, service=service)
    app.add_middleware(BodyLimit, most=settings.max_body_bytes)
    app.add_middleware(TimeLimit, seconds=settings.request_timeout_s, telemetry=telemetry)
    app.add_middleware(Guard, access=service.access, telemetry=telemetry)
    if origins := [one.strip() for one in settings.origins.split(",") if one.strip()]:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=SENT,
            expose_headers=SEEN,
        )
    app.add_middleware(Trace, telemetry=telemetry, log_every=settings.log_every, spans=telemetry.spans)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Loads the champion before the first request; without one the service starts all the same and says so."""
    service: Service = app.state.service
    await anyio.to_thread.run_sync(service.follower.start)
    if service.champion.loaded and not service.champion.now().ref.digest:
        # A version that was looked up has been tried already; this one was handed over.
        await anyio.to_thread.run_sync(_warm_up, service)
    async with anyio.create_task_group() as group:
        group.start_soon(service.follower.run)
        group.start_soon(service.shadow.run)
        group.start_soon(service.judge.run)
        yield
        group.cancel_scope.cancel()
    service.memory.close()
    service.telemetry.close()


def _warm_up(service: Service) -> None:
    """Answers examples, so that no caller waits for what loads on first use; nobody asked, so nothing is counted."""
    served = service.champion.now()
    try:
        try_out(served.forecaster, served.ref, service.settings)
    except ForecastError as error:
        # Callers may fare better than an example.
        log.error("%s", error)


async def _kind_of_problem(name: str) -> Response:
    """What a problem's `type` means, for those who follow it."""
    if name not in problems.KINDS:
        raise HTTPException(404, f"no kind of problem is called '{name}'; there are {', '.join(problems.KINDS)}")
    kind = problems.KINDS[name]
    return Response(f"{kind.title} ({kind.status})\n\n{kind.meaning}\n", media_type="text/plain")
