"""Old versions and unread copies go; what an alias names stays, whatever its age."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from forecast.errors import RegistryError
from forecast.registry import resolve, versions
from forecast.registry.tidying import drop, remove, surplus, unread
from forecast.registry.writer import LoggedForecaster, open_store, register
from forecast.retraining.leftovers import leftovers
from forecast.settings import Settings

LONG_AGO = pd.Timestamp("2024-01-01T00:00Z").timestamp()
BEFORE = pd.Timestamp("2025-01-01T00:00Z")


def aged(path: Path) -> None:
    """Nobody has touched it for long."""
    for one in [path, *path.rglob("*")]:
        os.utime(one, (LONG_AGO, LONG_AGO))


@pytest.fixture
def five(settings: Settings, ridge: LoggedForecaster) -> Settings:
    """Five versions: the second is champion, the third its challenger, the first was champion before."""
    client = open_store(settings).client
    for _ in range(5):
        register(ridge, settings, scores={"skill_vs_naive": 0.5})
    for alias, version in (("champion", "2"), ("challenger", "3"), ("previous", "1")):
        client.set_registered_model_alias(settings.model_name, alias, version)
    return settings


def test_versions_that_an_alias_names_stay_and_so_do_the_newest_others(
    five: Settings, log_ridge: Callable[[Settings], LoggedForecaster]
) -> None:
    own = log_ridge(five)
    register(own, five, scores={"skill_vs_naive": 0.5})
    assert surplus(versions(five), None) == []
    assert [one.version for one in surplus(versions(five), 1)] == ["5", "4"]
    assert surplus(versions(five), 3) == []
    gone = drop([one for one in versions(five) if one.version in "2456"], five)
    # The champion was not asked for in earnest: it is named.
    assert sorted(one.version for one in gone) == ["4", "5", "6"]
    assert sorted(one.version for one in versions(five)) == ["1", "2", "3"]
    client = open_store(five).client
    with pytest.raises(MlflowException, match="not found"):
        client.get_logged_model(own.model_id)
    # The others are registered from one model, which the champion is, too.
    assert client.get_run(own.run_id).data.metrics is not None
    assert resolve(five.champion, five).version == "2"


def test_unread_copies_go_and_those_of_named_versions_stay(five: Settings) -> None:
    refs = {version: resolve(f"models:/{five.model_name}/{version}", five) for version in "1245"}
    graphs = [five.cache / "graphs" / name for name in (refs["2"].digest[:16], "0123456789abcdef")]
    broken = five.cache / ".fetching-x"
    for folder in (*graphs, broken):
        (folder / "graph.onnx").mkdir(parents=True)
    mine = [refs[version].folder for version in "45"]
    assert not set(mine) & set(unread(five, BEFORE))
    for path in (*[ref.folder for ref in refs.values()], *graphs, broken):
        aged(path)
    found = unread(five, BEFORE)
    assert {*mine, graphs[1], broken} <= set(found)
    assert not {refs["1"].folder, refs["2"].folder, graphs[0]} & set(found)
    for path in (*mine, graphs[1], broken):
        remove(path)
    assert resolve(five.champion, five).folder == refs["2"].folder
    assert resolve(f"models:/{five.model_name}/4", five).folder.is_dir()
    shutil.rmtree(graphs[0])


def test_while_the_registry_is_away_nothing_counts_as_unread(five: Settings) -> None:
    aged(resolve(f"models:/{five.model_name}/4", five).folder)
    with pytest.raises(RegistryError):
        unread(five.model_copy(update={"mlflow_uri": "http://127.0.0.1:9"}), BEFORE)


def test_what_retrainings_left_goes_after_a_while(tmp_path: Path) -> None:
    for name in ("walks/a/fold-000", "walks/b/fold-000", "winners/c", "judged/d", "results", "other"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("table-1.parquet", "table-2.parquet", "results/note", "prefect-server.log"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    assert leftovers(tmp_path, BEFORE) == []
    aged(tmp_path)
    os.utime(tmp_path / "table-2.parquet")
    os.utime(tmp_path / "walks" / "b" / "fold-000")
    names = {str(one.relative_to(tmp_path)) for one in leftovers(tmp_path, BEFORE)}
    assert names == {"walks/a", "winners/c", "judged/d", "table-1.parquet", "results/note"}
    assert leftovers(tmp_path / "nowhere", BEFORE) == []
