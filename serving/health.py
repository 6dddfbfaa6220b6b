"""Whether the process lives, and whether it can answer forecasts."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from serving.answers import JsonAnswer
from serving.dependencies import ServedNow
from serving.problems import Problem

router = APIRouter(tags=["health"])


@router.get("/livez", summary="Is the process alive?")
async def livez() -> Response:
    """Answers 200 as long as the process runs, with or without a model."""
    return JsonAnswer({"status": "alive"})


@router.get("/readyz", summary="Can forecasts be answered?", responses={503: {"model": Problem}})
async def readyz(served: ServedNow) -> Response:
    """Answers 200 once a model is loaded, else 503 with what to do."""
    ref = served.ref
    return JsonAnswer({"status": "ready", "model": {"name": ref.name, "version": ref.version, "alias": ref.alias}})
