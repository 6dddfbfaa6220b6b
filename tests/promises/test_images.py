"""The images: what the slim one holds is enough, what it lacks is said, and compose.yaml keeps its promises."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import forecast
from deploy.proof.dockerfile import Stage, chain, stages
from forecast.cli.mistakes import run as run_cli
from forecast.errors import RegistryError
from forecast.forecaster import Forecaster
from forecast.forecaster.exporting import with_graphs
from forecast.networks.configs import DirectConfig, NetworkConfig, RecurrentConfig
from forecast.recipe import FeatureConfig, NetworkModel, Recipe, Task, TrainingConfig
from forecast.registry import database, direct
from forecast.registry.runs import running
from forecast.registry.versions import Wanted
from forecast.registry.writer import log_forecaster, open_store, register
from forecast.settings import Settings
from forecast.tables import Columns
from forecast.training import fit
from tests.builders import long_frame, make_demand

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUP: list[str] = PYPROJECT["dependency-groups"]["serve"]
LEFT_OUT = {"torch", "mlflow", "prefect", "scikit-learn", "matplotlib", "optuna", "onnx", "onnxscript", "httpx"}


# ---- what the slim image holds ---------------------------------------------------------------------------------------


def test_the_group_is_a_part_of_the_product() -> None:
    extras = PYPROJECT["project"]["optional-dependencies"]
    whole = [*PYPROJECT["project"]["dependencies"], *extras["postgres"], *extras["otel"]]
    assert not set(GROUP) - set(whole), "each line of the group is a line of the product's own list"
    names = {canonicalize_name(Requirement(line).name) for line in whole}
    left = names - {canonicalize_name(Requirement(line).name) for line in GROUP}
    assert left == LEFT_OUT, "a new dependency: does the service import it? Add it to the group `serve`, or here"


def kept() -> set[str]:
    """Distributions that installing the group brings, the product itself included."""
    reached, waiting = {"demand-forecast"}, [(Requirement(line), {""}) for line in GROUP]
    while waiting:
        requirement, extras = waiting.pop()
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
            continue
        name = canonicalize_name(requirement.name)
        if name not in reached or requirement.extras:
            reached.add(name)
            wanted = {"", *requirement.extras}
            waiting += [(Requirement(line), wanted) for line in metadata.requires(requirement.name) or []]
    return reached


def absent() -> set[str]:
    """Modules of this environment that the slim image lacks."""
    there = kept()
    listed = metadata.packages_distributions().items()
    return {top for top, owners in listed if not {canonicalize_name(one) for one in owners} & there}


_SLIM = """
import json, sys
gone, arguments = json.loads(sys.argv[1]), sys.argv[2:]
class Lacking:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.split(".")[0] in gone else self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)
sys.meta_path[:] = [Lacking(one) for one in sys.meta_path]
"""
_SERVED = (
    _SLIM
    + """
import urllib.request as u
import serving
from forecast.settings import Settings
def ask(path, body=None, **headers):
    return u.urlopen(u.Request(url + path, body, headers), timeout=60).read()
with serving.running(Settings.read(port=0)) as url:
    ask("/readyz")
    for path in ("/", "/docs", "/metrics", "/v1/models", "/v1/models?registered=true", "/v1/status", "/v1/series"):
        ask(path)
    examples = json.loads(ask("/openapi.json"))["paths"]["/v1/forecasts"]["post"]["requestBody"]["content"]
    body = next(one["value"] for one in examples["application/json"]["examples"].values()
                if "history" in one["value"]["series"][0])
    body["store"] = True
    wanted = {"peak": True, "energy": True, "paths": 3, "explanation": True}
    kind = {"content-type": "application/json"}
    told = [json.loads(ask("/v1/forecasts", json.dumps(one).encode(), **kind))
            for one in (body, {**body, "options": wanted})]
    for accept in ("text/csv", "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"):
        ask("/v1/forecasts", json.dumps(body).encode(), accept=accept, **kind)
    again = json.loads(ask("/v1/forecasts/" + told[0]["id"]))
    one = body["series"][0]
    rows = {"series": [{"unique_id": "stored", "zone": "UTC", "unit": "MW", "history": one["history"]}]}
    ask("/v1/observations", json.dumps(rows).encode(), **kind)
    last = json.loads(ask("/v1/series"))["series"][0]["last"]
    stored = {"series": [{"unique_id": "stored"}], "cutoff": last, "horizon": 3}
    told.append(json.loads(ask("/v1/forecasts", json.dumps(stored).encode(), **kind)))
