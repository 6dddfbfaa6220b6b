"""Whether the process lives, and whether it can answer forecasts."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from serving.answers import JsonAnswer
from serving.dependencies import ServedNow
from serving.problems import Problem

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """That the process runs."""

    status: Literal["alive"]


class ReadyModel(BaseModel):
    """Which model is loaded."""

    name: str
    version: str | None
    alias: str | None


class Ready(BaseModel):
    """That forecasts can be answered."""

    status: Literal["ready"]
    model: ReadyModel


@router.get("/livez", summary="Is the process alive?", responses={200: {"model": Alive}})
async def livez() -> Response:
    """Answers 200 as long as the process runs, with or without a model."""
    return JsonAnswer({"status": "alive"})


@router.get("/readyz", summary="Can forecasts be answered?", responses={200: {"model": Ready}, 503: {"model": Problem}})
async def readyz(served: ServedNow) -> Response:
    """Answers 200 once a model is loaded, else 503 with what to do."""
    ref = served.ref
    return JsonAnswer({"status": "ready", "model": {"name": ref.name, "version": ref.version, "alias": ref.alias}})
