"""Graphs in a model's folder: signed like its other files, carried on, and never taken for other weights'."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.errors import ModelFolderError
from forecast.forecaster import Forecaster, verify
from forecast.forecaster import exporting as _exporting
from forecast.forecaster.exporting import with_graphs, write_beside
from forecast.recipe import Task
from forecast.tables import Demand
from forecast.training import fit
from tests.builders import TINY_ENSEMBLE, long_frame, make_demand, utc

CUTOFFS = list(pd.date_range(utc("2024-03-01"), periods=3, freq="31h"))
GRAPH, EXAMPLE = "graph-0.network-any.onnx", "graph-0.network-any.safetensors"


@pytest.fixture(scope="module")
def demand() -> Demand:
    return make_demand(long_frame(days=60, gaps=0.02))


@pytest.fixture(scope="module")
def bare(demand: Demand) -> Forecaster:
    """A network on a ridge, a ridge and trees."""
    return fit(demand.as_of("2024-03-01T00:00Z"), TINY_ENSEMBLE, Task(horizon=24)).forecaster


@pytest.fixture(scope="module")
def carrying(bare: Forecaster) -> Forecaster:
    return with_graphs(bare)


@pytest.fixture
def folder(carrying: Forecaster, tmp_path: Path) -> Path:
    carrying.save(tmp_path / "model")
    return tmp_path / "model"


def said(forecaster: Forecaster, demand: Demand) -> np.ndarray:
    frame = forecaster.predict(demand, CUTOFFS, horizon=30).frame
    return frame.drop(columns=["unique_id", "cutoff", "ds"]).to_numpy(dtype=np.float64)


def sign(folder: Path) -> None:
    """Makes a manifest of whatever the folder holds."""
    files = [path for path in folder.iterdir() if path.name != "manifest.json"]
    (folder / "manifest.json").write_text(
        json.dumps({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files})
    )


def test_graphs_say_what_torch_says(folder: Path, bare: Forecaster, demand: Demand) -> None:
    wanted = said(bare, demand)
    assert np.array_equal(said(Forecaster.load(folder), demand), wanted)
    for runtime in ("onnx", "auto"):
        ours = said(Forecaster.load(folder, runtime, threads=2), demand)
        assert not np.array_equal(ours, wanted)
        assert np.abs(ours / wanted - 1).max() < 1e-5


def test_graphs_are_signed(folder: Path) -> None:
    assert {GRAPH, EXAMPLE} < set(verify(folder))
    (folder / GRAPH).write_bytes((folder / GRAPH).read_bytes() + b" ")
    with pytest.raises(ModelFolderError, match=f"{GRAPH} is not as it was written"):
        Forecaster.load(folder)


def test_a_graph_that_the_manifest_does_not_name_is_not_read(folder: Path, bare: Forecaster) -> None:
    graph = (folder / GRAPH).read_bytes()
    bare.save(folder)
    (folder / GRAPH).write_bytes(graph)
    assert not Forecaster.load(folder).graphs
    with pytest.raises(ModelFolderError, match="no graphs of 1 of its networks"):
        Forecaster.load(folder, "onnx")


def test_a_manifest_that_names_a_file_elsewhere_is_refused(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "../secret": "0"}))
    with pytest.raises(ModelFolderError, match="no part of a model"):
        verify(folder)


def test_an_example_that_is_missing_is_told(folder: Path) -> None:
    (folder / EXAMPLE).unlink()
    sign(folder)
    with pytest.raises(ModelFolderError, match=r"example of graph-0.network-any.onnx is missing"):
        Forecaster.load(folder, "onnx")


def test_a_folder_without_graphs_is_served_by_torch_unless_told_otherwise(
    bare: Forecaster, demand: Demand, tmp_path: Path
) -> None:
    bare.save(tmp_path / "old")
    assert np.array_equal(said(Forecaster.load(tmp_path / "old", "auto"), demand), said(bare, demand))


def test_graphs_are_written_once_and_carried_on(
    carrying: Forecaster, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_exporting, "_exported", lambda *_: pytest.fail("a graph was written again"))
    for runtime in ("torch", "onnx"):
        again = with_graphs(Forecaster.load(folder, runtime))
        again.save(tmp_path / runtime)
        assert verify(tmp_path / runtime) == verify(folder)


@pytest.mark.long
def test_graphs_of_other_weights_are_written_anew(
    carrying: Forecaster, demand: Demand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = fit(demand.as_of("2024-02-20T00:00Z"), TINY_ENSEMBLE, Task(horizon=24)).forecaster
    mixed = replace(other, graphs=carrying.graphs)
    mixed.save(tmp_path / "mixed")
    with pytest.raises(ModelFolderError, match="of other weights"):
        Forecaster.load(tmp_path / "mixed", "onnx")
    monkeypatch.setattr(_exporting, "_exported", lambda _model, place, _steps: {f"graph-{place}": b""})
    assert dict(with_graphs(mixed).graphs) == {"graph-0/network": b""}


def test_without_torch_it_says_what_to_do(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_exporting.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelFolderError, match=r"torch, which writes it, is not installed.*Register it again"):
        write_beside(folder, tmp_path / "beside")
