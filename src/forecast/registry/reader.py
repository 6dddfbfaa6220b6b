"""`resolve`: from `models:/NAME@alias` to a verified folder on this machine, without importing mlflow.

A tracking server is asked over HTTP; a database's tables are read as they stand, else by a short-lived child process.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from forecast.errors import RegistryError
from forecast.forecaster import read_spec, verify
from forecast.registry.direct import TableRegistry
from forecast.registry.folders import cache_place, folder_digest, is_whole, keep, staging
from forecast.registry.rest import RestRegistry
from forecast.registry.versions import ModelVersion, Pointer, Wanted, not_registered
from forecast.settings import Settings

_URI = re.compile(r"^models:/+(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))$")

_HTTP = ("http://", "https://")
LOOK_PATIENCE_S = 5


@dataclass(frozen=True)
class ModelRef:
    """A forecaster that can be loaded from this machine.

    Attributes:
        name: of the registered model; of the recipe for a plain folder.
        version: of the registered model; None for a plain folder.
        run_id: of the MLflow run that made it; None for a plain folder.
        alias: it was asked by, else the version's first one; None where it has none.
        folder: `Forecaster.load` reads it.
        digest: SHA-256 of the folder's manifest.
    """

    name: str
    version: str | None
    run_id: str | None
    alias: str | None
    folder: Path
    digest: str


class Registry(Protocol):
    """Where versions are looked up and fetched from."""

    def find(self, wanted: Wanted) -> ModelVersion:
        """The version; RegistryError where there is none."""
        ...

    def fetch(self, found: ModelVersion, room: Path) -> Path:
        """Its forecaster's folder, copied into `room`."""
        ...

    def versions(self, name: str) -> list[ModelVersion]:
        """All versions, newest first."""
        ...

    def pointers(self, name: str) -> dict[str, Pointer]:
        """What each alias points to; empty where no such model is registered."""
        ...


def resolve(uri: str, settings: Settings) -> ModelRef:
    """Finds a forecaster, copies it into the cache unless it is there, and checks its digests.

    Args:
        uri: `models:/NAME@alias`, `models:/NAME/VERSION`, or a folder.
        settings: which registry, and where the cache is.

    Raises:
        RegistryError: no such model, version or alias; or the registry does not answer.
        ModelFolderError: the folder is missing, broken or not what was registered.
    """
    if not uri.startswith("models:"):
        return _plain_folder(Path(uri).expanduser())
    wanted = parse(uri)
    registry = _registry(settings)
    found = registry.find(wanted)
    place = cache_place(settings.cache, found.name, found.version, found.digest)
    if not (found.digest and is_whole(place) and folder_digest(place) == found.digest):
        shutil.rmtree(place, ignore_errors=True)
        with staging(settings.cache) as room:
            keep(registry.fetch(found, room), place, found.digest)
    alias = wanted.alias or next(iter(found.aliases), None)
    return ModelRef(found.name, found.version, found.run_id, alias, place, folder_digest(place))


def versions(settings: Settings) -> list[ModelVersion]:
    """All registered versions, newest first; none where nothing was registered yet.

    Raises:
        RegistryError: the registry does not answer.
    """
    if _missing_database(settings):
        return []
    return _registry(settings).versions(settings.model_name)


def aliases(settings: Settings) -> dict[str, str]:
    """Version by alias; empty where nothing was registered yet.

    Raises:
        RegistryError: the registry does not answer.
    """
    return {alias: one.version for one in versions(settings) for alias in one.aliases}


def pointers(name: str, settings: Settings) -> dict[str, Pointer]:
    """What each alias of a registered model points to, by one cheap question that is asked once and not for long.

    Raises:
        RegistryError: the registry does not answer.
    """
    if settings.mlflow_uri.startswith(_HTTP):
        return RestRegistry(settings.mlflow_uri, tries=1, patience_s=LOOK_PATIENCE_S).pointers(name)
    return _registry(settings).pointers(name)


def _plain_folder(folder: Path) -> ModelRef:
    verify(folder)
    return ModelRef(read_spec(folder).name, None, None, None, folder, folder_digest(folder))


def parse(uri: str) -> Wanted:
    """What `models:/NAME@alias` or `models:/NAME/VERSION` names.

    Raises:
        RegistryError: the text is neither.
    """
    match = _URI.match(uri)
    if match is None:
        raise RegistryError(
            f"model '{uri}'", "models:/NAME@champion, models:/NAME/3 or a folder", "name a version or an alias"
        )
    return Wanted(match["name"], match["alias"], match["version"])


def _registry(settings: Settings) -> Registry:
    if settings.mlflow_uri.startswith(_HTTP):
        return RestRegistry(settings.mlflow_uri)
    missing = _missing_database(settings)
    if missing:
        raise RegistryError(
            f"there is no registry at {missing}", "a database that a training wrote",
            f"run `forecast train DATA ... --register {settings.model_name}`, or `make demo`",
        )  # fmt: skip
    return TableRegistry(settings.mlflow_uri)


def _missing_database(settings: Settings) -> Path | None:
    """The SQLite file, when it is not there or empty: asking MLflow would write its tables."""
    if not settings.mlflow_uri.startswith("sqlite:///"):
        return None
    path = Path(settings.mlflow_uri.removeprefix("sqlite:///").split("?")[0])
    return None if path.exists() and path.stat().st_size else path


__all__ = [
    "ModelRef", "ModelVersion", "Pointer", "aliases", "not_registered", "parse", "pointers", "resolve", "versions",
]  # fmt: skip
