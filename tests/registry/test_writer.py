"""What retrainings leave in MLflow: nested runs, digests, models without pickles; aliases that only a verdict moves."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pytest

from forecast.comparison import Verdict
from forecast.errors import RegistryError
from forecast.forecaster import Forecaster
from forecast.recipe import RidgeModel, Task
from forecast.registry.writer import (
    LoggedForecaster,
    Run,
    aliases,
    example_inputs,
    log_forecaster,
    open_store,
    promote,
    recipe_params,
    register,
    register_folder,
    retraining,
    versions,
)
from forecast.settings import Settings
from forecast.tables import Demand
from forecast.training import Fitted

PROMOTED = Verdict(challenger="a", champion="b", promote=True, reasons=("a gain of 4 %", "covers 81 %"))
REFUSED = Verdict(challenger="a", champion="b", promote=False, reasons=("refused: the gain may be chance",))


@pytest.fixture(autouse=True)
def _mlflow_looks_here(settings: Settings) -> None:
    """mlflow's own functions follow the store that was opened last."""
    open_store(settings)


def read(run: Run) -> Any:
    return run.store.client.get_run(run.run_id)


def test_a_retraining_is_a_parent_with_children_and_folds(settings: Settings, demand: Demand, task: Task) -> None:
    with retraining(settings, name="2014-02 victoria", demand=demand, task=task, tags={"weather": "none"}) as run:
        with run.child("lstm") as child, child.child("lstm · fold 1") as fold:
            child.epochs(
                [{"stage": "learn", "epoch": 1, "train_loss": 0.5}, {"stage": "learn", "epoch": 2, "train_loss": 0.25}]
            )
            child.metrics({"mae": 1 / 3, "mase": float("nan"), "mape": None})
        run.note("# What happened")
    parent, recipe, part = read(run), read(child), read(fold)
    assert parent.info.run_name == "2014-02 victoria"
    assert {parent.info.status, recipe.info.status, part.info.status} == {"FINISHED"}
    assert recipe.data.tags["mlflow.parentRunId"] == run.run_id
    assert part.data.tags["mlflow.parentRunId"] == child.run_id
    assert recipe.data.metrics == {"learn/train_loss": 0.25, "mae": 0.333333}
    curve = run.store.client.get_metric_history(child.run_id, "learn/train_loss")
    assert [(point.step, point.value) for point in curve] == [(1, 0.5), (2, 0.25)]
    assert parent.data.tags["mlflow.note.content"] == "# What happened"
    assert (parent.data.tags["weather"], parent.data.tags["data"]) == ("none", "victoria.csv")


def test_a_table_is_named_by_its_digest_and_not_copied(settings: Settings, demand: Demand, task: Task) -> None:
    with retraining(settings, name="one", demand=demand, task=task) as run:
        pass
    (entry,) = read(run).inputs.dataset_inputs
    profile = json.loads(entry.dataset.profile)
    assert entry.dataset.digest == demand.digest[:16]
    assert profile["sha256"] == demand.digest == read(run).data.tags["data_sha256"]
    assert (profile["rows"], profile["series"], profile["unit"]) == (1440, 1, "MW")
    assert run.store.client.list_artifacts(run.run_id) == []


def test_a_broken_retraining_is_marked_as_failed(settings: Settings, demand: Demand, task: Task) -> None:
    with pytest.raises(ZeroDivisionError), retraining(settings, name="one", demand=demand, task=task) as run:
        _ = 1 / 0
    assert read(run).info.status == "FAILED"


def test_parameters_are_what_people_compare(fitted: dict[str, Fitted]) -> None:
    spec = fitted["ridge"].forecaster.spec
    params = recipe_params(spec.recipe, spec.task)
    assert (params["model"], params["per_series"], params["horizon"], params["context"]) == ("ridge", True, 24, "7d")
    assert params["alphas"] == list(RidgeModel().alphas)
    assert not {"name", "description", "quantiles"} & set(params)


def test_the_page_that_compares_shows_the_newest_retraining(settings: Settings, demand: Demand, task: Task) -> None:
    for name in ("old", "new"):
        with retraining(settings, name=name, demand=demand, task=task) as run:
            pass
    tags = run.store.client.get_experiment(run.store.experiment).tags
    kept = json.loads(tags["mlflow.sharedViewState.compare"])
    assert kept["name"] == "Recipes of the newest run, best first"
    view = json.loads(kept["state"])
    assert run.run_id in view["searchFilter"]
    assert "metrics.`mae`" in view["selectedColumns"]
    assert "viewStateShareKey=compare" in tags["mlflow.note.content"]


