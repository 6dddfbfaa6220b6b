"""From an alias to a verified folder: cached, checked, and without mlflow or torch in the asking process."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forecast.errors import ModelFolderError, RegistryError
from forecast.forecaster import Forecaster
from forecast.registry import ModelRef, aliases, child, resolve, versions
from forecast.registry.database import ChildRegistry
from forecast.registry.writer import LoggedForecaster, promote, register
from forecast.settings import Settings
from forecast.tables import Demand
from forecast.training import Fitted


@pytest.fixture
def champion(settings: Settings, ridge: LoggedForecaster) -> Settings:
    """A store with one version, promoted."""
    promote(register(ridge, settings, scores={"skill_vs_naive": 0.5}), None, settings, first=True)
    return settings


@pytest.fixture
def own_files(settings: Settings, log_ridge: Callable[[Settings], LoggedForecaster]) -> Settings:
    """The same, with files in the artifact store that no other test reads."""
    promote(register(log_ridge(settings), settings, scores={"skill_vs_naive": 0.5}), None, settings, first=True)
    return settings


@pytest.fixture
def same_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers what a child would answer: this process has mlflow loaded anyway, a child takes seconds."""

    def ask(registry: ChildRegistry, question: str, details: dict[str, Any]) -> Any:
        told = child.answer({"uri": registry.uri, "question": question, **details})
        return json.loads(json.dumps(told))

    monkeypatch.setattr(ChildRegistry, "_ask", ask)


def files_in_the_store(settings: Settings) -> list[Path]:
    return sorted(settings.artifacts.rglob("artifacts/forecaster"), key=lambda path: path.stat().st_mtime)


def test_an_alias_becomes_a_folder_that_stays(
    own_files: Settings, demand: Demand, fitted: dict[str, Fitted], same_process: None
) -> None:
    found = resolve(own_files.champion, own_files)
    assert (found.name, found.version, found.alias) == (own_files.model_name, "1", "champion")
    assert found.run_id
    assert found.folder.is_relative_to(own_files.cache)
    cutoff = demand.last_known_end()
    loaded = Forecaster.load(found.folder)
    assert loaded.predict(demand, [cutoff]).frame.equals(fitted["ridge"].forecaster.predict(demand, [cutoff]).frame)
    shutil.rmtree(files_in_the_store(own_files)[-1])
    assert resolve(f"models:/{own_files.model_name}/1", own_files) == found
    assert not list(own_files.cache.glob(".fetching-*"))
    # Nothing is left to fetch it from.
    shutil.rmtree(found.folder)
    with pytest.raises(ModelFolderError, match="holds no readable forecaster"):
        resolve(own_files.champion, own_files)


@pytest.mark.usefixtures("same_process")
def test_a_broken_copy_is_fetched_again(champion: Settings) -> None:
    found = resolve(champion.champion, champion)
    (found.folder / "weights.safetensors").write_bytes(b"cut off")
    assert resolve(champion.champion, champion) == found
    assert Forecaster.load(found.folder).spec.name == "ridge"


@pytest.mark.usefixtures("same_process")
def test_what_was_changed_in_the_store_is_refused(own_files: Settings) -> None:
    folder = files_in_the_store(own_files)[-1]
    spec = folder / "forecaster.json"
    spec.write_text(spec.read_text().replace("Australia/Melbourne", "Australia/Sydney"))
    with pytest.raises(ModelFolderError, match="not as it was written"):
        resolve(own_files.champion, own_files)
    rewrite_manifest(folder)
    assert Forecaster.load(folder).spec.zone == "Australia/Sydney"
    with pytest.raises(ModelFolderError, match="as registered"):
        resolve(own_files.champion, own_files)


def rewrite_manifest(folder: Path) -> None:
    """A manifest that fits the changed files."""
    names = ("forecaster.json", "weights.safetensors")
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "manifest.json").write_text(json.dumps(digests, indent=1))


@pytest.mark.usefixtures("same_process")
@pytest.mark.parametrize("wanted", ["models:/{name}@challenger", "models:/{name}/99", "models:/nobody@champion"])
def test_what_is_not_registered_is_named_with_what_to_do(champion: Settings, wanted: str) -> None:
    with pytest.raises(RegistryError, match=r"has no (alias|version).*flows.retrain"):
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


def test_an_empty_file_is_no_registry_and_stays_empty(tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    database.touch()
    settings = Settings.read(home=tmp_path, mlflow_uri=f"sqlite:///{database}")
    with pytest.raises(RegistryError, match=r"no registry at .*make demo"):
        resolve(settings.champion, settings)
    assert versions(settings) == []
    assert database.stat().st_size == 0


def test_a_database_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to be taken for one by its size " * 20)
    settings = Settings.read(home=tmp_path, mlflow_uri=f"sqlite:///{tmp_path}/mlflow.db")
    with pytest.raises(RegistryError, match=r"MLflow at sqlite.* fails \(file is not a database\).*sound copy"):
        resolve(settings.champion, settings)


def test_a_database_that_was_cut_off_is_named_and_kept(champion: Settings, tmp_path: Path) -> None:
    whole = Path(champion.mlflow_uri.removeprefix("sqlite:///")).read_bytes()
    database = tmp_path / "mlflow.db"
    database.write_bytes(whole[: len(whole) // 3])
    settings = Settings.read(home=tmp_path, mlflow_uri=f"sqlite:///{database}")
    with pytest.raises(RegistryError, match=r"fails \(database disk image is malformed\)") as raised:
        resolve(settings.champion, settings)
    assert "sqlalche.me" not in str(raised.value)
    assert "SQL:" not in str(raised.value)
    assert database.read_bytes() == whole[: len(whole) // 3]


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


@pytest.mark.usefixtures("same_process")
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
