"""All registered versions, for a process that has mlflow loaded anyway; `reader` asks without it."""

from __future__ import annotations

from forecast.errors import RegistryError
from forecast.registry.child import answer
from forecast.registry.store import open_store
from forecast.registry.versions import ModelVersion, from_plain
from forecast.settings import Settings


def versions(settings: Settings) -> list[ModelVersion]:
    """All registered versions, newest first.

    Raises:
        RegistryError: the store cannot be opened or listed.
    """
    open_store(settings)
    told = answer({"uri": settings.mlflow_uri, "question": "versions", "name": settings.model_name})
    if "error" in told:
        raise RegistryError(f"MLflow at {settings.mlflow_uri} could not list its models ({told['error']})")
    return [from_plain(one) for one in told["versions"]]


def aliases(settings: Settings) -> dict[str, str]:
    """Version by alias.

    Raises:
        RegistryError: the store cannot be opened or listed.
    """
    return {alias: one.version for one in versions(settings) for alias in one.aliases}
