"""`ModelVersion`: one entry of the model registry as plain values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from forecast.errors import ModelFolderError, RegistryError
from forecast.registry.folders import FOLDER

ANSWER = "forecast-registry-answer:"
"""What the child's answering line begins with; mlflow may print lines of its own."""


@dataclass(frozen=True)
class ModelVersion:
    """One registered version.

    Attributes:
        name: of the registered model.
        version: its number as text.
        run_id: of the run that made it.
        created: UTC, ISO 8601.
        aliases: that point to it.
        tags: recipe, digest, scores, verdict, …
        description: for people.
        source: where MLflow keeps the model's files; None where that was not asked.
    """

    name: str
    version: str
    run_id: str | None
    created: str
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    source: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of its folder's manifest as registered; empty where it was registered by other means."""
        return self.tags.get("digest", "")


def from_plain(plain: Mapping[str, Any]) -> ModelVersion:
    """A version out of JSON."""
    return ModelVersion(**{**plain, "aliases": tuple(plain["aliases"])})


@dataclass(frozen=True)
class Pointer:
    """What an alias points to.

    Attributes:
        version: its number as text.
        digest: SHA-256 of its folder's manifest as registered; empty where none was.
    """

    version: str
    digest: str


@dataclass(frozen=True)
class Wanted:
    """What is looked up: a model by alias or by version."""

    name: str
    alias: str | None
    version: str | None

    def __str__(self) -> str:
        return f"models:/{self.name}@{self.alias}" if self.alias else f"models:/{self.name}/{self.version}"


def not_registered(wanted: Wanted, said: str) -> RegistryError:
    """The error for a model, alias or version that is not there."""
    what = f"alias '{wanted.alias}'" if wanted.alias else f"version {wanted.version}"
    detail = re.sub(r"\s+", " ", said).strip().rstrip(".")
    return RegistryError(
        f"model '{wanted.name}' has no {what} ({detail})", "a registered and promoted forecaster",
        "run `python -m flows.retrain DATA`, which promotes a winner, or `make demo`",
    )  # fmt: skip


def no_forecaster(found: ModelVersion, why: str) -> ModelFolderError:
    """The error for a version whose artifacts are not a forecaster of ours."""
    return ModelFolderError(
        f"version {found.version} of model '{found.name}' holds no readable forecaster ({why})",
        f"a folder '{FOLDER}' among its artifacts",
        f"train and register again with `forecast train DATA ... --register {found.name}`",
    )


def instant(milliseconds: int) -> str:
    """MLflow's time stamp as ISO 8601, UTC.

    >>> instant(0)
    '1970-01-01T00:00:00Z'
    """
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
