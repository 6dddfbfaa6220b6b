"""`open_store`: MLflow's tracking and registry, prepared for our experiment."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

from forecast.errors import RegistryError
from forecast.settings import Settings

NOTE = "mlflow.note.content"
COMPARE_VIEW = "compare"
# Otherwise the UI wraps every page in menus for language models.
_CLASSIC = "workflowType=machine_learning"
# What a person compares: how good, how honest, how expensive; then what it is.
COMPARED_METRICS = ("mae", "skill_vs_naive", "rmse", "mape", "bias", "coverage_80", "training_seconds")
COMPARED_TAGS = ("weather", "verdict")
# What a database says, and what helps; the user's file is left as it is.
_HELP = {
    "disk is full": "make room on its disk and run it again",
    "malformed": "put a sound copy of that file in its place, or move it away and register again",
    "not a database": "put a sound copy of that file in its place, or move it away and register again",
    "locked": "wait until the other process is done and run it again",
    "readonly": "make the file and its folder writable",
}
EXPERIMENT_NOTE = """Each parent run is one **retraining** on one table of demand; its children are the recipes tried.

- `mae` and its neighbours are measured by walking forward over days that no recipe was trained on; `skill_vs_naive` is
  the share of the seasonal naive's error that is gone.
- `weather: actual (optimistic)` means that measured weather stood in for a forecast of it.
- The champion that the service loads is the version of the registered model with the alias `champion`.

[The newest retraining's recipes side by side]({link})
"""


@dataclass(frozen=True)
class Store:
    """An open MLflow store.

    Attributes:
        settings: where it lives.
        client: an `MlflowClient` for it; what its database refuses is a `RegistryError`.
        experiment: id of our experiment.
    """

    settings: Settings
    client: Any
    experiment: str

    @property
    def compare_link(self) -> str:
        """The UI's page of the newest retraining's recipes side by side (relative to the UI's address)."""
        return f"#/experiments/{self.experiment}/runs?{_CLASSIC}&viewStateShareKey={COMPARE_VIEW}"

    def show(self, run_id: str) -> None:
        """Lets the page of `compare_link` show the recipes of this retraining, best first."""
        view = json.dumps(_compare_view(run_id))
        self.client.set_experiment_tag(self.experiment, f"mlflow.sharedViewState.{COMPARE_VIEW}", view)

    def run_link(self, run_id: str) -> str:
        """The UI's page of one run."""
        return f"#/experiments/{self.experiment}/runs/{run_id}?{_CLASSIC}"


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


def open_store(settings: Settings) -> Store:
    """Prepares `mlruns/` and the experiment, and points mlflow at them.

    Raises:
        RegistryError: the store cannot be opened.
    """
    quiet_mlflow()
    with warnings.catch_warnings():
        # mlflow speaks an older SQLAlchemy's dialect; who calls us can do nothing about it.
        warnings.simplefilter("ignore", DeprecationWarning)
        return _opened(settings)


def _opened(settings: Settings) -> Store:
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
        return Store(settings, client, _experiment(client, settings, local))
    except (MlflowException, OSError) as error:
        raise RegistryError(
            f"MLflow at {settings.mlflow_uri} cannot be opened ({_first_line(error)})",
            "a server that answers, or a folder that can be written",
            "check FORECAST_MLFLOW_URI and FORECAST_MLRUNS",
        ) from error


def _experiment(client: Any, settings: Settings, local: bool) -> str:
    """The id of our experiment, made on first sight."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(settings.experiment)
    if found is not None and found.lifecycle_stage == "active":
        return str(found.experiment_id)
    if found is not None:
        client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)
    location = settings.artifacts.as_uri() if local else None
    try:
        made = str(client.create_experiment(settings.experiment, artifact_location=location))
    except MlflowException:
        # Another process may have made it in between.
        beaten = client.get_experiment_by_name(settings.experiment)
        if beaten is None:
            raise
        return str(beaten.experiment_id)
    store = Store(settings, client, made)
    client.set_experiment_tag(made, NOTE, EXPERIMENT_NOTE.format(link=store.compare_link))
    # Without it the UI opens every experiment as if it held traces of language models.
    client.set_experiment_tag(made, "mlflow.experimentKind", "custom_model_development")
    return made


def _compare_view(parent: str) -> dict[str, object]:
    """The state of the UI's table of runs: which rows, which columns, in which order."""
    columns = [f"metrics.`{name}`" for name in COMPARED_METRICS] + [f"tags.`{name}`" for name in COMPARED_TAGS]
    return {
        "searchFilter": f"tags.`mlflow.parentRunId` = '{parent}'", "orderByKey": "metrics.`mae`", "orderByAsc": True,
        "lifecycleFilter": "Active", "selectedColumns": columns,
    }  # fmt: skip


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
