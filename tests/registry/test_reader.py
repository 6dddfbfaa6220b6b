"""From an alias to a verified folder: cached, checked, and without mlflow or torch in the asking process."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from forecast.errors import ModelFolderError, RegistryError
from forecast.forecaster import Forecaster
from forecast.recipe import Task
from forecast.registry import ModelRef, aliases, resolve, versions
from forecast.registry.writer import example_inputs, log_forecaster, promote, register, retraining
from forecast.settings import Settings
from forecast.tables import Demand
from forecast.training import Fitted


@pytest.fixture
def champion(settings: Settings, demand: Demand, task: Task, fitted: dict[str, Fitted]) -> Settings:
    """A store with one version, promoted."""
    with retraining(settings, name="one", demand=demand, task=task) as run:
        one = log_forecaster(run, fitted["ridge"].forecaster, example_inputs(demand, fitted["ridge"].forecaster.spec))
    promote(register(one, settings, scores={"skill_vs_naive": 0.5}), None, settings, first=True)
    return settings


def files_in_the_store(settings: Settings) -> list[Path]:
    return sorted(settings.artifacts.rglob("artifacts/forecaster"), key=lambda path: path.stat().st_mtime)


def test_an_alias_becomes_a_folder_that_stays(champion: Settings, demand: Demand, fitted: dict[str, Fitted]) -> None:
    found = resolve(champion.champion, champion)
    assert (found.name, found.version, found.alias) == (champion.model_name, "1", "champion")
    assert found.run_id
    assert found.folder.is_relative_to(champion.cache)
    cutoff = demand.last_known_end()
    # Bit for bit what was trained.
    said, meant = (
        one.predict(demand, [cutoff]).frame for one in (Forecaster.load(found.folder), fitted["ridge"].forecaster)
    )
    assert said.equals(meant)
    written = found.folder.stat().st_mtime_ns
    shutil.rmtree(files_in_the_store(champion)[-1])
    assert resolve(f"models:/{champion.model_name}/1", champion) == found
    assert found.folder.stat().st_mtime_ns == written
    assert not list(champion.cache.glob(".fetching-*"))


def test_a_broken_copy_is_fetched_again(champion: Settings) -> None:
    found = resolve(champion.champion, champion)
    (found.folder / "weights.safetensors").write_bytes(b"cut off")
    assert resolve(champion.champion, champion) == found
    assert Forecaster.load(found.folder).spec.name == "ridge"


def test_what_was_changed_in_the_store_is_refused(champion: Settings) -> None:
    folder = files_in_the_store(champion)[-1]
    spec = folder / "forecaster.json"
    spec.write_text(spec.read_text().replace("Australia/Melbourne", "Australia/Sydney"))
    with pytest.raises(ModelFolderError, match="not as it was written"):
        resolve(champion.champion, champion)
    # With its manifest rewritten it is whole, but another one than was registered.
    forged = Forecaster.load(resolve_forged(folder))
    forged.save(folder)
    with pytest.raises(ModelFolderError, match="as registered"):
        resolve(champion.champion, champion)


def resolve_forged(folder: Path) -> Path:
    """The changed folder with a manifest that fits it."""
    import hashlib
    import json

    names = ("forecaster.json", "weights.safetensors")
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "manifest.json").write_text(json.dumps(digests, indent=1))
    return folder


def test_a_version_without_a_forecaster_says_so(champion: Settings) -> None:
    shutil.rmtree(files_in_the_store(champion)[-1])
    with pytest.raises(ModelFolderError, match="holds no readable forecaster"):
        resolve(champion.champion, champion)


@pytest.mark.parametrize("wanted", ["models:/{name}@challenger", "models:/{name}/99", "models:/nobody@champion"])
def test_what_is_not_registered_is_named_with_what_to_do(champion: Settings, wanted: str) -> None:
    with pytest.raises(RegistryError, match=r"has no (alias|version).*forecast train"):
        resolve(wanted.format(name=champion.model_name), champion)


@pytest.mark.parametrize("uri", ["models:/demand", "models:/", "models:/demand@a@b", "models:/demand/latest"])
def test_an_uri_that_names_nothing_is_refused(settings: Settings, uri: str) -> None:
    with pytest.raises(RegistryError, match="models:/NAME@champion"):
        resolve(uri, settings)


def test_no_database_is_named_and_none_is_made(tmp_path: Path) -> None:
    settings = Settings.read(home=tmp_path, mlflow_uri=f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    with pytest.raises(RegistryError, match=r"no registry at .*make demo"):
        resolve(settings.champion, settings)
    assert versions(settings) == []
    assert aliases(settings) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to be taken for one by its size " * 20)
    settings = Settings.read(home=tmp_path, mlflow_uri=f"sqlite:///{tmp_path}/mlflow.db")
    with pytest.raises(RegistryError, match="MLflow at sqlite"):
        resolve(settings.champion, settings)


def test_a_plain_folder_needs_no_registry(tmp_path: Path, fitted: dict[str, Fitted]) -> None:
    fitted["ridge"].forecaster.save(tmp_path / "model")
    settings = Settings.read(home=tmp_path)
    found = resolve(str(tmp_path / "model"), settings)
    assert found == ModelRef("ridge", None, None, None, tmp_path / "model", found.digest)
    with pytest.raises(ModelFolderError, match="no folder"):
        resolve(str(tmp_path / "nothing"), settings)
    (tmp_path / "model" / "weights.safetensors").write_bytes(b"cut off")
    with pytest.raises(ModelFolderError, match="not as it was written"):
        resolve(str(tmp_path / "model"), settings)


def test_versions_are_listed_newest_first(champion: Settings) -> None:
    (only,) = versions(champion)
    assert (only.version, only.aliases, only.tags["recipe"]) == ("1", ("champion",), "ridge")
    assert only.created.endswith("Z")
    assert aliases(champion) == {"champion": "1"}


def test_the_asking_process_holds_neither_mlflow_nor_torch(champion: Settings) -> None:
    program = f"""
import sys
from forecast.registry import reader
from forecast.settings import Settings
settings = Settings.read(home={str(champion.home)!r}, mlflow_uri={champion.mlflow_uri!r})
found = reader.resolve("models:/{champion.model_name}@champion", settings)
from forecast.forecaster import Forecaster
Forecaster.load(found.folder)
print(found.version, [name for name in ("mlflow", "torch", "sqlalchemy", "matplotlib") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "1 []"
