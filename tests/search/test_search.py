"""The inner search: it finds, prunes, goes on after a kill, and reads nothing that came later."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.audit import poison
from forecast.backtest import walk
from forecast.errors import RegistryError, TrainingError
from forecast.metrics import score
from forecast.recipe import Recipe, Task
from forecast.search import Search, Space, inner_folds, search
from forecast.search.folds import scales_of
from forecast.settings import Settings
from forecast.tables import Demand
from forecast.training import Fitted, fit
from tests.builders import long_frame, make_demand, utc
from tests.search.conftest import GOOD, RUINED, Counted, alphas, remembered, ridge

WIDE = {"model.alphas.0": {"low": 1e-3, "high": 1e12, "log": True}}
HOW: dict[str, Any] = {"trials": 10, "folds": 3, "fold_days": 3, "seed": 0}


def same(one: Search, other: Search) -> bool:
    return one.trials.equals(other.trials) and (one.params, one.score) == (other.params, other.score)


def test_a_planted_better_setting_is_found(demand: Demand, task: Task) -> None:
    found = search(demand, alphas(RUINED, 1e8, GOOD), task, trials=6, folds=2, fit_function=remembered)
    assert found.params == {"model.alphas.0": GOOD}
    assert found.recipe == ridge(GOOD)
    assert found.base_score is not None
    assert found.score < 0.7 * found.base_score
    first = found.trials.iloc[0]
    assert (first["model.alphas.0"], first["score"]) == (RUINED, found.base_score)


def test_the_score_is_the_geometric_mean_of_plain_walks(demand: Demand, task: Task) -> None:
    found = search(demand, alphas(RUINED, GOOD), task, trials=3, folds=3, fold_days=5, fit_function=remembered)
    folds = []
    for plan in inner_folds(demand, task, 3, 5):
        assert len(plan.cutoffs) == 5
        table = walk(demand, {"r": lambda known: remembered(known, ridge(GOOD), task)}, plan).table
        folds.append(score(table, scales=scales_of(demand))["scaled_pinball"].iloc[0])
    assert found.folds == pytest.approx(folds)
    assert found.score == pytest.approx(np.prod(folds) ** (1 / 3))


def test_the_search_reads_nothing_that_came_later(demand: Demand, task: Task) -> None:
    cutoff = utc("2024-03-10")
    poisoned, count = poison(demand, cutoff, 1e9)
    assert all(count.values())
    space = Space.of(ridge(10.0), WIDE)
    true, other = (
        search(one.as_of(cutoff), space, task, trials=4, folds=2, fit_function=remembered) for one in (demand, poisoned)
    )
    assert same(true, other)
    # Without the cutoff the poison shows, so the comparison can fail.
    assert not same(true, search(poisoned, space, task, trials=4, folds=2, fit_function=remembered))


@pytest.mark.long
def test_bad_trials_are_pruned_fold_by_fold(demand: Demand, task: Task, counted: Counted) -> None:
    found = search(demand, Space.of(ridge(GOOD), WIDE), task, **HOW, fit_function=counted)
    pruned = found.trials[found.trials["state"] == "pruned"]
    assert len(pruned) >= 2
    assert (pruned["folds"] < 3).all()
    assert pruned["score"].isna().all()
    assert pruned["why"].str.contains("worse than the median").all()
    assert len(counted.tables) == found.trials["folds"].sum() < 10 * 3
    assert len(found.trials) == 10


def test_equal_values_are_not_learned_twice(demand: Demand, task: Task, counted: Counted) -> None:
    found = search(demand, alphas(RUINED, GOOD), task, trials=8, folds=2, fit_function=counted)
    assert len(found.trials) == 8
    assert len(counted.tables) == 4


class Killed(BaseException):
    """Ends a process as a kill does: nothing is tidied up."""


def stopping_after(fits: int) -> Counted:
    class Stopping(Counted):
        def __call__(self, demand: Demand, recipe: Recipe, task: Task) -> Fitted:
            if len(self.tables) == fits:
                raise Killed
            return super().__call__(demand, recipe, task)

    return Stopping()


@pytest.mark.long
def test_an_interrupted_search_chooses_what_it_would_have_chosen(demand: Demand, task: Task, tmp_path: Path) -> None:
    space, url = Space.of(ridge(GOOD), WIDE), f"sqlite:///{tmp_path}/braces{{}}/optuna.db"
    whole_fits, rest_fits = Counted(), Counted()
    whole = search(demand, space, task, **HOW, fit_function=whole_fits)
    for fits in (2, 14):
        with pytest.raises(Killed):
            search(demand, space, task, **HOW, storage=url, fit_function=stopping_after(fits))
    rest = search(demand, space, task, **HOW, storage=url, fit_function=rest_fits)
    assert len(rest.trials) == 10
    ours, theirs = (one.trials.drop(columns="number") for one in (whole, rest))
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    assert (rest.params, rest.score) == (whole.params, whole.score)
    # No fold that was scored before a kill is learned again.
    assert len(whole_fits.tables) == 2 + 14 + len(rest_fits.tables)


@pytest.mark.long
def test_more_trials_go_on_where_fewer_ended(demand: Demand, task: Task, tmp_path: Path, counted: Counted) -> None:
    url, space = f"sqlite:///{tmp_path}/optuna.db", Space.of(ridge(GOOD), WIDE)
    few = search(demand, space, task, **{**HOW, "trials": 6}, storage=url, fit_function=Counted())
    again = search(demand, space, task, **{**HOW, "trials": 6}, storage=url, fit_function=counted)
    assert same(few, again)
    assert counted.tables == []
    more = search(demand, space, task, **HOW, storage=url, fit_function=counted)
    assert same(more, search(demand, space, task, **HOW, fit_function=Counted()))


PROGRAM = """
import os, signal, sys
import pandas as pd
from forecast.recipe import Recipe, Task
from forecast.search import Space, search
from forecast.tables import Columns, Demand
from forecast.training import fit
made = []
def dying(demand, recipe, task):
    if len(made) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    made.append(1)
    return fit(demand, recipe, task)
