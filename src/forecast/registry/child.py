"""`python -m forecast.registry.child`: one question about an MLflow registry on standard input, one answer in JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from forecast.errors import RegistryError
from forecast.registry.folders import FOLDER
from forecast.registry.versions import ANSWER, instant


def main() -> None:
    """Reads one question from standard input and prints the answer as its last line."""
    request = json.load(sys.stdin)
    try:
        told = answer(request)
    except RegistryError as error:
        told = {"broken": [error.found, error.expected, error.do]}
    print(ANSWER + json.dumps(told))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to a question; MLflow's refusals come back as `error`.

    Raises:
        RegistryError: the database itself fails.
    """
    from forecast.registry.store import database_errors, quiet_mlflow

    quiet_mlflow()
    import mlflow
    from mlflow.exceptions import MlflowException

    mlflow.set_tracking_uri(request["uri"])
    mlflow.set_registry_uri(request["uri"])
    questions = {"find": _find, "fetch": _fetch, "versions": _versions}
    try:
        with database_errors(request["uri"]):
            client = mlflow.MlflowClient(request["uri"], request["uri"])
            return questions[request["question"]](client, request)
    except (MlflowException, OSError) as error:
        return {"error": (str(error).splitlines() or [type(error).__name__])[0]}


def _find(client: Any, request: dict[str, Any]) -> dict[str, Any]:
    name = request["name"]
    if request["alias"]:
        number = client.get_model_version_by_alias(name, request["alias"]).version
    else:
        number = request["version"]
    plain = _plain(client.get_model_version(name, str(number)), client.get_registered_model(name).aliases)
    return {"version": {**plain, "source": client.get_model_version_download_uri(name, str(number))}}


def _fetch(_: Any, request: dict[str, Any]) -> dict[str, Any]:
    from mlflow.artifacts import download_artifacts

    uri = f"models:/{request['name']}/{request['version']}/artifacts/{FOLDER}"
    return {"folder": str(Path(download_artifacts(artifact_uri=uri, dst_path=request["into"])))}


def _versions(client: Any, request: dict[str, Any]) -> dict[str, Any]:
    found = client.search_model_versions(f"name = '{request['name']}'", order_by=["version_number DESC"])
    aliases = client.get_registered_model(request["name"]).aliases if found else {}
    return {"versions": [_plain(one, aliases) for one in found]}


def _plain(one: Any, aliases: dict[str, Any]) -> dict[str, Any]:
    held = sorted(alias for alias, number in aliases.items() if str(number) == str(one.version))
    return {
        "name": one.name, "version": str(one.version), "run_id": one.run_id or None,
        "created": instant(one.creation_timestamp), "aliases": held, "tags": dict(one.tags),
        "description": one.description or "",
    }  # fmt: skip


if __name__ == "__main__":
    main()
