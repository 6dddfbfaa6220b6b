"""`GET /v1/status`: what is served, what was fallen back to, and how the parts of the service fare."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from serving.answers import JsonAnswer
from serving.dependencies import ServiceNow
from serving.service import Service

router = APIRouter(prefix="/v1", tags=["health"])
ROLES = ("champion", "previous", "challenger")


class Entry(BaseModel):
    """A version that is in memory."""

    name: str
    version: str | None
    run_id: str | None
    alias: str | None
    recipe: str
    digest: str = Field(description="SHA-256 of its folder's manifest.")
    since: str = Field(description="When it took this place.")
    users: int = Field(description="Requests that it is answering.")
    errors: int = Field(description="Answers that failed for reasons of its own.")


class RefusedVersion(BaseModel):
    """A version that is not served although an alias points to it."""

    alias: str
    version: str
    digest: str
    why: str
    since: str
    again_at: str | None = Field(description="When it is tried again; null until its alias moves, or on a reload.")


class Following(BaseModel):
    """How the registry is followed."""

    follows: str | None = Field(description="The alias that is followed; null for a folder or a version by its number.")
    every_s: float = Field(description="Seconds between two looks; 0 for none.")
    last_look: str | None
    last_error: str | None = Field(description="Why the last look came to nothing; null where all is as it should be.")
    standing_in: str | None = Field(description="Why something else is served than the registry names.")
    refused: list[RefusedVersion]
    draining: int = Field(description="Requests that versions no longer served are finishing.")


class LastSwap(BaseModel):
    """The last change of the champion."""

    outcome: str = Field(description="`swapped`, or `returned` to the previous version because the new one erred.")
    at: str
    before: str | None = Field(alias="from", description="null where nothing was served.")
    after: str = Field(alias="to")
    why: str


class Shadowing(BaseModel):
    """What became of the questions that the challenger was to be asked, too."""

    scored: int
    dropped: int
    failed: int
    waiting: int
    last_failure: str | None


class StatusAnswer(BaseModel):
    """The service as the person on shift sees it."""

    champion: Entry | None
    previous: Entry | None
    challenger: Entry | None
    follower: Following
    last_swap: LastSwap | None
    shadow: Shadowing
    fallbacks: dict[str, dict[str, int]] = Field(description="Series answered below the champion: rung, reason, count.")
    store: dict[str, Any] = Field(
        description="`ok`: whether the store answers, `writable`: whether it takes anything; why not."
    )
    ledger: dict[str, Any] = Field(description="Forecasts written down and not, and whether any are (`on`).")


@router.get("/status", summary="How does the service fare?", responses={200: {"model": StatusAnswer}})
async def get_status(service: ServiceNow) -> Response:
    """Versions in memory, how the registry is followed, fallbacks since the start; 200 also while nothing is served."""
    return JsonAnswer(
        {
            **in_use(service), "last_swap": service.champion.status()["last_swap"],
            "shadow": service.shadow.status(), "fallbacks": service.telemetry.fallbacks(),
            "store": service.memory.status(), "ledger": service.ledger.status(),
        }
    )  # fmt: skip


def in_use(service: Service) -> dict[str, Any]:
    """The versions in memory, and how the registry is followed."""
    told = service.champion.status()
    return {**{role: told[role] for role in ROLES}, "follower": service.follower.status()}
