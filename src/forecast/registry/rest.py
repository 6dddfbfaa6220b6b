"""MLflow's REST interface, as much of it as finding and fetching a forecaster takes; standard library only."""

from __future__ import annotations

import base64
import json
import os
import time
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen

from forecast.errors import RegistryError
from forecast.registry.database import ChildRegistry
from forecast.registry.folders import FOLDER, copy_local
from forecast.registry.versions import ModelVersion, Pointer, Wanted, instant, no_forecaster, not_registered

TRIES, PATIENCE_S, PAUSE_S = 3, 30, 0.5
_API, _PROXY = "api/2.0/mlflow", "api/2.0/mlflow-artifacts/artifacts"
_NOT_THERE = (400, 404)


class _Refused(Exception):
    """The server answered, and said no."""


@dataclass(frozen=True)
class RestRegistry:
    """A registry behind a tracking server.

    Attributes:
        uri: the server's address; `MLFLOW_TRACKING_TOKEN` or `_USERNAME` and `_PASSWORD` are sent where set.
        tries: until it is given up.
        patience_s: for each of them.
    """

    uri: str
    tries: int = TRIES
    patience_s: float = PATIENCE_S

    def find(self, wanted: Wanted) -> ModelVersion:
        """The version.

        Raises:
            RegistryError: there is none, or the server does not answer.
        """
        try:
            if wanted.alias:
                found = self._json("registered-models/alias", name=wanted.name, alias=wanted.alias)
            else:
                found = self._json("model-versions/get", name=wanted.name, version=str(wanted.version))
            return _version(found["model_version"], self._aliases(wanted.name))
        except _Refused as error:
            raise not_registered(wanted, str(error)) from error

    def fetch(self, found: ModelVersion, room: Path) -> Path:
        """Its forecaster's folder, copied into `room`.

        Through the server where it hands out artifacts, from disk where they lie there, else by mlflow in a child.

        Raises:
            ModelFolderError: its artifacts hold no forecaster, or cannot be read.
        """
        try:
            root = self._artifacts(found)
            parts = urlsplit(root)
            if parts.scheme == "mlflow-artifacts":
                return self._download(f"{parts.path.strip('/')}/artifacts/{FOLDER}", room / FOLDER)
            if copied := copy_local(root, room):
                return copied
        except (_Refused, OSError) as error:
            raise no_forecaster(found, str(error)) from error
        return ChildRegistry(self.uri).fetch(found, room)

    def versions(self, name: str) -> list[ModelVersion]:
        """All versions, newest first."""
        found: list[dict[str, Any]] = []
        token: str | None = ""
        try:
            while token is not None:
                page = {"page_token": token} if token else {}
                answer = self._json("model-versions/search", filter=f"name = '{name}'", max_results="200", **page)
                found += answer.get("model_versions", [])
                token = answer.get("next_page_token") or None
            aliases = self._aliases(name) if found else {}
        except _Refused as error:
            raise RegistryError(f"MLflow at {self.uri} could not list its models ({error})") from error
        return sorted((_version(one, aliases) for one in found), key=lambda one: -int(one.version))

    def pointers(self, name: str) -> dict[str, Pointer]:
        """What each alias points to."""
        try:
            numbers = self._aliases(name)
            found = {
                number: self._json("model-versions/get", name=name, version=number) for number in {*numbers.values()}
            }
        except _Refused:
            return {}
        told = {number: _version(one["model_version"], {}) for number, one in found.items()}
        return {alias: Pointer(number, told[number].digest) for alias, number in numbers.items()}

    def _aliases(self, name: str) -> dict[str, str]:
        model = self._json("registered-models/get", name=name)["registered_model"]
        return {one["alias"]: str(one["version"]) for one in model.get("aliases", [])}

    def _artifacts(self, found: ModelVersion) -> str:
        """Where the version's files are: a logged model names its own place."""
        said = self._json("model-versions/get-download-uri", name=found.name, version=found.version)
        root = str(said["artifact_uri"])
        if root.startswith("models:/"):
            logged = self._json(f"logged-models/{quote(root.removeprefix('models:/'), safe='')}")
            root = str(logged["model"]["info"]["artifact_uri"])
        return root

    def _download(self, path: str, into: Path) -> Path:
        """A folder of the artifact proxy; only plain names are taken, so nothing lands outside `into`."""
        listing = json.loads(self._get(f"{_PROXY}?{urlencode({'path': path})}")).get("files", [])
        if not listing:
            raise _Refused(f"nothing at {path}")
        into.mkdir(parents=True)
        for entry in listing:
            name = PurePosixPath(entry["path"]).name
            if entry.get("is_dir"):
                self._download(f"{path}/{name}", into / name)
            else:
                (into / name).write_bytes(self._get(f"{_PROXY}/{quote(f'{path}/{name}')}"))
        return into

    def _json(self, path: str, **query: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._get(f"{_API}/{path}?{urlencode(query)}"))
        return answer

    def _get(self, path: str) -> bytes:
        request = Request(f"{self.uri.rstrip('/')}/{path}", headers=_authorisation())
        said = ""
        for attempt in range(self.tries):
            if attempt:
                time.sleep(PAUSE_S * 2**attempt)
            try:
                with urlopen(request, timeout=self.patience_s) as answer:
                    return bytes(answer.read())
            except HTTPError as error:
                said = _message(error)
                if error.code in _NOT_THERE:
                    raise _Refused(said) from error
                if error.code in (401, 403):
                    break
            except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
                said = str(getattr(error, "reason", error))
        raise RegistryError(
            f"MLflow at {self.uri} does not answer ({said})", "a tracking server that this machine reaches",
            "check FORECAST_MLFLOW_URI, and MLFLOW_TRACKING_USERNAME and _PASSWORD or _TOKEN where it asks for them",
        )  # fmt: skip


def _authorisation() -> dict[str, str]:
    """What MLflow's own client would send."""
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    if user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
        pair = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def _message(error: HTTPError) -> str:
    try:
        return str(json.loads(error.read()).get("message", error.reason))
    except (ValueError, AttributeError):
        return f"HTTP {error.code} {error.reason}"
    finally:
        error.close()


def _version(one: dict[str, Any], aliases: dict[str, str]) -> ModelVersion:
    number = str(one["version"])
    return ModelVersion(
        one["name"], number, one.get("run_id") or None, instant(int(one["creation_timestamp"])),
        tuple(sorted(alias for alias, held in aliases.items() if held == number)),
        {tag["key"]: tag.get("value", "") for tag in one.get("tags", [])}, one.get("description", ""),
    )  # fmt: skip