columns = Columns(past=("humidity",), known=("temperature", "holiday"), static=("customers",))
demand = Demand.from_frame(pd.read_parquet(sys.argv[1]), columns=columns)
recipe = Recipe.model_validate_json(sys.argv[3])
space = Space.of(recipe, {"model.alphas.0": [1e9, 10.0, 1.0]})
search(demand, space, Task(horizon=6, every="1d"), trials=3, folds=2, storage=sys.argv[2], fit_function=dying)
"""


def test_a_killed_process_leaves_a_study_that_goes_on(demand: Demand, task: Task, tmp_path: Path) -> None:
    url, table = f"sqlite:///{tmp_path}/optuna.db", tmp_path / "table.parquet"
    demand.to_frame().to_parquet(table)
    words = [sys.executable, "-c", PROGRAM, str(table), url, ridge(10.0).model_dump_json()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert states(tmp_path)[-1] == "RUNNING"
    space = Space.of(ridge(10.0), {"model.alphas.0": [RUINED, 10.0, GOOD]})
    rest = search(demand, space, task, trials=3, folds=2, storage=url, fit_function=remembered)
    whole = search(demand, space, task, trials=3, folds=2, fit_function=remembered)
    assert rest.name == whole.name
    pd.testing.assert_frame_equal(rest.trials.drop(columns="number"), whole.trials.drop(columns="number"))
    assert sorted(states(tmp_path)) == ["COMPLETE"] * 3 + ["FAIL"]


def states(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "optuna.db")) as database:
        return [state for (state,) in database.execute("select state from trials order by number")]


def test_another_table_is_another_study(demand: Demand, task: Task, tmp_path: Path) -> None:
    url, space = f"sqlite:///{tmp_path}/optuna.db", alphas(RUINED, GOOD)
    first = search(
        demand.as_of(utc("2024-03-10")), space, task, trials=2, folds=1, storage=url, fit_function=remembered
    )
    second = search(
        demand.as_of(utc("2024-03-11")), space, task, trials=2, folds=1, storage=url, fit_function=remembered
    )
    assert first.name != second.name
    assert first.score != second.score


def test_a_trial_that_cannot_learn_is_no_end_but_all_of_them_are(demand: Demand, task: Task) -> None:
    def picky(known: Demand, recipe: Recipe, asked: Task) -> Fitted:
        if recipe != ridge(GOOD):
            raise TrainingError("the loss is nan")
        return fit(known, recipe, asked)

    found = search(demand, alphas(RUINED, GOOD), task, trials=4, folds=1, fit_function=picky)
    assert found.params == {"model.alphas.0": GOOD}
    assert found.base_score is None
    assert found.trials.iloc[0]["why"].startswith("the loss is nan")
    with pytest.raises(TrainingError, match=r"none of 2 trials.*the loss is nan"):
        search(demand, alphas(RUINED, 1e8), task, trials=2, folds=1, fit_function=picky)


def test_a_database_of_somebody_else_is_refused_in_one_sentence(demand: Demand, task: Task, tmp_path: Path) -> None:
    (tmp_path / "optuna.db").write_text("no database, but long enough to look like one" * 50)
    with pytest.raises(RegistryError, match=r"the database of studies at sqlite.*not a database"):
        search(demand, alphas(RUINED, GOOD), task, trials=1, folds=1, storage=f"sqlite:///{tmp_path}/optuna.db")
    with pytest.raises(RegistryError, match="database of studies"):
        search(demand, alphas(RUINED, GOOD), task, trials=1, folds=1, storage="nonsense://here")


def test_progress_is_told(demand: Demand, task: Task) -> None:
    told: list[tuple[str, int, int]] = []

    class Progress:
        def trial(self, done: int, trials: int, best: float) -> None:
            told.append(("trial", done, trials))

        def fold(self, done: int, folds: int) -> None:
            told.append(("fold", done, folds))

    search(demand, alphas(RUINED, GOOD), task, trials=1, folds=2, progress=Progress(), fit_function=remembered)
    assert told == [("trial", 0, 1), ("fold", 1, 2), ("fold", 2, 2), ("trial", 1, 1)]


def test_several_series_count_alike(pair: Demand, task: Task) -> None:
    """South is twice as large; a thousand times changes no score."""
    frame = pair.to_frame()
    frame.loc[frame["unique_id"] == "south", "y"] *= 1000
    one, other = (
        search(d, alphas(RUINED, GOOD), task, trials=2, folds=1, fit_function=remembered).score
        for d in (pair, make_demand(frame))
    )
    assert one == pytest.approx(other, rel=1e-3)


def test_settings_say_where_a_study_lives(tmp_path: Path) -> None:
    from forecast.search import storage_url

    def url(uri: str) -> str:
        return storage_url(Settings.read(home=tmp_path, mlflow_uri=uri))

    assert url(f"sqlite:///{tmp_path}/x/mlflow.db") == f"sqlite:///{tmp_path}/x/optuna.db"
    assert url("https://mlflow.example") == f"sqlite:///{tmp_path}/mlruns/optuna.db"
    assert url("postgresql+psycopg://u@h/d") == "postgresql+psycopg://u@h/d"


def test_late_knowledge_is_respected(task: Task) -> None:
    """A value that became known after the search's moment scores nothing."""
    late = make_demand(long_frame(days=70, names=("north",), late=True))
    until = utc("2024-03-20")
    shown = late.as_of(until)
    one = late.series[0]
    assert one.available_at_T is not None
    values = one.values_TC.copy()
    values[one.available_at_T > until.value, 0] = 1e9
    changed = replace(late, series=(replace(one, values_TC=values),), arena_RC=values).as_of(until)
    space = alphas(RUINED, GOOD)
    assert same(
        search(shown, space, task, trials=2, folds=2, fit_function=remembered),
        search(changed, space, task, trials=2, folds=2, fit_function=remembered),
    )
