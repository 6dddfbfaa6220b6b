"""The OpenAPI description, with examples that the model in use answers."""

from __future__ import annotations

from typing import Any, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp

from forecast.forecaster import ForecasterSpec
from serving.access import OPEN_HERE, needed
from serving.bodies import ForecastRequest
from serving.delivered import Observations
from serving.examples import examples, option_examples, protocol_examples, stored_examples
from serving.loader import Champion
from serving.problems import MEDIA_TYPE, Problem
from serving.protocols import Invocation
from serving.served import Served
from serving.tensors import Inference

TITLE = "Electricity demand forecasts"
DESCRIPTION = """Forecasts of electricity demand from the champion of the model registry.

* **`POST /v1/forecasts`**: history in the body, quantiles and mean out; each from what was known at its cutoff.
* **`POST /v1/observations`**: measured values into the store; then a forecast needs no history in its body.
* **`GET /v1/forecasts`**: what was said before; every answer stands in the ledger before it is sent.
* **`GET /v1/series/{unique_id}/requirements`**: which periods and columns a forecast needs, and which are missing.
* **`GET /v1/models`**: what answers, and which history and columns it needs.
* **`POST /invocations`** and **`POST /v2/models/{name}/infer`**: the same by MLflow's protocol and Open Inference.
* Errors are `application/problem+json` (RFC 9457) and name series, column and stamps.

All stamps mark the START of a period and carry a zone. `y` is mean power, or energy per period where `unit` says so.
"""
TAGS = [
    {"name": "forecasts", "description": "Ask for forecasts."},
    {"name": "observations", "description": "Store measured values."},
    {"name": "series", "description": "What the store holds, and what a forecast of it needs."},
    {"name": "models", "description": "What answers, and what it needs."},
    {"name": "other protocols", "description": "The same forecasts by MLflow's scoring protocol and Open Inference."},
    {"name": "health", "description": "For whatever keeps the process running."},
]
_REF = "#/components/schemas/{model}"
_CSV = {"type": "string", "minLength": 1, "pattern": r"\S"}
"""A header at the least."""


class DescribedApp(FastAPI):
    """FastAPI behind `Trace`, whose description shows requests that the model in use answers."""

    def build_middleware_stack(self) -> ASGIApp:
        """Without the frameworks' own layers around it: `Trace` answers and logs whatever breaks, and counts it."""
        app: Any = super().build_middleware_stack()
        while isinstance(app, ServerErrorMiddleware) or type(app).__module__.startswith("fastapi.telemetry"):
            app = app.app
        return cast(ASGIApp, app)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document, made anew when another model is loaded."""
        champion = cast(Champion, self.state.champion)
        served = champion.now() if champion.loaded else None
        closed = self.state.service.access.closed
        if self.openapi_schema is None or getattr(self.state, "described", None) != (served, closed):
            self.openapi_schema = self._document(_shown(served.forecaster.spec) if served else {})
            if served is not None:
                _declare_name(self.openapi_schema, served)
            if closed:
                _declare_keys(self.openapi_schema)
            self.state.described = (served, closed)
        return self.openapi_schema

    def _document(self, shown: dict[str, Any]) -> dict[str, Any]:
        document = get_openapi(
            title=self.title, version=self.version, openapi_version=self.openapi_version, summary=self.summary,
            description=self.description, routes=self.routes, tags=self.openapi_tags, license_info=self.license_info,
        )  # fmt: skip
        described = [(ForecastRequest, "validation"), (Observations, "validation"), (Problem, "validation"),
                     (Invocation, "validation"), (Inference, "validation")]  # fmt: skip
        _, extra = models_json_schema(described, ref_template=_REF)  # type: ignore[arg-type]
        schemas = document["components"]["schemas"]
        schemas.update(extra["$defs"])
        # FastAPI's own shape of refusals, which are problems here.
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        _declare_bodies(document, shown)
        _declare_problems(document)
        return document


def _shown(spec: ForecasterSpec) -> dict[str, Any]:
    return {**examples(spec), **option_examples(spec), **stored_examples(spec), **protocol_examples(spec)}


def _declare_name(document: dict[str, Any], served: Served) -> None:
    """Which model and version an address may name."""
    told = {"name": served.ref.name, "version": served.ref.version}
    for path, operations in document["paths"].items():
        for operation in operations.values() if path.startswith("/v2/models/") else ():
            for one in operation.get("parameters", ()):
                if one["in"] == "path" and told.get(one["name"]):
                    one["example"] = told[one["name"]]


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


def _declare_bodies(document: dict[str, Any], shown: dict[str, Any]) -> None:
    """What is sent, with examples that the service answers."""
    told = {name: dict(example) for name, example in shown.items()}
    apart = ("observations", "csv", "mlflow", "mlflow_csv", "tensors")
    given: dict[str, Any] = {name: {name: told.pop(name)} for name in apart if name in told}

    def body(schema: dict[str, Any], examples: dict[str, Any]) -> dict[str, Any]:
        return {"schema": schema, **({"examples": examples} if examples else {})}

    forecasts = body({"$ref": _REF.format(model="ForecastRequest")}, told)
    observations = body({"$ref": _REF.format(model="Observations")}, given.get("observations", {}))
    tensors = body({"$ref": _REF.format(model="Inference")}, given.get("tensors", {}))
    for path, content in (
        ("/v1/forecasts", {"application/json": forecasts}),
        ("/v1/observations", {"application/json": observations,
                              "text/csv": body(_CSV, given.get("csv", {}))}),
        ("/invocations", {"application/json": body({"$ref": _REF.format(model="Invocation")}, given.get("mlflow", {})),
                          "text/csv": body(_CSV, given.get("mlflow_csv", {}))}),
        ("/v2/models/{name}/infer", {"application/json": tensors}),
        ("/v2/models/{name}/versions/{version}/infer", {"application/json": tensors}),
    ):  # fmt: skip
        document["paths"][path]["post"]["requestBody"] = {"required": True, "content": content}


def _declare_problems(document: dict[str, Any]) -> None:
    """Refusals are problem+json, and every operation may meet one."""
    problem = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if not status.startswith("2"):
                    response["content"] = problem
            operation["responses"].setdefault("default", {"description": "Any other refusal", "content": problem})
