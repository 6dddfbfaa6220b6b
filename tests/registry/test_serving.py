"""Loading for the service: neither torch nor mlflow nor scikit-learn in the process, whatever the folder lacks."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.errors import ModelFolderError
from forecast.forecaster import Forecaster, verify
from forecast.forecaster.exporting import with_graphs
from forecast.networks.configs import DirectConfig, NetworkConfig, RecurrentConfig, RecurrentDecoderConfig
from forecast.recipe import EnsembleModel, NetworkModel, Recipe, RidgeModel, Task, TrainingConfig
from forecast.recipes import named
from forecast.registry.reader import resolve
from forecast.registry.serving import load_for_serving
from forecast.registry.writer import register_folder
from forecast.settings import Settings
from forecast.tables import Demand
from forecast.tables.stored import save_demand
from forecast.training import fit
from tests.builders import long_frame, make_demand

pytestmark = pytest.mark.long  # writing the graphs takes half a minute
CUTOFF = pd.Timestamp("2024-03-01T00:00Z")
SERVE = """
import json, sys
from pathlib import Path
import pandas as pd
from forecast.registry.reader import resolve
from forecast.registry.serving import load_for_serving
from forecast.registry.writer import register_folder
from forecast.settings import Settings
from forecast.tables.stored import load_demand

settings = Settings.read(mlruns=Path(sys.argv[1]))
demand = load_demand(Path(sys.argv[2]))
answers = []
for folder, steps in zip(sys.argv[3::2], sys.argv[4::2]):
    forecaster = load_for_serving(resolve(folder, settings), settings)
    for _ in range(3):
        frame = forecaster.predict(demand, [pd.Timestamp("2024-03-01T00:00Z")], horizon=int(steps)).frame
    answers.append(frame["q0.5"].tolist())
heavy = [name for name in ("torch", "mlflow", "sklearn", "onnx", "onnxscript") if name in sys.modules]
print(json.dumps({"answers": answers, "heavy": heavy}))
"""


def _network(decoder: DirectConfig | RecurrentDecoderConfig, **how: object) -> NetworkModel:
    config = NetworkConfig(encoder=RecurrentConfig(kind="lstm", width=4), decoder=decoder)
    return NetworkModel(network=config, training=TrainingConfig(epochs=1, windows_per_epoch=32), **how)


DIRECT = DirectConfig(width=6)
LIKE_DEFAULT = Recipe(
    name="like-default", context="2d",
    model=EnsembleModel(members=(_network(DIRECT), _network(DIRECT, residual_on=RidgeModel()), RidgeModel())),
)  # fmt: skip
HEARS_ITSELF = Recipe(
    name="hears-itself", context="4d", model=_network(RecurrentDecoderConfig(width=4, autoregressive=True))
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serving")


@pytest.fixture(scope="module")
def demand(home: Path) -> Demand:
    """Two series, four periods a day: few steps to write down."""
    made = make_demand(long_frame(days=60, freq="6h"))
    save_demand(made, home / "table.parquet")
    return made


@pytest.fixture(scope="module")
def models(demand: Demand) -> dict[str, Forecaster]:
    known = demand.as_of(CUTOFF)
    recipes = {"ridge": named("ridge"), "default": LIKE_DEFAULT, "itself": HEARS_ITSELF}
    return {name: fit(known, recipe, Task(horizon=4)).forecaster for name, recipe in recipes.items()}


@pytest.fixture(scope="module")
def folders(home: Path, models: dict[str, Forecaster]) -> dict[str, Path]:
    models["ridge"].save(home / "ridge")
    with_graphs(models["default"]).save(home / "default")
    models["itself"].save(home / "itself")
    return {name: home / name for name in models}


def _q50(forecaster: Forecaster, demand: Demand, steps: int) -> np.ndarray:
    return forecaster.predict(demand, [CUTOFF], horizon=steps).frame["q0.5"].to_numpy()


def test_a_process_that_loads_and_predicts_never_imports_what_trains(
    home: Path, demand: Demand, models: dict[str, Forecaster], folders: dict[str, Path]
) -> None:
    """The last model has no graph at all, then none of so many steps: a child writes them."""
    asked = [("ridge", 4), ("default", 4), ("default", 7), ("itself", 3), ("itself", 6)]
    told = [text for name, steps in asked for text in (str(folders[name]), str(steps))]
    before = verify(folders["itself"])
    done = subprocess.run(
        [sys.executable, "-c", SERVE, str(home / "mlruns"), str(home / "table.parquet"), *told],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["heavy"] == []
    for (name, steps), ours in zip(asked, answer["answers"], strict=True):
        assert np.abs(np.array(ours) / _q50(models[name], demand, steps) - 1).max() < 1e-5
    assert verify(folders["itself"]) == before
    written = {path.name for path in (home / "mlruns" / "cache" / "graphs").glob("*/graph*")}
    assert written == {f"graph--{steps}.{kind}" for steps in (4, 8) for kind in ("onnx", "safetensors")}


def test_what_the_cache_of_graphs_holds_is_made_again_where_it_is_broken(
    home: Path, demand: Demand, models: dict[str, Forecaster], folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.read(mlruns=home / "broken")
    ref = resolve(str(folders["default"]), settings)
    models["default"].save(home / "bare")
    bare = resolve(str(home / "bare"), settings)
    beside = settings.cache / "graphs" / bare.digest[:16]
    beside.mkdir(parents=True)
    graphs = Forecaster.load(ref.folder).graphs
    for name, data in graphs.items():
        (beside / name).write_bytes(data[:-50] if name.endswith(".onnx") else data)
    written = []

    def write(folder: Path, into: Path) -> None:
        written.append(folder)
        for name, data in graphs.items():
            (into / name).write_bytes(data)

    monkeypatch.setattr("forecast.registry.serving.write_beside", write)
    ours = _q50(load_for_serving(bare, settings), demand, 4)
    assert np.abs(ours / _q50(models["default"], demand, 4) - 1).max() < 1e-5
    assert written == [home / "bare"]


def test_a_signed_graph_that_is_broken_is_refused(home: Path, folders: dict[str, Path]) -> None:
    settings = Settings.read(mlruns=home / "mlruns")
    graphs = Forecaster.load(folders["default"]).graphs
    broken = {name: data[:-50] if name.endswith(".onnx") else data for name, data in graphs.items()}
    replace(Forecaster.load(folders["default"]), graphs=broken).save(home / "signed")
    with pytest.raises(ModelFolderError, match="cannot be run"):
        load_for_serving(resolve(str(home / "signed"), settings), settings)


def test_a_registered_network_brings_its_graphs(
    settings: Settings, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forecast.registry.serving.write_beside", lambda *_: pytest.fail("graphs were written again"))
    number = register_folder(folders["default"], settings)
    ref = resolve(f"models:/{settings.model_name}/{number}", settings)
    assert verify(ref.folder) == verify(folders["default"])
    assert load_for_serving(ref, settings).spec.name == "like-default"
