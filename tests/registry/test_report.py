"""A whole retraining in MLflow with one call: what a person finds there afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.backtest import Walk
from forecast.comparison import Verdict
from forecast.errors import RegistryError
from forecast.recipe import Task
from forecast.registry.report import RetrainingLog, log_retraining, log_walk
from forecast.registry.store import open_store
from forecast.registry.words import recipe_note, score_table, with_skill
from forecast.registry.writer import aliases, versions
from forecast.settings import Settings
from forecast.tables import Demand
from forecast.training import Fitted


@pytest.fixture(scope="module")
def log(module_settings: Settings, demand: Demand, task: Task, walk: Walk, fitted: dict[str, Fitted]) -> RetrainingLog:
    return log_retraining(
        module_settings, demand=demand, task=task, walk_table=walk.table, fitted=fitted, folds=walk.fitted
    )


def test_one_call_tells_the_whole_story(module_settings: Settings, log: RetrainingLog, demand: Demand) -> None:
    client = open_store(module_settings).client
    parent = client.get_run(log.run_id)
    assert parent.info.run_name == "2014-02 victoria retraining · ridge v1 promoted"
    assert (log.winner, log.version, log.promoted) == ("ridge", "1", True)
    assert (parent.data.tags["winner"], parent.data.tags["verdict"]) == ("ridge", "promoted")
    assert parent.data.tags["weather"] == "actual (optimistic)"
    note = parent.data.tags["mlflow.note.content"]
    assert note.startswith("**ridge is [version 1](")
    assert "**ridge** (best)" in note
    assert "seasonal_naive_week" in note
    files = {file.path for folder in ("figures", "tables") for file in client.list_artifacts(log.run_id, folder)}
    assert files >= {
        "figures/comparison.png",
        "figures/calibration.png",
        "tables/comparison.json",
        "tables/walk.parquet",
    }
    child = client.get_run(log.children["ridge"])
    assert child.data.metrics["mae"] == parent.data.metrics["mae"] > 0
    assert child.data.metrics["skill_vs_naive"] > 0
    assert child.inputs.dataset_inputs[0].dataset.digest == demand.digest[:16]
    drawn = {file.path for file in client.list_artifacts(child.info.run_id, "figures")}
    names = ("fan chart", "explanation", "similar days", "error by lead and hour", "calibration")
    assert drawn == {f"figures/{name}.png" for name in names}
    sliced = {file.path for file in client.list_artifacts(child.info.run_id, "tables")}
    assert sliced == {f"tables/by {name}.json" for name in ("lead", "hour", "day type", "season")}
    assert len(client.get_metric_history(child.info.run_id, "slices/mae_by_lead")) == 24


def test_a_version_carries_its_card(module_settings: Settings, log: RetrainingLog) -> None:
    card = versions(module_settings)[-1].description
    for part in ("**Learned from**", "**Measured**", "**By slice**", "**Intended use**", "**Limits**", "**Verdict: "):
        assert part in card
    assert "2014-01-01 to 2014-02-1" in card
    assert "| day: weekday |" in card.lower()
    assert "| lead: 6 to 24 h |" in card
    assert "less than a year" in card
    assert "weather that came true" in card
    assert len(card) < 5000


def test_every_fold_is_a_run_with_its_own_figures(module_settings: Settings, log: RetrainingLog, walk: Walk) -> None:
    store = open_store(module_settings)
    parent = f"tags.`mlflow.parentRunId` = '{log.children['ridge']}'"
    folds = store.client.search_runs([store.experiment], parent, order_by=["attributes.start_time"])
    assert [fold.info.run_name for fold in folds] == [
        "ridge · fold 1, learned until 2014-02-14", "ridge · fold 2, learned until 2014-02-19",
    ]  # fmt: skip
    mine = walk.table[walk.table["model"] == "ridge"]
    errors = (
        (mine["q0.5"] - mine["y"])
        .abs()
        .groupby(np.searchsorted(walk.folds[1][:1].asi8, mine["cutoff"].astype("int64"), "right"))
    )
    assert [fold.data.metrics["mae"] for fold in folds] == pytest.approx(list(errors.mean()), rel=1e-4)


def test_the_walk_comes_back_as_it_was(module_settings: Settings, log: RetrainingLog, walk: Walk) -> None:
    path = open_store(module_settings).client.download_artifacts(log.run_id, "tables/walk.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(Path(path)), walk.table)


def test_a_verdict_is_obeyed_and_no_champion_falls_without_one(
    module_settings: Settings, log: RetrainingLog, demand: Demand, task: Task, walk: Walk, fitted: dict[str, Fitted]
) -> None:
    def again(verdict: Verdict | None) -> RetrainingLog:
        return log_retraining(
            module_settings,
            demand=demand,
            task=task,
            walk_table=walk.table,
            fitted={"ridge": fitted["ridge"]},
            verdict=verdict,
        )

    second = again(None)
    assert (second.version, second.promoted) == ("2", False)
    assert aliases(module_settings) == {"champion": "1"}
    reasons = ("refused: too few origins",)
    third = again(Verdict(challenger="ridge", champion="seasonal_naive_week", promote=False, reasons=reasons))
    assert not third.promoted
    assert aliases(module_settings) == {"champion": "1", "challenger": "3"}
    note = open_store(module_settings).client.get_run(third.run_id).data.tags["mlflow.note.content"]
    assert "too few origins" in note
    assert versions(module_settings)[0].tags["verdict"] == "refused"


@pytest.mark.long
def test_a_naive_winner_is_not_promoted(
    settings: Settings, demand: Demand, task: Task, walk: Walk, fitted: dict[str, Fitted]
) -> None:
    told = log_retraining(
        settings, demand=demand, task=task, walk_table=walk.table, fitted=fitted, winner="seasonal_naive_week"
    )
    assert (told.winner, told.promoted) == ("seasonal_naive_week", False)
    assert aliases(settings) == {}


@pytest.mark.long
def test_a_walk_alone_registers_nothing(
    settings: Settings, demand: Demand, task: Task, walk: Walk, capfd: pytest.CaptureFixture[str]
) -> None:
    told = log_walk(settings, demand=demand, task=task, walked=walk, title="bench vic-a")
    store = open_store(settings, "backtest")
    run = store.client.get_run(told.run_id)
    assert (run.info.run_name, run.info.experiment_id) == ("bench vic-a", store.experiment)
    assert (told.version, versions(settings)) == (None, [])
    assert set(told.children) == {"ridge", "seasonal_naive_week"}
    assert "artifacts" not in "".join(capfd.readouterr())


def test_a_page_says_when_its_forecaster_learned_more_than_was_judged(fitted: dict[str, Fitted]) -> None:
    spec = fitted["ridge"].forecaster.spec
    told = recipe_note(spec, {"mae": 50.0, "skill_vs_naive": 0.25}, "", again=True)
    assert "MAE **50 MW**, -25 % against the seasonal naive" in told
    assert "afterwards the recipe learned from everything up to 2014-02-" in told
    assert "afterwards" not in recipe_note(spec, {"mae": 50.0}, "")


def test_a_winner_that_was_not_fitted_is_named(
    settings: Settings, demand: Demand, task: Task, walk: Walk, fitted: dict[str, Fitted]
) -> None:
    with pytest.raises(RegistryError, match="the winner 'lstm'"):
        log_retraining(settings, demand=demand, task=task, walk_table=walk.table, fitted=fitted, winner="lstm")


def test_skill_is_the_share_of_the_naive_error_that_is_gone() -> None:
    scores = pd.DataFrame({"model": ["lstm", "seasonal_naive_day", "seasonal_naive_week"], "mae": [50.0, 200.0, 100.0]})
    assert with_skill(scores)["skill_vs_naive"].tolist() == [0.5, -1.0, 0.0]
    alone = with_skill(scores.iloc[:1])
    assert alone["skill_vs_naive"].isna().all()


def test_a_missing_figure_is_a_dash() -> None:
    scores = pd.DataFrame({"mae": [50.0, 60.0], "mase": [float("nan"), 0.9]}, index=["lstm", "gru"])
    assert score_table(scores, "lstm", "MW").splitlines() == [
        "| model | MAE (MW) | MASE |",
        "|---|---:|---:|",
        "| **lstm** (best) | 50 | – |",
        "| gru | 60 | 0.9 |",
    ]
