"""Forecasters in MLflow: logged without pickles, registered as versions, promoted by a verdict."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

import forecast
from forecast.calendars import told
from forecast.errors import RegistryError
from forecast.forecaster import Forecaster, ForecasterSpec
from forecast.registry.decisions import CHAMPION, Decision, enact, figures_of, now
from forecast.registry.folders import FOLDER, folder_digest
from forecast.registry.runs import Run
from forecast.registry.store import database_errors, open_store
from forecast.settings import Settings
from forecast.tables import Demand, quantile_columns

REGISTERED_NOTE = """Forecasters of electricity demand. The service loads the version with the alias `champion`.

`challenger` was tried last and not promoted; `previous` served before. Every version's tags say what it was measured
at and why it was promoted or not. Each folder holds safetensors and JSON, no pickle.
"""
EXAMPLE_DAYS = 9
_NEEDED = ("numpy", "pandas", "pyarrow", "pydantic", "safetensors", "holidays")
_NEEDED_BY_KIND = {"network": ("torch",), "ridge": ("scikit-learn",), "trees": ("scikit-learn",)}


class Verdict(Protocol):
    """What `forecast.comparison` concludes: promote or not, and why."""

    @property
    def promote(self) -> bool:
        """Whether the challenger becomes champion."""
        ...

    @property
    def reasons(self) -> Sequence[str]:
        """Sentences for people."""
        ...


@dataclass(frozen=True)
class LoggedForecaster:
    """A forecaster in MLflow, not yet a registered version.

    Attributes:
        model_id: of MLflow's logged model.
        run_id: of the run that made it.
        name: its recipe.
        digest: SHA-256 of its folder's manifest.
    """

    model_id: str
    run_id: str
    name: str
    digest: str

    @property
    def uri(self) -> str:
        """As MLflow loads it."""
        return f"models:/{self.model_id}"


def example_inputs(demand: Demand, spec: ForecasterSpec, cutoff: pd.Timestamp | None = None) -> pd.DataFrame:
    """A small long frame that a forecaster answers: some days of one series, and what is known of the horizon.

    Args:
        demand: the table, in mean power.
        spec: of the forecaster.
        cutoff: end of the history; of all that is known where None.

    Returns:
        unique_id, ds (text with zone), y in the source's unit, covariates.
    """
    moment = cutoff if cutoff is not None else demand.last_known_end()
    one = demand.as_of(moment).select([demand.series[0].unique_id])
    frame = one.to_frame()
    begin = moment - max(pd.Timedelta(days=EXAMPLE_DAYS), spec.context * spec.step)
    end = moment + spec.task.horizon * spec.step
    frame = frame[(frame["ds"] >= begin) & (frame["ds"] < (end if spec.known else moment))].reset_index(drop=True)
    frame["y"] = frame["y"].astype("float64") * demand.output_factor
    frame["ds"] = told(frame, demand.zones)["ds"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return frame.astype({name: "float64" for name in frame.columns if name not in ("unique_id", "ds")})


def log_forecaster(run: Run, forecaster: Forecaster, example: pd.DataFrame | None) -> LoggedForecaster:
    """Logs a forecaster as MLflow's pyfunc from code: safetensors and JSON, signature, example, requirements.

    Args:
        run: the recipe's run.
        forecaster: what to log.
        example: as `example_inputs` makes it; None where no data is at hand.
    """
    import mlflow
    from mlflow.models import ModelSignature

    spec = forecaster.spec
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room) / FOLDER
        forecaster.save(folder)
        digest = folder_digest(folder)
        refusals = database_errors(run.store.settings.mlflow_uri)
        with refusals, mlflow.start_run(run_id=run.run_id, nested=True), warnings.catch_warnings():
            # A folder that is registered alone has no data to take an example from.
            warnings.filterwarnings("ignore", message=".*An input example was not provided")
            info = mlflow.pyfunc.log_model(
                name=spec.name,
                python_model=str(Path(__file__).with_name("pyfunc.py")),
                artifacts={FOLDER: str(folder)},
                signature=ModelSignature(*_signature(spec)),
                input_example=example,
                pip_requirements=_requirements(spec.recipe.model.kind),
                metadata={"digest": digest, "forecast_version": forecast.__version__},
                tags={"recipe": spec.name, "model_kind": spec.recipe.model.kind, "weather": spec.weather},
            )
    return LoggedForecaster(str(info.model_id), run.run_id, spec.name, digest)


def register(
    logged: LoggedForecaster, settings: Settings, *, scores: Mapping[str, float] | None = None,
    tags: Mapping[str, object] | None = None, description: str = "",
) -> str:  # fmt: skip
    """Makes a logged forecaster a version of the registered model; no alias moves.

    Args:
        logged: from `log_forecaster`.
        settings: which store, and the registered model's name.
        scores: what it was measured at (mae, skill_vs_naive, …), kept as tags.
        tags: more about it.
        description: one paragraph for people.

    Returns:
        the version's number as text.

    Raises:
        RegistryError: the store refuses.
    """
    from mlflow.exceptions import MlflowException

    client = open_store(settings).client
    said = {"recipe": logged.name, "digest": logged.digest}
    said |= {key: f"{value:.5g}" for key, value in (scores or {}).items()}
    said |= {key: str(value) for key, value in (tags or {}).items()}
    try:
        _ensure_registered(client, settings.model_name)
        made = client.create_model_version(
            settings.model_name, logged.uri, logged.run_id, tags=said, description=description, model_id=logged.model_id
        )
    except MlflowException as error:
        raise RegistryError(f"'{settings.model_name}' could not be registered ({error.message})") from error
    return str(made.version)


def promote(
    number: str, verdict: Verdict | None, settings: Settings, *, first: bool = False, by: str = "retraining"
) -> bool:
    """Makes a verdict on walked days a decision, and moves the aliases as it says (`decisions.enact`).

    A promoted version becomes `champion` and the one that reigned `previous`; another one becomes `challenger`, also
    where the last change of champion is too young for another.

    Args:
        number: the version.
        verdict: of `forecast.comparison`; None only with `first`.
        settings: which store, and the registered model's name.
        first: there is no champion yet, and the version's tag `skill_vs_naive` is above zero.
        by: who asked for it.

    Returns:
        whether it is champion now.

    Raises:
        RegistryError: no such version; no verdict; or `first` where a champion reigns or the naive was not beaten.
    """
    store = open_store(settings)
    tags, aliases = _version_of(store.client, settings.model_name, number)
    if verdict is None:
        _check_first(first, aliases, number, tags)
        reasons: tuple[str, ...] = ("the first champion: it beat the seasonal naive",)
    else:
        reasons = tuple(str(reason) for reason in verdict.reasons)
    reigning = aliases.get(CHAMPION)
    decision = Decision(
        kind="retraining" if reigning else "first", version=number, recipe=tags.get("recipe", ""), at=now(), by=by,
        outcome="promoted" if verdict is None or verdict.promote else "refused", against=reigning, reasons=reasons,
        figures=figures_of(verdict), evidence="walk",
    )  # fmt: skip
    return enact(decision, settings, store=store).outcome == "promoted"


def _check_first(first: bool, aliases: Mapping[str, str], number: str, tags: Mapping[str, str]) -> None:
    if not first:
        raise RegistryError(
            f"no verdict for version {number}", "the verdict of a comparison with the champion",
            "compare on days that neither was trained on: forecast backtest, then forecast.comparison",
        )  # fmt: skip
    if CHAMPION in aliases:
        raise RegistryError(
            f"version {aliases[CHAMPION]} is champion already", "a verdict against it", "compare the two first"
        )
    skill = tags.get("skill_vs_naive", "none")
    if skill == "none" or not float(skill) > 0:
        raise RegistryError(
            f"version {number} has skill {skill} against the seasonal naive", "a first champion that beats it",
            "train longer, or give it more history",
        )  # fmt: skip


def _version_of(client: Any, name: str, number: str) -> tuple[dict[str, str], dict[str, str]]:
    """The version's tags, and all aliases of the model."""
    from mlflow.exceptions import MlflowException

    try:
        tags = dict(client.get_model_version(name, number).tags)
        aliases = {alias: str(held) for alias, held in client.get_registered_model(name).aliases.items()}
    except MlflowException as error:
        raise RegistryError(
            f"no version {number} of model '{name}' ({error.message})", "a registered version", "register it first"
        ) from error
    return tags, aliases


