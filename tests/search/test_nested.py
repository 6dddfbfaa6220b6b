"""The outer walk scores what the inner search chose, and the search sees nothing of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.audit import poison
from forecast.backtest import Plan, walk
from forecast.errors import DeclarationError
from forecast.recipe import Task
from forecast.search import Nested, Space, nested, search
from forecast.search.folds import judged, scales_of
from forecast.tables import Demand
from tests.builders import utc
from tests.search.conftest import GOOD, RUINED, Counted, alphas, remembered, ridge

HOUR = pd.Timedelta("1h")


def plan(start: str = "2024-03-11", end: str = "2024-03-20") -> Plan:
    return Plan.of(start, end, "1d", "UTC", HOUR, horizon=6)


def run(demand: Demand, task: Task, **options: object) -> Nested:
    settings = {"refit": 5, "trials": 4, "folds": 2, "fold_days": 4, "fit_function": remembered, **options}
    return nested(demand, alphas(RUINED, GOOD), task, plan(), **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def told(demand: Demand, task: Task) -> Nested:
    return run(demand, task)


def test_the_outer_table_is_a_backtest_of_what_was_chosen(told: Nested, demand: Demand, task: Task) -> None:
    assert [one.params for one in told.searches] == [{"model.alphas.0": GOOD}] * 2
    fits = {"searched": lambda known: remembered(known, ridge(GOOD), task)}
    direct = walk(demand, fits, plan(), refit=5).table
    mine = told.walk.table[told.walk.table["model"] == "searched"].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, direct, check_exact=True)
    assert set(told.scores.index) == {"searched", "ridge"}
    assert told.scores.loc["searched", "mae"] < 0.7 * told.scores.loc["ridge", "mae"]


def test_each_search_ends_at_its_own_fold(told: Nested, demand: Demand, task: Task) -> None:
    for cutoff, found in zip(["2024-03-11", "2024-03-16"], told.searches, strict=True):
        alone = search(
            demand.as_of(utc(cutoff)),
            alphas(RUINED, GOOD),
            task,
            trials=4,
            folds=2,
            fold_days=4,
            fit_function=remembered,
        )
        assert (alone.name, alone.score) == (found.name, found.score)


def test_no_fit_of_the_walk_sees_beyond_its_fold(demand: Demand, task: Task) -> None:
    counted = Counted()
    run(demand, task, fit_function=counted)
    first, second = utc("2024-03-11"), utc("2024-03-16")
    known = [table.known_until for table in counted.tables]
    assert all(moment is not None and moment <= second for moment in known)
    # The first fold's search and fit, the second's, then the base recipe at both.
    assert known.count(first) == known.count(second) == 2
    assert known.index(second) > known.index(first)


def test_the_gap_is_outer_over_inner(told: Nested, demand: Demand) -> None:
    folds = told.folds
    assert list(folds["from"]) == [utc("2024-03-11"), utc("2024-03-16")]
    table = told.walk.table
    part = table[(table["model"] == "searched") & (table["cutoff"] < utc("2024-03-16"))]
    outer = judged(part, scales_of(demand.as_of(utc("2024-03-11"))), demand.zones, "pinball")
    row = folds.iloc[0]
    assert row["outer"] == pytest.approx(outer)
    assert row["gap"] == pytest.approx(outer / told.searches[0].score - 1)
    assert row["promised"] == pytest.approx(1 - told.searches[0].score / told.searches[0].base_score)  # type: ignore[operator]
    assert 0.2 < row["delivered"] < 1


def test_what_comes_later_changes_no_choice_and_no_forecast(demand: Demand, task: Task) -> None:
    space = Space.of(ridge(10.0), {"model.alphas.0": {"low": 1e-3, "high": 1e12, "log": True}})
    poisoned, count = poison(demand, utc("2024-03-16"), 1e9)
    assert all(count.values())
    true, other = (
        nested(one, space, task, plan(), refit=5, trials=3, folds=1, fold_days=4, fit_function=remembered)
        for one in (demand, poisoned)
    )
    for one, twin in zip(true.searches, other.searches, strict=True):
        assert one.params == twin.params
        pd.testing.assert_frame_equal(one.trials, twin.trials, check_exact=True)
    early = true.walk.table["cutoff"] <= utc("2024-03-16")
    assert early.sum() == 2 * 6 * 6
    said = [name for name in true.walk.table.columns if name != "y"]
    pd.testing.assert_frame_equal(true.walk.table.loc[early, said], other.walk.table.loc[early, said], check_exact=True)
    later = true.walk.table.loc[~early, "mean"], other.walk.table.loc[~early, "mean"]
    assert not np.allclose(*later)


def test_the_name_searched_is_taken(demand: Demand, task: Task) -> None:
    with pytest.raises(DeclarationError, match="named 'searched'"):
        run(demand, task, beside={"searched": lambda known: remembered(known, ridge(GOOD), task)})
