"""`GET /v1/models`: what answers now, and what it needs."""

from __future__ import annotations

from typing import Annotated, Any

import anyio.to_thread
import pandas as pd
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from forecast import clock
from forecast.errors import RegistryError
from forecast.forecaster import MAX_HORIZON_DAYS, ForecasterSpec
from forecast.registry.pages import page_root, version_page
from forecast.registry.reader import ModelVersion, versions
from forecast.settings import Settings
from serving.answers import JsonAnswer
from serving.bodies import ModelName
from serving.dependencies import ServiceNow
from serving.problems import Problem, problem
from serving.served import Served
from serving.stamps import write_step
from serving.status import ROLES, Entry, Following, in_use

router = APIRouter(prefix="/v1", tags=["models"])

SHOWN_SERIES = 50


class Needs(BaseModel):
    """What a request has to hold."""

    step: str = Field(description="Length of a period, ISO 8601.")
    step_seconds: int
    history_columns: list[str] = Field(description="Lists that `history` must hold.")
    history_steps: int = Field(description="Steps before the cutoff that are read; more is ignored, fewer is padded.")
    context_steps: int = Field(description="Of these, the steps that the network itself sees.")
    future_columns: list[str] = Field(description="Lists that `future` should hold over the horizon.")
    static_columns: list[str] = Field(description="Numbers that `static` must hold.")
    delay_seconds: int = Field(description="A value counts as known this long after its period's end.")


class ModelInfo(ModelName):
    """A model in use."""

    description: str
    kind: str
    digest: str = Field(description="SHA-256 of its folder's manifest.")
    unit: str
    zone: str = Field(description="Civil zone of a series that names none.")
    country: str | None = Field(description="Whose public holidays its calendar marks.")
    horizon: int = Field(description="Steps that it forecasts by itself.")
    gate: str | None = Field(description="When a delivery day is due that it learned to forecast, as `D-1T10:00`.")
    max_horizon: int = Field(description="Steps that may be asked for.")
    quantiles: list[float]
    series: list[str] = Field(description=f"That it was trained on, {SHOWN_SERIES} at the most.")
    series_count: int
    trained_from: str
    trained_until: str
    weather: str = Field(description="How covariates known ahead came in training.")
    mlflow: str | None = Field(description="Its page in MLflow, where that has an http address.")
    needs: Needs


class RegisteredVersion(BaseModel):
    """A version in the registry."""

    name: str
    version: str
    run_id: str | None
    created: str
    aliases: list[str]
    description: str
    mlflow: str | None = Field(description="Its page in MLflow, where that has an http address.")


class ModelsAnswer(BaseModel):
    """Models in use, and on request all that are registered."""

    models: list[ModelInfo] = Field(description="What answers now; empty as long as nothing is loaded.")
    champion: Entry | None = Field(description="What answers now.")
    previous: Entry | None = Field(description="What answered before; it is gone back to when the champion errs.")
    challenger: Entry | None = Field(description="What is asked the same, behind the callers' backs.")
    follower: Following
    registered: list[RegisteredVersion] | None = Field(None, description="Newest first; only with `registered=true`.")


class ReloadAnswer(BaseModel):
    """What a look at the registry changed."""

    changed: list[str] = Field(description="Roles that another version holds now.")
    champion: Entry | None
    previous: Entry | None
    challenger: Entry | None
    follower: Following


@router.get(
    "/models", summary="What answers now, and what it needs",
    responses={200: {"model": ModelsAnswer}, 503: {"model": Problem, "description": "The registry does not answer"}},
)  # fmt: skip
async def get_models(
    service: ServiceNow,
    registered: Annotated[bool, Query(description="Also list the registry's versions and aliases (slow).")] = False,
) -> Response:  # fmt: skip
    """The model in use: name, version, what it was trained on, and which history and columns a request has to hold."""
    champion = service.champion.roles.champion
    content: dict[str, Any] = {
        "models": [describe(champion, service.settings)] if champion is not None else [],
        **in_use(service),
    }
    if registered:
        found = await anyio.to_thread.run_sync(versions, service.settings)
        content["registered"] = [_registered(one, service.settings) for one in found]
    return JsonAnswer(content)


@router.post(
    "/models/reload", summary="Look at the registry now",
    responses={
        200: {"model": ReloadAnswer},
        409: {"model": Problem, "description": "What the alias points to cannot be served; the version before goes on"},
        503: {"model": Problem, "description": "The registry does not answer; what is served goes on"},
    },
)  # fmt: skip
async def post_reload(request: Request, service: ServiceNow) -> Response:
    """Serves what the registry's aliases point to now, without waiting for the next look.

    A version that was refused, or that was returned from because it erred, is tried again. A model that the settings
    name by folder or number is read anew.
    """
    before = in_use(service)
    await service.follower.reload()
    error = service.follower.error
    if error is not None:
        name = "registry" if isinstance(error, RegistryError) else "not-promoted"
        return problem(request.scope, name, str(error), found=error.found, expected=error.expected, do=error.do)
    after = in_use(service)
    changed = [role for role in ROLES if _digest(before[role]) != _digest(after[role])]
    return JsonAnswer({"changed": changed, **after})


def _digest(entry: dict[str, Any] | None) -> tuple[str, str] | None:
    return (entry["version"], entry["digest"]) if entry else None


def describe(served: Served, settings: Settings) -> dict[str, Any]:
    """A model in use, as `ModelInfo`."""
    spec, ref = served.forecaster.spec, served.ref
    info = ModelInfo(
        name=ref.name, version=ref.version, run_id=ref.run_id, alias=ref.alias, recipe=spec.name,
        description=spec.recipe.description, kind=spec.recipe.model.kind, digest=ref.digest, unit=spec.unit,
        zone=clock.lived_zone(spec.zone), country=spec.country, horizon=spec.task.horizon, gate=spec.task.gate,
        max_horizon=MAX_HORIZON_DAYS * max(1, int(pd.Timedelta(days=1) / spec.step)),
        quantiles=list(spec.recipe.quantiles), series=list(spec.series[:SHOWN_SERIES]), series_count=len(spec.series),
        trained_from=spec.trained_from,
        trained_until=spec.trained_until, weather=spec.weather,
        mlflow=_page(settings, ref.name, ref.version), needs=_needs(spec),
    )  # fmt: skip
    return info.model_dump()


def _needs(spec: ForecasterSpec) -> Needs:
    return Needs(
        step=write_step(spec.step), step_seconds=spec.step_seconds, history_columns=["y", *spec.past, *spec.known],
        history_steps=spec.reach(spec.task.horizon), context_steps=spec.context,
        future_columns=list(spec.known), static_columns=list(spec.static), delay_seconds=spec.delay_seconds,
    )  # fmt: skip


def _page(settings: Settings, name: str, version: str | None) -> str | None:
    """A version's page in MLflow; None for a plain folder, or where MLflow has no address for a browser."""
    if version is None or page_root(settings) is None:
        return None
    return version_page(settings, version, name)


def _registered(one: ModelVersion, settings: Settings) -> dict[str, Any]:
    return RegisteredVersion(
        name=one.name, version=one.version, run_id=one.run_id, created=one.created, aliases=list(one.aliases),
        description=one.description, mlflow=_page(settings, one.name, one.version),
    ).model_dump()  # fmt: skip
