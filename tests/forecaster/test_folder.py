"""A model folder: three files, no pickle, the same bits in a fresh process, and every damage named."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from forecast.errors import ModelFolderError
from forecast.forecaster import Forecaster, read_spec, verify
from forecast.recipe import Recipe, Task, TreesModel
from forecast.recipes import named
from forecast.retraining import load_fitted, save_fitted
from forecast.tables.stored import save_demand
from forecast.training import checkpoint, fit
from tests.builders import TINY, long_frame, make_demand, utc

FRESH = """
import pickle, _pickle, sys

def refused(*_, **__):
    raise AssertionError("pickle was used")

# Other packages derive classes from it while they are imported; none may be made.
Refused = type("Refused", (pickle._Unpickler,), {"__init__": refused})
for module in (pickle, _pickle):
    module.load = module.loads = refused
    module.Unpickler = Refused
pickle._Unpickler, pickle._load, pickle._loads = Refused, refused, refused
try:
    pickle.loads(pickle.dumps(1))
except AssertionError:
    pass
else:
    raise SystemExit("pickle is still there")

import pandas as pd
from pathlib import Path
from forecast.forecaster import Forecaster
from forecast.tables.stored import load_demand

demand = load_demand(Path(sys.argv[2]))
cutoffs = list(pd.date_range("2024-03-01", periods=4, freq="31h", tz="UTC"))
frame = Forecaster.load(Path(sys.argv[1])).predict(demand, cutoffs).frame
print(frame.drop(columns=["unique_id", "cutoff", "ds"]).to_numpy().tobytes().hex())
"""
SMALL_TREES = Recipe(name="small-trees", model=TreesModel(iterations=3))
RECIPES = {"tiny": TINY, "ridge": named("ridge"), "trees": SMALL_TREES, "naive": named("seasonal_naive_week")}


@pytest.fixture(scope="module")
def fitted() -> dict[str, Forecaster]:
    table = make_demand(long_frame(days=60, gaps=0.02)).as_of("2024-03-01T00:00Z")
    return {name: fit(table, recipe, Task(horizon=24)).forecaster for name, recipe in RECIPES.items()}


@pytest.fixture
def folder(fitted: dict[str, Forecaster], tmp_path: Path) -> Path:
    fitted["ridge"].save(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("name", RECIPES)
def test_a_fresh_process_without_pickle_says_the_same_bits(
    name: str, fitted: dict[str, Forecaster], tmp_path: Path
) -> None:
    import pandas as pd

    demand = make_demand(long_frame(days=60, gaps=0.02))
    fitted[name].save(tmp_path / "model")
    save_demand(demand, tmp_path / "table.parquet")
    cutoffs = list(pd.date_range(utc("2024-03-01"), periods=4, freq="31h"))
    here = fitted[name].predict(demand, cutoffs).frame.drop(columns=["unique_id", "cutoff", "ds"]).to_numpy()
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(tmp_path / "model"), str(tmp_path / "table.parquet")],
        capture_output=True, text=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == here.tobytes().hex()


def test_a_folder_is_json_and_safetensors(folder: Path, fitted: dict[str, Forecaster]) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["forecaster.json", "manifest.json", "weights.safetensors"]
    assert read_spec(folder) == fitted["ridge"].spec
    digests = verify(folder)
    for name, digest in digests.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_saving_again_writes_the_same_bytes(folder: Path, fitted: dict[str, Forecaster]) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    Forecaster.load(folder).save(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def resign(folder: Path) -> None:
    """A manifest for whatever the files are now."""
    names = ("forecaster.json", "weights.safetensors")
    told = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "manifest.json").write_text(json.dumps(told))


def edit(folder: Path, **changes: object) -> None:
    spec = json.loads((folder / "forecaster.json").read_text())
    (folder / "forecaster.json").write_text(json.dumps(spec | changes))
    resign(folder)


def other_weights(folder: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"mean_F": np.zeros(3)}, folder / "weights.safetensors")
    resign(folder)


def half(folder: Path) -> None:
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    resign(folder)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights changed": (lambda f: flip(f / "weights.safetensors"), "weights.safetensors is not as it was written"),
    "spec changed": (lambda f: flip(f / "forecaster.json"), "forecaster.json is not as it was written"),
    "no weights": (lambda f: (f / "weights.safetensors").unlink(), "not a whole model folder"),
    "no spec": (lambda f: (f / "forecaster.json").unlink(), "not a whole model folder"),
    "no manifest": (lambda f: (f / "manifest.json").unlink(), "not a whole model folder"),
    "empty manifest": (lambda f: (f / "manifest.json").write_text("{}"), "not a whole model folder"),
    "manifest of another kind": (lambda f: (f / "manifest.json").write_text("[1]"), "not a whole model folder"),
    "manifest is no JSON": (lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe"), "not a whole model folder"),
    "later format": (lambda f: edit(f, format=3), "forecaster.json cannot be read"),
    "unknown field": (lambda f: edit(f, surprise=1), "forecaster.json cannot be read"),
    "signed weights of another model": (other_weights, "do not fit"),
    "signed broken weights": (half, "cannot be read"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named(name: str, folder: Path) -> None:
    spoil, words = DAMAGE[name]
    Forecaster.load(folder)
    spoil(folder)
    with pytest.raises(ModelFolderError, match=words):
        Forecaster.load(folder)


def test_what_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(ModelFolderError, match=r"no folder .*check --model|no folder .*Check --model"):
            Forecaster.load(place)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_full_disk_keeps_the_stored_model(
    call: int, folder: Path, fitted: dict[str, Forecaster], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, calls = bytes_of(folder), []

    def full(_: int) -> None:
        calls.append(1)
        if len(calls) == call:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left") as told:
        fitted["naive"].save(folder)
    assert (len(calls), told.value.filename) == (call, str(folder))
    assert bytes_of(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_swap_that_fails_puts_the_stored_model_back(
    folder: Path, fitted: dict[str, Forecaster], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, rename = bytes_of(folder), Path.rename

    def refused(path: Path, target: Path) -> Path:
        if ".new-" in path.name:
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(OSError, match="Input/output"):
        fitted["naive"].save(folder)
    assert bytes_of(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_new_model_takes_the_place_of_the_old(folder: Path, fitted: dict[str, Forecaster], tmp_path: Path) -> None:
    fitted["naive"].save(folder)
    assert Forecaster.load(folder).spec == fitted["naive"].spec
    (tmp_path / "empty").mkdir()
    fitted["ridge"].save(tmp_path / "empty")
    assert Forecaster.load(tmp_path / "empty").spec == fitted["ridge"].spec
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "model"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
def test_files_get_the_mode_of_the_umask(umask: int, mode: int, fitted: dict[str, Forecaster], tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        fitted["ridge"].save(tmp_path / "model")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "model").iterdir()}
    assert modes == dict.fromkeys(("forecaster.json", "weights.safetensors", "manifest.json"), mode)


@pytest.mark.parametrize("names", [("notes.txt",), ("report.json",), ("manifest.json", "notes.txt")])
def test_a_folder_of_other_files_is_not_overwritten(
    names: tuple[str, ...], fitted: dict[str, Forecaster], tmp_path: Path
) -> None:
    place = tmp_path / "mine"
    place.mkdir()
    for name in names:
        (place / name).write_text("kept")
    with pytest.raises(ModelFolderError, match=f"holds other files .{names[-1]}. and is not overwritten"):
        fitted["ridge"].save(place)
    assert bytes_of(place) == dict.fromkeys(names, b"kept")


def test_a_file_in_the_place_of_the_folder_is_named(fitted: dict[str, Forecaster], tmp_path: Path) -> None:
    (tmp_path / "model").write_text("kept")
    with pytest.raises(ModelFolderError, match="model is a file"):
        fitted["ridge"].save(tmp_path / "model")
    assert (tmp_path / "model").read_text() == "kept"


def test_a_report_beside_the_model_is_written_after_it(tmp_path: Path) -> None:
    table = make_demand(long_frame(days=60)).as_of("2024-03-01T00:00Z")
    done = fit(table, named("seasonal_naive_week"), Task(horizon=24))
    for _ in range(2):
        save_fitted(done, tmp_path / "fold-000")
    assert vars(load_fitted(tmp_path / "fold-000").report) == vars(done.report)


def test_a_checkpoint_that_does_not_fit_the_disk_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "learn.safetensors"
    checkpoint.write(path, "key", checkpoint.Progressed({"network/w": np.ones(3)}, {"epoch": 1}))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.write(path, "key", checkpoint.Progressed({"network/w": np.zeros(3)}, {"epoch": 2}))
    assert [one.name for one in tmp_path.iterdir()] == ["learn.safetensors"]
    stored = checkpoint.read(path, "key")
    assert stored is not None
    assert stored.notes == {"epoch": 1}
    np.testing.assert_array_equal(stored.arrays["network/w"], np.ones(3))
