"""`GET /metrics`: what the service counts, for Prometheus."""

from __future__ import annotations

import anyio.to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from serving.dependencies import ServiceNow

router = APIRouter(tags=["health"])
_SHOWN = {"text/plain": {"schema": {"type": "string"}}, "application/openmetrics-text": {"schema": {"type": "string"}}}


@router.get(
    "/metrics", summary="Counts and times, for Prometheus", response_class=Response,
    responses={200: {"content": _SHOWN, "description": "Prometheus' text format, or OpenMetrics by `Accept`"}},
)  # fmt: skip
async def get_metrics(request: Request, service: ServiceNow) -> Response:
    """Requests, latency, inference, batches, models, fallbacks, age of the data, the ledger and yesterday's error."""
    accept = request.headers.get("accept", "")
    page, media_type = await anyio.to_thread.run_sync(service.telemetry.page, accept)
    return Response(page, headers={"content-type": media_type})
