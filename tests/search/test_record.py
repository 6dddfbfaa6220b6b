"""A search in MLflow, and its study in a database beside MLflow's."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from forecast.backtest import Plan
from forecast.recipe import Task
from forecast.registry.store import open_store
from forecast.search import Search, nested, search, storage_url
from forecast.settings import Settings
from forecast.tables import Demand
from tests.search.conftest import GOOD, RUINED, Counted, alphas, remembered
from tests.search.test_nested import HOUR


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("store")
    return Settings.read(home=home, mlflow_uri=f"sqlite:///{home}/mlruns/mlflow.db")


def go(demand: Demand, task: Task, settings: Settings, **options: object) -> Search:
    options = {"trials": 3, "folds": 2, "fold_days": 3, "fit_function": remembered, **options}
    return search(
        demand,
        alphas(RUINED, GOOD),
        task,
        storage=storage_url(settings),
        settings=settings,
        **options,  # type: ignore[arg-type]
    )


def children(settings: Settings, run_id: str | None) -> list:  # type: ignore[type-arg]
    store = open_store(settings, "search")
    found = store.client.search_runs([store.experiment], f"tags.`mlflow.parentRunId` = '{run_id}'")
    return sorted(found, key=lambda run: str(run.info.run_name))


class Killed(BaseException):
    """Ends a process as a kill does."""


def test_every_trial_is_a_run_and_a_search_goes_on_in_its_own(demand: Demand, task: Task, settings: Settings) -> None:
    counted = Counted()

    def dying(known, recipe, asked):  # type: ignore[no-untyped-def]
        if len(counted.tables) == 3:
            raise Killed
        return counted(known, recipe, asked)

    with pytest.raises(Killed):
        go(demand, task, settings, fit_function=dying)
    found = go(demand, task, settings)
    client = open_store(settings).client
    run = client.get_run(found.run_id)
    assert (run.info.run_name, run.info.status) == ("search ridge", "FINISHED")
    assert run.data.metrics["score"] == pytest.approx(found.score, rel=1e-4)
    assert run.data.params["study"] == found.name
    trials = children(settings, found.run_id)
    assert [trial.data.params["alphas"] for trial in trials] == list(found.trials["model.alphas.0"].astype(str))
    assert [trial.data.tags["state"] for trial in trials] == ["complete"] * 3
    assert trials[0].data.metrics["score"] == pytest.approx(found.base_score, rel=1e-4)
    assert len(client.get_metric_history(trials[0].info.run_id, "fold_score")) == 2
    again = go(demand, task, settings)
    assert again.run_id == found.run_id
    assert len(children(settings, found.run_id)) == 3


def test_a_deleted_run_is_replaced(demand: Demand, task: Task, settings: Settings) -> None:
    first = go(demand, task, settings, seed=1)
    open_store(settings).client.delete_run(first.run_id)
    second = go(demand, task, settings, seed=1)
    assert second.run_id != first.run_id
    assert len(children(settings, second.run_id)) == 3


def test_studies_stand_beside_and_not_within_mlflows_database(demand: Demand, task: Task, settings: Settings) -> None:
    go(demand, task, settings)
    tables = {}
    for name in ("mlflow", "optuna"):
        with closing(sqlite3.connect(settings.mlruns / f"{name}.db")) as database:
            tables[name] = {row[0] for row in database.execute("select name from sqlite_master where type = 'table'")}
    # Why there are two files: each of them numbers its schema in a table of this name.
    assert tables["mlflow"] & tables["optuna"] == {"alembic_version"}


@pytest.mark.long
def test_a_nested_search_is_one_tree_of_runs(demand: Demand, task: Task, settings: Settings) -> None:
    plan = Plan.of("2024-03-11", "2024-03-14", "1d", "UTC", HOUR, horizon=6)
    for _ in range(2):
        told = nested(
            demand, alphas(RUINED, GOOD), task, plan, refit=2, trials=2, folds=1, fold_days=4,
            storage=storage_url(settings), settings=settings, fit_function=remembered,
        )  # fmt: skip
        searches = children(settings, told.run_id)
        assert {run.info.run_id for run in searches} == {one.run_id for one in told.searches}
        assert [len(children(settings, run.info.run_id)) for run in searches] == [2, 2]
    client = open_store(settings).client
    files = {file.path for file in client.list_artifacts(told.run_id, "tables")}
    assert files == {"tables/outer scores.json", "tables/inner and outer.json", "tables/walk.parquet"}
    assert client.get_run(told.run_id).data.metrics["mae"] == pytest.approx(
        told.scores.loc["searched", "mae"], rel=1e-4
    )


def test_in_postgresql_studies_have_a_schema_of_their_own(
    demand: Demand, task: Task, postgres_url: str, tmp_path: Path
) -> None:
    from sqlalchemy import create_engine, text

    settings = Settings.read(home=tmp_path, mlflow_uri=postgres_url)
    found = go(demand, task, settings)
    assert go(demand, task, settings).run_id == found.run_id
    assert len(children(settings, found.run_id)) == 3
    query = text("select table_schema from information_schema.tables where table_name = 'alembic_version'")
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        assert sorted(connection.execute(query).scalars()) == ["optuna", "public"]
    engine.dispose()
