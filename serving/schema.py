"""The OpenAPI description, with examples that the model in use answers."""

from __future__ import annotations

from typing import Any, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from serving.access import OPEN_HERE, needed
from serving.bodies import ForecastRequest
from serving.examples import examples
from serving.loader import Champion
from serving.problems import MEDIA_TYPE, Problem

TITLE = "Electricity demand forecasts"
DESCRIPTION = """Forecasts of electricity demand from the champion of the model registry.

* **`POST /v1/forecasts`**: history in the body, quantiles and mean out; each from what was known at its cutoff.
* **`GET /v1/models`**: what answers, and which history and columns it needs.
* Errors are `application/problem+json` (RFC 9457) and name series, column and stamps.

All stamps mark the START of a period and carry a zone. `y` is mean power, or energy per period where `unit` says so.
"""
TAGS = [
    {"name": "forecasts", "description": "Ask for forecasts."},
    {"name": "models", "description": "What answers, and what it needs."},
    {"name": "health", "description": "For whatever keeps the process running."},
]
_REF = "#/components/schemas/{model}"


class DescribedApp(FastAPI):
    """FastAPI, whose description shows requests that the model in use answers."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document, made anew when another model is loaded."""
        champion = cast(Champion, self.state.champion)
        served = champion.now() if champion.loaded else None
        closed = self.state.service.access.closed
        if self.openapi_schema is None or getattr(self.state, "described", None) != (served, closed):
            self.openapi_schema = self._document(examples(served.forecaster.spec) if served else {})
            if closed:
                _declare_keys(self.openapi_schema)
            self.state.described = (served, closed)
        return self.openapi_schema

    def _document(self, shown: dict[str, Any]) -> dict[str, Any]:
        document = get_openapi(
            title=self.title, version=self.version, openapi_version=self.openapi_version, summary=self.summary,
            description=self.description, routes=self.routes, tags=self.openapi_tags, license_info=self.license_info,
        )  # fmt: skip
        _, extra = models_json_schema([(ForecastRequest, "validation"), (Problem, "validation")], ref_template=_REF)
        schemas = document["components"]["schemas"]
        schemas.update(extra["$defs"])
        # FastAPI's own shape of refusals, which are problems here.
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        body = {"schema": {"$ref": _REF.format(model="ForecastRequest")}, **({"examples": shown} if shown else {})}
        document["paths"]["/v1/forecasts"]["post"]["requestBody"] = {
            "required": True, "content": {"application/json": body},
        }  # fmt: skip
        _declare_problems(document)
        return document


def _declare_keys(document: dict[str, Any]) -> None:
    """How a key is sent, and which operations need one."""
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "A key of `forecast keys add`."},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."},
    }
    for path, operations in document["paths"].items():
        right = needed(path)
        for operation in operations.values() if right else ():
            operation["security"] = [{"bearer": []}, {"header": []}, *([{}] if path in OPEN_HERE else [])]
            operation["description"] = f"{operation.get('description', '')}\n\nNeeds the scope `{right}`.".strip()


def _declare_problems(document: dict[str, Any]) -> None:
    """Refusals are problem+json, and every operation may meet one."""
    problem = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if not status.startswith("2"):
                    response["content"] = problem
            operation["responses"].setdefault("default", {"description": "Any other refusal", "content": problem})