def test_a_table_shows_missing_figures_as_missing(settings: Settings, demand: Demand, task: Task) -> None:
    with retraining(settings, name="one", demand=demand, task=task) as run:
        run.table(pd.DataFrame({"model": ["a", "b"], "mase": [1.23456789, float("nan")]}), "comparison")
    folder = Path(run.store.client.download_artifacts(run.run_id, "tables"))
    shown = json.loads((folder / "comparison.json").read_text())
    assert shown["columns"] == ["model", "mase"]
    assert shown["data"] == [["a", 1.23457], ["b", None]]


# ---- models -----------------------------------------------------------------------------------------------------


def test_a_logged_model_holds_no_pickle(settings: Settings, ridge: LoggedForecaster) -> None:
    import mlflow

    folder = Path(mlflow.artifacts.download_artifacts(ridge.uri))
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"forecaster.json", "weights.safetensors", "manifest.json", "MLmodel"}
    assert not [path for path in files if path.suffix in (".pkl", ".pickle", ".joblib", ".pt", ".pth")]
    # A pickle of protocol 2 or later begins with 0x80 and the protocol.
    assert not [path for path in files if path.read_bytes()[:1] == b"\x80"]
    assert "cloudpickle" not in (folder / "requirements.txt").read_text()


def test_it_loads_without_pickle_to_bit_equal_forecasts(
    settings: Settings,
    ridge: LoggedForecaster,
    demand: Demand,
    fitted: dict[str, Fitted],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import mlflow

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    model = mlflow.pyfunc.load_model(ridge.uri)
    forecaster = fitted["ridge"].forecaster
    example = example_inputs(demand, forecaster.spec)
    cutoff = demand.last_known_end()
    answer = model.predict(example, params={"cutoff": cutoff.isoformat(), "quantiles": [0.1, 0.5]})
    history = example.assign(ds=pd.to_datetime(example["ds"], utc=True))
    table = Demand.from_frame(history, columns=demand.columns, zone="Australia/Melbourne")
    said = forecaster.predict(table, [cutoff], quantiles=[0.1, 0.5]).frame
    pd.testing.assert_frame_equal(answer, said, check_exact=True)
    assert len(answer) == 24


def test_its_signature_names_columns_and_parameters(settings: Settings, ridge: LoggedForecaster) -> None:
    import mlflow

    info = mlflow.models.get_model_info(ridge.uri)
    assert info.signature.inputs.input_names() == ["unique_id", "ds", "y", "temperature"]
    assert [one.name for one in info.signature.params] == ["cutoff", "horizon", "quantiles"]
    assert "q0.9" in info.signature.outputs.input_names()
    model = mlflow.pyfunc.load_model(ridge.uri)
    assert set(model.input_example["unique_id"]) == {"victoria"}
    assert len(model.predict(model.input_example, params={"horizon": 3})) == 3


def test_stamps_without_a_zone_are_refused(
    settings: Settings, ridge: LoggedForecaster, demand: Demand, fitted: dict[str, Fitted]
) -> None:
    import mlflow

    example = example_inputs(demand, fitted["ridge"].forecaster.spec)
    naive = example.assign(ds=example["ds"].str.removesuffix("Z"))
    with pytest.raises(Exception, match="without a zone"):
        mlflow.pyfunc.load_model(ridge.uri).predict(naive)


def test_figures_are_linked_to_the_model_and_the_table(
    settings: Settings, demand: Demand, task: Task, fitted: dict[str, Fitted]
) -> None:
    with retraining(settings, name="one", demand=demand, task=task) as run, run.child("ridge") as child:
        child.dataset(demand)
        one = log_forecaster(child, fitted["ridge"].forecaster, example_inputs(demand, fitted["ridge"].forecaster.spec))
        child.metrics({"mae": 12.0}, model_id=one.model_id, demand=demand)
    (metric,) = run.store.client.get_logged_model(one.model_id).metrics
    assert (metric.key, metric.value, metric.dataset_digest) == ("mae", 12.0, demand.digest[:16])


def test_the_example_speaks_the_sources_unit(demand: Demand, fitted: dict[str, Fitted]) -> None:
    spec = fitted["ridge"].forecaster.spec
    frame = demand.to_frame()
    frame["y"] = frame["y"].astype(float) * 0.5
    halves = frame.iloc[: len(frame) // 2].assign(
        ds=pd.date_range("2014-01-01", periods=len(frame) // 2, freq="30min", tz="UTC")
    )
    energy = Demand.from_frame(halves, columns=demand.columns, unit="MWh")
    example = example_inputs(energy, spec)
    known = example["y"].dropna()
    assert np.allclose(known.iloc[-1], halves["y"].iloc[-1], rtol=1e-6)


# ---- versions and aliases ---------------------------------------------------------------------------------------


def test_the_first_champion_has_to_beat_the_naive(settings: Settings, ridge: LoggedForecaster) -> None:
    worse = register(ridge, settings, scores={"skill_vs_naive": -0.1})
    silent = register(ridge, settings)
    with pytest.raises(RegistryError, match=r"skill -0\.1"):
        promote(worse, None, settings, first=True)
    with pytest.raises(RegistryError, match="skill none"):
        promote(silent, None, settings, first=True)
    assert aliases(settings) == {}
    better = register(ridge, settings, scores={"skill_vs_naive": 0.4})
    assert promote(better, None, settings, first=True)
    assert aliases(settings) == {"champion": better}


def test_only_a_verdict_dethrones_a_champion(settings: Settings, ridge: LoggedForecaster) -> None:
    reigning, second, third = (register(ridge, settings, scores={"skill_vs_naive": 0.4}) for _ in range(3))
    promote(reigning, None, settings, first=True)
    with pytest.raises(RegistryError, match="no verdict"):
        promote(second, None, settings)
    with pytest.raises(RegistryError, match="is champion already"):
        promote(second, None, settings, first=True)
    assert not promote(second, REFUSED, settings)
    assert aliases(settings) == {"champion": reigning, "challenger": second}
    assert promote(second, PROMOTED, settings)
    assert aliases(settings) == {"champion": second, "previous": reigning}
    assert promote(third, PROMOTED, settings)
    assert aliases(settings) == {"champion": third, "previous": second}
    assert promote(second, PROMOTED, settings)
    assert aliases(settings) == {"champion": second, "previous": third}


def test_a_champion_judged_again_stays_its_own_predecessors_successor(
    settings: Settings, ridge: LoggedForecaster
) -> None:
    first, second = (register(ridge, settings, scores={"skill_vs_naive": 0.4}) for _ in range(2))
    promote(first, None, settings, first=True)
    promote(second, PROMOTED, settings)
    promote(second, PROMOTED, settings)
    assert aliases(settings) == {"champion": second, "previous": first}


def test_the_reasons_stay_with_the_version(settings: Settings, ridge: LoggedForecaster) -> None:
    number = register(ridge, settings, description="One ridge per hour.")
    promote(number, REFUSED, settings)
    promote(number, PROMOTED, settings)
    (version,) = versions(settings)
    assert version.tags["verdict"] == "promoted"
    assert json.loads(version.tags["verdict_reasons"]) == ["a gain of 4 %", "covers 81 %"]
    assert version.description.startswith("One ridge per hour.\n\n**Verdict: promoted**")
    assert "chance" not in version.description


def test_an_unknown_version_is_named(settings: Settings, ridge: LoggedForecaster) -> None:
    register(ridge, settings)
    with pytest.raises(RegistryError, match="no version 99"):
        promote("99", PROMOTED, settings)


def test_a_store_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlruns").write_text("a file, not a folder")
    with pytest.raises(RegistryError, match="cannot be opened"):
        open_store(Settings.read(home=tmp_path, mlflow_uri=f"sqlite:///{tmp_path}/mlruns/mlflow.db"))


def test_the_folder_in_the_registry_is_a_forecasters(settings: Settings, ridge: LoggedForecaster) -> None:
    import mlflow

    folder = Path(mlflow.artifacts.download_artifacts(ridge.uri)) / "artifacts" / "forecaster"
    assert Forecaster.load(folder).spec.name == "ridge"


def test_a_folder_alone_becomes_a_challenger(settings: Settings, fitted: dict[str, Fitted], tmp_path: Path) -> None:
    import mlflow

    fitted["ridge"].forecaster.save(tmp_path / "model")
    number = register_folder(tmp_path / "model", settings, fitted["ridge"].report)
    assert aliases(settings) == {"challenger": number}
    info = mlflow.models.get_model_info(f"models:/{settings.model_name}/{number}")
    assert info.signature.inputs.input_names() == ["unique_id", "ds", "y", "temperature"]
    (version,) = versions(settings)
    tags = open_store(settings).client.get_run(version.run_id).data.tags
    assert tags["data_sha256"] == fitted["ridge"].forecaster.spec.data_digest
