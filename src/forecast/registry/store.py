"""`open_store`: MLflow's tracking and registry, prepared for our experiment."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

from forecast import clock
from forecast.errors import RegistryError
from forecast.registry.purposes import (
    CLASSIC,
    COMPARE_VIEW,
    NOTES,
    Purpose,
    View,
    experiment_of,
    page_of,
    recipes_of,
    views_of,
)
from forecast.settings import Settings

NOTE = "mlflow.note.content"
INTRODUCED = "mlflow.forecast.introduced"
"""The tag of an experiment that says which version of its note and views it has; so named, lists do not show it."""
# What a database says, and what helps; the user's file is left as it is.
_HELP = {
    "disk is full": "make room on its disk and run it again",
    "malformed": "put a sound copy of that file in its place, or move it away and register again",
    "not a database": "put a sound copy of that file in its place, or move it away and register again",
    "locked": "wait until the other process is done and run it again",
    "readonly": "make the file and its folder writable",
}


@dataclass(frozen=True)
class Store:
    """An open MLflow store.

    Attributes:
        settings: where it lives.
        client: an `MlflowClient` for it; what its database refuses is a `RegistryError`.
        experiment: id of the experiment.
        purpose: of the experiment.
    """

    settings: Settings
    client: Any
    experiment: str
    purpose: Purpose = "retraining"

    @property
    def compare_link(self) -> str:
        """The UI's page on which runs of the experiment stand side by side (relative to the UI's address)."""
        return page_of(self.experiment)

    def show(self, run_id: str) -> None:
        """Lets the page of `compare_link` show the recipes of this run, best first."""
        self._keep(recipes_of(run_id))

    def introduce(self) -> None:
        """Writes what the experiment is for and its views, where they are not as this version knows them."""
        views = views_of(self.purpose)
        links = [(one.name, page_of(self.experiment, one.key)) for one in views]
        if COMPARE_VIEW not in [one.key for one in views]:
            links.insert(0, ("The newest run's recipes side by side", self.compare_link))
        note = NOTES[self.purpose] + "\n" + "\n".join(f"- [{name}]({link})" for name, link in links) + "\n"
        # A person may write a note of their own and change a view; only a newer version of ours writes again.
        told = hashlib.sha256("".join([note, *(one.told(0) for one in views)]).encode()).hexdigest()[:16]
        if self.client.get_experiment(self.experiment).tags.get(INTRODUCED) == told:
            return
        for one in views:
            self._keep(one)
        self.client.set_experiment_tag(self.experiment, NOTE, note)
        # Without it the UI opens every experiment as if it held traces of language models.
        self.client.set_experiment_tag(self.experiment, "mlflow.experimentKind", "custom_model_development")
        self.client.set_experiment_tag(self.experiment, "purpose", self.purpose)
        self.client.set_experiment_tag(self.experiment, INTRODUCED, told)

    def run_link(self, run_id: str) -> str:
        """The UI's page of one run."""
        return f"#/experiments/{self.experiment}/runs/{run_id}?{CLASSIC}"

    def _keep(self, view: View) -> None:
        self.client.set_experiment_tag(self.experiment, view.tag, view.told(int(clock.now().timestamp() * 1000)))


def quiet_mlflow() -> None:
    """Before mlflow is imported: no telemetry, no hints to the terminal, no pages of migration logs."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    for name in ("alembic", "mlflow.tracking.fluent", "mlflow.pyfunc"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It prints a traceback of every refusal of the database; `database_errors` tells it in one sentence.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


@contextmanager
def database_errors(uri: str) -> Iterator[None]:
    """Tells in one sentence what the database under MLflow refuses; other errors pass.

    Args:
        uri: of the store.

    Raises:
        RegistryError: the database is broken, full, locked or none at all.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error) as error:
        said = _database_said(error)
        if said is None:
            raise
        advice = next((text for part, text in _HELP.items() if part in said), "check FORECAST_MLFLOW_URI")
        raise RegistryError(
            f"the database of MLflow at {uri} fails ({said})", "one that MLflow wrote", advice
        ) from error


def _database_said(error: BaseException) -> str | None:
    """The database's own words, which MLflow and SQLAlchemy wrap; None where it said nothing."""
    from sqlalchemy.exc import SQLAlchemyError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SQLAlchemyError | sqlite3.Error):
            return _first_line(getattr(cause, "orig", None) or cause)
        cause = cause.__cause__
    return None


class _Client:
    """An `MlflowClient` that passes every call through `database_errors`."""

    def __init__(self, client: Any, uri: str) -> None:
        self._client, self._uri = client, uri

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        @wraps(method)
        def asked(*args: Any, **named: Any) -> Any:
            with database_errors(self._uri):
                return method(*args, **named)

        return asked


def open_store(settings: Settings, purpose: Purpose = "retraining") -> Store:
    """Prepares `mlruns/` and the experiment of a purpose, and points mlflow at them.

    Raises:
        RegistryError: the store cannot be opened.
    """
    quiet_mlflow()
    with warnings.catch_warnings():
        # mlflow speaks an older SQLAlchemy's dialect; who calls us can do nothing about it.
        warnings.simplefilter("ignore", DeprecationWarning)
        return _opened(settings, purpose)


def _opened(settings: Settings, purpose: Purpose) -> Store:
    import mlflow
    from mlflow.exceptions import MlflowException

    local = settings.mlflow_uri.startswith("sqlite:")
    try:
        if local:
            settings.artifacts.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(settings.mlflow_uri)
        mlflow.set_registry_uri(settings.mlflow_uri)
        with database_errors(settings.mlflow_uri):
            client = _Client(mlflow.MlflowClient(settings.mlflow_uri, settings.mlflow_uri), settings.mlflow_uri)
        store = Store(settings, client, _experiment(client, settings, purpose, local), purpose)
        store.introduce()
        return store
    except (MlflowException, OSError) as error:
        raise RegistryError(
            f"MLflow at {settings.mlflow_uri} cannot be opened ({_first_line(error)})",
            "a server that answers, or a folder that can be written",
            "check FORECAST_MLFLOW_URI and FORECAST_MLRUNS",
        ) from error


def _experiment(client: Any, settings: Settings, purpose: Purpose, local: bool) -> str:
    """The id of the experiment, made on first sight."""
    from mlflow.exceptions import MlflowException

    name = experiment_of(settings, purpose)
    found = client.get_experiment_by_name(name)
    if found is not None and found.lifecycle_stage == "active":
        return str(found.experiment_id)
    if found is not None:
        client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)
    location = settings.artifacts.as_uri() if local else None
    try:
        return str(client.create_experiment(name, artifact_location=location))
    except MlflowException:
        # Another process may have made it in between.
        beaten = client.get_experiment_by_name(name)
        if beaten is None:
            raise
        return str(beaten.experiment_id)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