def _ensure_registered(client: Any, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(name, description=REGISTERED_NOTE)


def _signature(spec: ForecasterSpec) -> tuple[Any, Any, Any]:
    """Inputs, outputs and parameters as MLflow's UI and its server state them."""
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    covariates = (*spec.columns.dynamic, *spec.columns.static)
    inputs = Schema(
        [ColSpec("string", "unique_id"), ColSpec("string", "ds"), *[ColSpec("double", c) for c in covariates]]
    )
    said = quantile_columns(spec.recipe.quantiles)
    stamps = [ColSpec("datetime", name) for name in ("cutoff", "ds")]
    numbers = [ColSpec("double", name) for name in ("mean", *said)]
    params = [
        ParamSpec("cutoff", "string", ""),
        ParamSpec("horizon", "long", 0),
        ParamSpec("quantiles", "double", list(spec.recipe.quantiles), (-1,)),
    ]
    return inputs, Schema([ColSpec("string", "unique_id"), *stamps, *numbers]), ParamSchema(params)


def _requirements(kind: str) -> list[str]:
    """Pinned as installed. This package itself is on no index: it has to be there already."""
    pinned = []
    for name in ("mlflow", *_NEEDED, *_NEEDED_BY_KIND.get(kind, ())):
        try:
            pinned.append(f"{name}=={version(name).split('+')[0]}")
        except PackageNotFoundError:
            continue
    return pinned
