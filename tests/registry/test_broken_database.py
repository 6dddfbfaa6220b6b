"""A database that is cut off, full or none at all: one sentence says so, and the file stays as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from forecast.errors import RegistryError
from forecast.recipe import Task
from forecast.registry.writer import open_store, retraining
from forecast.settings import Settings
from forecast.tables import Demand


def copy_of(settings: Settings, folder: Path, share: float = 1.0) -> Settings:
    """A store with the first part of another one's database."""
    open_store(settings)
    whole = Path(settings.mlflow_uri.removeprefix("sqlite:///")).read_bytes()
    (folder / "mlflow.db").write_bytes(whole[: int(share * len(whole))])
    return Settings.read(home=folder, mlflow_uri=f"sqlite:///{folder}/mlflow.db", experiment=settings.experiment)


def test_a_database_that_was_cut_off_is_named_and_kept(settings: Settings, tmp_path: Path) -> None:
    cut = copy_of(settings, tmp_path, share=0.3)
    before = (tmp_path / "mlflow.db").read_bytes()
    with pytest.raises(RegistryError, match=r"fails \(database disk image is malformed\).*sound copy") as raised:
        open_store(cut)
    assert "SQL:" not in str(raised.value)
    assert (tmp_path / "mlflow.db").read_bytes() == before


def test_a_file_that_is_no_database_is_named_and_kept(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("letters to a friend " * 200)
    with pytest.raises(RegistryError, match=r"fails \(file is not a database\).*sound copy"):
        open_store(Settings.read(home=tmp_path, mlflow_uri=f"sqlite:///{tmp_path}/mlflow.db"))
    assert (tmp_path / "mlflow.db").read_text() == "letters to a friend " * 200


def test_a_disk_that_fills_up_while_a_run_is_written(
    settings: Settings, demand: Demand, task: Task, tmp_path: Path
) -> None:
    def no_room(connection: Any, _: object) -> None:
        # Fewer pages than there are: SQLite takes it as "not one more".
        connection.execute("PRAGMA max_page_count = 1")

    full = copy_of(settings, tmp_path)
    event.listen(Engine, "connect", no_room)
    try:
        with (
            pytest.raises(RegistryError, match=r"fails \(database or disk is full\).*Make room"),
            retraining(full, name="one", demand=demand, task=task) as run,
        ):
            run.epochs([{"epoch": number, "loss": 0.5} for number in range(20_000)])
    finally:
        event.remove(Engine, "connect", no_room)