print(json.dumps([[one["rung"], one["recorded"], one["model"]["version"]] for one in told]))
"""
)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small LSTM in a registry of its own, its graphs in its folder; the home of both."""
    training = TrainingConfig(epochs=1, windows_per_epoch=64, batch=32, final="keep")
    network = NetworkConfig(encoder=RecurrentConfig(width=4, layers=1), decoder=DirectConfig(width=4))
    model = NetworkModel(network=network, training=training)
    recipe = Recipe(name="small", model=model, context="1d", features=FeatureConfig(reach_days=8))
    demand = make_demand(long_frame(days=30, names=("town",))[["unique_id", "ds", "y"]], columns=Columns())
    one = with_graphs(fit(demand, recipe, Task(horizon=6)).forecaster)
    home = tmp_path_factory.mktemp("slim")
    settings = Settings.read(home=home, mlflow_uri=f"sqlite:///{home}/mlruns/mlflow.db")
    store = open_store(settings)
    with running(store, "one", {}) as run:
        number = register(log_forecaster(run, one, None), settings)
    store.client.set_registered_model_alias(settings.model_name, "champion", number)
    one.save(home / "model")
    return home


def slim(program: str, home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A program that cannot import what the slim image lacks."""
    environment = {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}/src:{ROOT}", "FORECAST_HOME": str(home), "HOME": str(home),
        "OMP_NUM_THREADS": "1", **settings,
    }  # fmt: skip
    words = [sys.executable, "-c", program, json.dumps(sorted(absent())), *arguments]
    return subprocess.run(words, cwd=home, env=environment, capture_output=True, text=True, check=False)


def test_what_is_left_out_cannot_be_imported(tmp_path: Path) -> None:
    assert absent() >= {"torch", "mlflow", "prefect", "sklearn", "matplotlib", "optuna", "onnx", "onnxscript", "httpx"}
    assert not absent() & {"numpy", "scipy", "psycopg", "onnxruntime", "pyarrow", "forecast", "serving"}
    done = slim(_SLIM + "import torch", tmp_path)
    assert "No module named 'torch'" in done.stderr


@pytest.mark.parametrize("how", ["registry", "folder"])
def test_the_service_answers_with_what_the_slim_image_holds(learned: Path, how: str) -> None:
    chosen = {"FORECAST_MODEL": str(learned / "model")} if how == "folder" else {}
    done = slim(_SERVED, learned, **chosen)
    assert done.returncode == 0, done.stderr[-3000:]
    version = "1" if how == "registry" else None
    assert json.loads(done.stdout.splitlines()[-1]) == [["champion", True, version]] * 3


@pytest.mark.long
def test_other_commands_say_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "demand.csv").write_text("timestamp,demand\n" + "".join(
        f"2024-01-{1 + hour // 24:02d}T{hour % 24:02d}:00:00Z,{100 + hour % 24}\n" for hour in range(24 * 28)
    ))  # fmt: skip
    program = _SLIM + "sys.argv = ['forecast', *arguments]\nfrom forecast.cli import main\nmain()"
    words = ["train", "demand.csv", "--zone", "UTC", "--recipe", "lstm", "--out", "model"]
    done = slim(program, tmp_path, *words)
    assert done.returncode == 2, done.stderr
    assert "torch, which this command needs, is not installed here" in " ".join(done.stderr.split())
    assert slim(program, tmp_path, "keys", "list").returncode == 0


@pytest.mark.long
def test_predict_answers_from_graphs_where_torch_is_missing(learned: Path, tmp_path: Path) -> None:
    demand = make_demand(long_frame(days=20, names=("town",))[["unique_id", "ds", "y"]], columns=Columns())
    demand.to_frame().to_csv(tmp_path / "demand.csv", index=False)
    program = _SLIM + "sys.argv = ['forecast', *arguments]\nfrom forecast.cli import main\nmain()"
    asked = ["predict", str(tmp_path / "demand.csv"), "--model", str(learned / "model"), "--horizon", "6",
             "--zone", "UTC"]  # fmt: skip
    done = slim(program, tmp_path, *asked, "--out", str(tmp_path / "said.csv"))
    assert done.returncode == 0, done.stderr
    said = pd.read_csv(tmp_path / "said.csv")
    end = demand.last_known_end()
    ours = Forecaster.load(learned / "model").predict(demand, [end], horizon=6).frame
    assert len(said) == 6
    np.testing.assert_allclose(said["mean"], ours["mean"], rtol=1e-5)
    longer = slim(program, tmp_path, *asked, "--horizon", "30")
    assert longer.returncode in (0, 2)
    assert "Our fault" not in longer.stderr


def test_our_own_missing_module_is_our_fault(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        raise ModuleNotFoundError("No module named 'forecast.gone'", name="forecast.gone")

    with pytest.raises(SystemExit) as stopped:
        run_cli(broken)  # type: ignore[arg-type]
    assert stopped.value.code == 3
    assert "Our fault" in capsys.readouterr().err


def test_a_registry_that_only_mlflow_reads_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "find_spec", lambda name: None)
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE other (a)").connection.close()
    with pytest.raises(RegistryError, match=r"only MLflow itself can read this .* MLFLOW_TRACKING_URI"):
        direct.TableRegistry(f"sqlite:///{tmp_path}/other.db").find(Wanted("demand", "champion", None))


def test_a_database_that_fails_is_said_without_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "find_spec", lambda name: None)
    nowhere = direct.TableRegistry("postgresql+psycopg://me:secret@127.0.0.1:9/mlflow")
    for ask in (lambda: nowhere.find(Wanted("demand", "champion", None)), lambda: nowhere.versions("demand")):
        with pytest.raises(RegistryError, match=r"the database of MLflow .* fails") as told:
            ask()
        assert "secret" not in str(told.value)


def test_graphs_that_are_missing_are_said(learned: Path, tmp_path: Path) -> None:
    Forecaster.load(learned / "model").save(tmp_path / "whole")
    for graph in (tmp_path / "whole").glob("graph*"):
        graph.unlink()
    manifest = json.loads((tmp_path / "whole" / "manifest.json").read_text())
    files = manifest.get("files", manifest)
    for name in [name for name in files if name.startswith("graph")]:
        del files[name]
    (tmp_path / "whole" / "manifest.json").write_text(json.dumps(manifest))
    program = _SLIM + (
        "from pathlib import Path\nfrom forecast.registry.reader import resolve\n"
        "from forecast.registry.serving import load_for_serving\nfrom forecast.settings import Settings\n"
        "settings = Settings.read()\nload_for_serving(resolve(arguments[0], settings), settings)"
    )
    done = slim(program, tmp_path, str(tmp_path / "whole"))
    assert "torch, which writes it, is not installed" in done.stderr


# ---- the Dockerfile --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def images() -> dict[str, Stage]:
    """The stages."""
    return stages(ROOT / "Dockerfile")


def told(steps: list[tuple[str, str]], word: str) -> list[str]:
    return [rest for name, rest in steps if name == word]


def test_the_slim_image_is_the_default_and_runs_as_nobody(images: dict[str, Stage]) -> None:
    assert list(images)[-1] == "serve"
    for name in ("serve", "work"):
        steps = chain(images, name)
        assert told(steps, "USER")[-1] == "10001:10001"
        assert steps.index(("USER", "10001:10001")) > max(at for at, step in enumerate(steps) if step[0] == "RUN")
        assert told(steps, "STOPSIGNAL") == ["SIGTERM"]
        # A worker of Prefect runs flows in a folder that is thrown away.
        assert "FORECAST_HOME=/home/forecast" in told(steps, "ENV")[0].split()
    assert "/livez" in told(images["serve"].steps, "HEALTHCHECK")[-1]


def test_the_slim_image_installs_the_group_and_the_wheel_alone(images: dict[str, Stage]) -> None:
    commands = " ".join(told(chain(images, "build-serve"), "RUN"))
    assert "install -c constraints.txt --group serve" in commands
    assert "install --no-deps dist/*.whl" in commands
    assert "torch" not in commands
    assert told(images["serve"].steps, "COPY") == ["--from=build-serve /opt/forecast /opt/forecast"]


def test_everything_in_it_is_pinned_and_nothing_is_kept(images: dict[str, Stage]) -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.11\.\d+-slim-bookworm$", text, re.MULTILINE)
    assert {stage.parent for stage in images.values()} - set(images) == {"${PYTHON_IMAGE}"}
    assert "PIP_NO_CACHE_DIR=1" in told(images["build"].steps, "ENV")[0]
    assert f"setuptools=={metadata.version('setuptools')}" in text
    for command in re.findall(r"pip\S* (?:--python \S+ )?install ([^&\n]+)", text):
        pinned = re.search(r"==\d|-c constraints|--no-deps|torch==", command)
        assert pinned, f"not pinned: pip install {command}"


def test_labels_tell_the_truth(images: dict[str, Stage]) -> None:
    labels = dict(re.findall(r'opencontainers\.image\.(\w+)="([^"]+)"', " ".join(told(images["base"].steps, "LABEL"))))
    assert (labels["version"], labels["licenses"]) == (forecast.__version__, PYPROJECT["project"]["license"])


def test_what_is_copied_is_let_in(images: dict[str, Stage]) -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for name in ("build-serve", "build-work"):
        copied = {word for rest in told(chain(images, name), "COPY") for word in rest.split()[:-1]}
        assert copied <= let_in
        assert {"src", "flows", "serving", "migrations", "LICENSE"} <= copied
        assert all((ROOT / word).exists() for word in copied)
