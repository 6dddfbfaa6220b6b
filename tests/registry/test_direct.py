"""MLflow's tables, read as they stand: the same answers as MLflow gives, in SQLite and in PostgreSQL."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from forecast.errors import RegistryError
from forecast.registry import child, resolve, versions
from forecast.registry.database import ChildRegistry
from forecast.registry.direct import TableRegistry
from forecast.registry.reader import Pointer, pointers
from forecast.registry.versions import Wanted
from forecast.registry.writer import LoggedForecaster, open_store, register
from forecast.settings import Settings


@pytest.fixture
def two(settings: Settings, ridge: LoggedForecaster) -> Settings:
    """A model of two versions; a third one was deleted."""
    numbers = [register(ridge, settings, scores={"mae": 5.5}, tags={"unit": "MW"}, description="Text.") for _ in "123"]
    client = open_store(settings).client
    client.delete_model_version(settings.model_name, numbers[2])
    client.set_registered_model_alias(settings.model_name, "champion", numbers[1])
    client.set_registered_model_alias(settings.model_name, "challenger", numbers[0])
    return settings


def asked_of_mlflow(uri: str, monkeypatch: pytest.MonkeyPatch) -> ChildRegistry:
    """MLflow in this process, which has it loaded anyway."""

    def ask(registry: ChildRegistry, question: str, details: dict[str, Any]) -> Any:
        return json.loads(json.dumps(child.answer({"uri": registry.uri, "question": question, **details})))

    monkeypatch.setattr(ChildRegistry, "_ask", ask)
    return ChildRegistry(uri)


def no_child(*_: object) -> Any:
    raise AssertionError("MLflow was asked")


def test_it_says_what_mlflow_says(two: Settings, ridge: LoggedForecaster, monkeypatch: pytest.MonkeyPatch) -> None:
    name, uri = two.model_name, two.mlflow_uri
    mlflow = asked_of_mlflow(uri, monkeypatch)
    told = mlflow.versions(name)
    found = [mlflow.find(Wanted(name, "champion", None)), mlflow.find(Wanted(name, None, "1"))]
    aimed = mlflow.pointers(name)
    monkeypatch.setattr(ChildRegistry, "_ask", no_child)
    direct = TableRegistry(uri)
    # MLflow tells the place of the files only where one version is asked for.
    assert [{**vars(one), "source": None} for one in direct.versions(name)] == [vars(one) for one in told]
    assert [direct.find(Wanted(name, "champion", None)), direct.find(Wanted(name, None, "1"))] == found
    assert direct.pointers(name) == aimed
    assert aimed == {"champion": Pointer("2", ridge.digest), "challenger": Pointer("1", ridge.digest)}
    assert resolve(two.champion, two).version == "2"
    assert direct.pointers("nobody") == {}
    with pytest.raises(RegistryError, match="has no version 3"):
        direct.find(Wanted(name, None, "3"))


def test_a_look_is_quick(two: Settings) -> None:
    began = time.monotonic()
    for _ in range(10):
        assert pointers(two.model_name, two)["champion"].version == "2"
    assert time.monotonic() - began < 2, "a child would take seconds each"


def test_tables_of_another_version_are_left_to_mlflow(
    two: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = shutil.copy(two.mlflow_uri.removeprefix("sqlite:///"), tmp_path / "old.db")
    with sqlite3.connect(database) as connection:
        connection.execute("ALTER TABLE registered_model_aliases RENAME COLUMN alias TO pseudonym")
    connection.close()
    asked: list[str] = []

    def ask(_: ChildRegistry, question: str, details: dict[str, Any]) -> Any:
        asked.append(question)
        return {"versions": []}

    monkeypatch.setattr(ChildRegistry, "_ask", ask)
    assert pointers(two.model_name, two.model_copy(update={"mlflow_uri": f"sqlite:///{database}"})) == {}
    assert asked == ["versions"]


def test_a_database_that_fails_is_named_and_mlflow_is_not_started_for_a_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ChildRegistry, "_ask", no_child)
    (tmp_path / "mlflow.db").write_bytes(b"letters to a friend " * 300)
    settings = Settings.read(home=tmp_path, mlflow_uri=f"sqlite:///{tmp_path}/mlflow.db")
    with pytest.raises(RegistryError, match="not a database"):
        pointers("demand", settings)
    away = Settings.read(home=tmp_path, mlflow_uri="postgresql+psycopg://me:secret@127.0.0.1:9/none")
    with pytest.raises(RegistryError, match=r"127\.0\.0\.1:9/none fails") as raised:
        pointers("demand", away)
    assert "secret" not in str(raised.value)


def test_a_registry_in_postgresql(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.read(home=tmp_path, mlflow_uri=postgres_url)
    mlflow = asked_of_mlflow(postgres_url, monkeypatch)
    client = open_store(settings).client
    client.create_registered_model("demand")
    source = (tmp_path / "files").as_uri()
    made = client.create_model_version("demand", source, tags={"digest": "ab" * 32})
    client.set_registered_model_alias("demand", "champion", made.version)
    told = mlflow.find(Wanted("demand", "champion", None))
    monkeypatch.setattr(ChildRegistry, "_ask", no_child)
    assert pointers("demand", settings) == {"champion": Pointer("1", "ab" * 32)}
    assert TableRegistry(postgres_url).find(Wanted("demand", "champion", None)) == told
    assert versions(settings)[0].aliases == ("champion",)
