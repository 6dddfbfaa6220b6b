"""Inner folds: the last stretches of what is known, refused where they reach back too far."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DeclarationError, NotEnoughHistory
from forecast.recipe import Task
from forecast.search import Space, inner_folds, search
from forecast.search.folds import geometric_mean
from forecast.tables import Demand
from tests.builders import make_demand, plain, utc
from tests.search.conftest import GOOD, RUINED, Counted, alphas, ridge


def test_one_wild_fold_does_not_decide() -> None:
    assert geometric_mean([2.0, 0.5]) == pytest.approx(1.0)
    steady, usually_better = [1.0, 1.0, 1.0, 1.3], [0.8, 0.8, 0.8, 2.2]
    assert np.mean(usually_better) > np.mean(steady)
    assert geometric_mean(usually_better) < geometric_mean(steady)


def test_folds_are_the_last_stretches_and_reach_no_further_than_what_is_known(demand: Demand) -> None:
    until = utc("2024-03-20T06:00")
    plans = inner_folds(demand.as_of(until), Task(horizon=48, every="1d"), 3, 4)
    assert [len(plan.cutoffs) for plan in plans] == [4, 4, 4]
    moments = plans[0].cutoffs.append([plan.cutoffs for plan in plans[1:]])
    assert moments[-1] == utc("2024-03-18")
    assert (np.diff(moments) == np.timedelta64(1, "D")).all()


def test_folds_of_delivery_days_end_before_what_is_known(demand: Demand) -> None:
    task = Task(horizon=38, every="delivery-day", gate="D-1T10:00")
    plans = inner_folds(demand.as_of(utc("2024-03-20T06:00")), task, 2, 4)
    assert [len(plan.cutoffs) for plan in plans] == [4, 4]
    assert plans[-1].spans is not None
    assert plans[-1].spans[-1][1] == utc("2024-03-20")


def test_a_fold_without_measurements_is_left_out(demand: Demand, task: Task) -> None:
    frame = demand.to_frame()
    frame.loc[(frame["ds"] >= utc("2024-03-15")) & (frame["ds"] < utc("2024-03-22")), "y"] = np.nan
    assert len(inner_folds(make_demand(frame), task, 4, 4)) == 3
    with pytest.raises(NotEnoughHistory, match="inner fold"):
        inner_folds(plain(np.arange(30.0)), Task(horizon=48), 2)


@pytest.mark.parametrize(
    ("folds", "days", "told"),
    [
        (50, None, r"50 inner folds x 7 days.* make 357.5 days, and 70.0 are known.*Lower --folds or --fold-days"),
        (4, 500, "4 inner folds x 500 days"),
        (1, 10**9, "1 inner folds x 1000000000 days"),
        (9, 7, r"with 7.5 days to forecast and to learn from, make 70.5 days"),
    ],
)
def test_folds_that_reach_back_too_far_are_refused_before_a_trial(
    folds: int, days: int | None, told: str, demand: Demand, task: Task, counted: Counted
) -> None:
    with pytest.raises(NotEnoughHistory, match=told):
        search(demand, alphas(RUINED, GOOD), task, trials=1, folds=folds, fold_days=days, fit_function=counted)
    assert counted.tables == []


def test_folds_that_just_fit_are_judged(demand: Demand, task: Task, counted: Counted) -> None:
    """Nine folds of seven days leave seven: a recipe that reads fewer learns before the first."""
    shorter = ridge(GOOD).model_copy(update={"context": "6d"})
    space = Space.of(shorter, {"model.alphas.0": [GOOD, RUINED]})
    found = search(demand, space, task, trials=1, folds=9, fold_days=7, fit_function=counted)
    assert len(found.folds) == len(counted.tables) == 9
    either = Space.of(ridge(GOOD), {"context": ["6d", "7d"]})
    assert either.shortest_context == pd.Timedelta(days=6)


def test_numbers_of_folds_and_days_are_refused_apart(demand: Demand, task: Task) -> None:
    with pytest.raises(DeclarationError, match=r"^0 folds; expected 1 or more\. Correct --folds\.$"):
        inner_folds(demand, task, 0)
    with pytest.raises(DeclarationError, match=r"^folds of 0 days; expected 1 day or more\. Correct --fold-days\.$"):
        inner_folds(demand, task, 2, 0)
