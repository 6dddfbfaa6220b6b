"""Leaving out: the part that is forecast never trained the model that forecasts it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.backtest import Plan, walk
from forecast.errors import DataError
from forecast.metrics import score
from forecast.recipe import Recipe, Task
from forecast.search import leave_one_period_out, leave_one_series_out
from forecast.search.leaving import without
from forecast.tables import Demand
from forecast.training import fit
from tests.builders import TINY, long_frame, make_demand, utc
from tests.search.conftest import SHORT, Counted, warm

HOUR = pd.Timedelta("1h")


def plan(start: str = "2024-03-11", end: str = "2024-03-14") -> Plan:
    return Plan.of(start, end, "1d", "UTC", HOUR, horizon=6)


def spoiled(demand: Demand, name: str, begin: str = "2000", end: str = "2100") -> Demand:
    """Everything that was measured of one series between two stamps, overwritten."""
    frame = demand.to_frame()
    frame.loc[(frame["unique_id"] == name) & frame["ds"].between(utc(begin), utc(end), "left"), ["y", "humidity"]] = 1e9
    return make_demand(frame)


@pytest.mark.parametrize("recipe", [SHORT, TINY], ids=["ridge", "gru"])
def test_a_series_that_is_left_out_never_trains(pair: Demand, task: Task, recipe: Recipe) -> None:
    true, other = Counted(), Counted()
    leave_one_series_out(pair, recipe, task, plan(), fit_function=true)
    leave_one_series_out(spoiled(pair, "south"), recipe, task, plan(), fit_function=other)
    trained = [[one.unique_id for one in table.series] for table in true.tables]
    assert trained == [["south"], ["north"]]
    learned = [[fit_of(counted, place, task) for place in (0, 1)] for counted in (true, other)]
    # Who forecasts south learned the same bits from north; who learned from south did not.
    assert learned[0][1] == learned[1][1]
    assert learned[0][0] != learned[1][0]


def fit_of(counted: Counted, place: int, task: Task) -> bytes:
    arrays = fit(counted.tables[place], counted.recipes[place], task).forecaster.model.arrays()
    return b"".join(name.encode() + np.ascontiguousarray(arrays[name]).tobytes() for name in sorted(arrays))


@pytest.mark.long
def test_every_series_is_forecast_as_a_walk_would(pair: Demand, task: Task) -> None:
    told = leave_one_series_out(pair, SHORT, task, plan(), refit=2)
    assert told.parts == ["north", "south"]
    assert told.as_of_correct
    north_only = fit(pair.select(["north"]).as_of(utc("2024-03-11")), SHORT, task)
    direct = walk(pair.select(["south"]), {"ridge": lambda _: north_only}, plan("2024-03-11", "2024-03-12")).table
    mine = told.table[(told.table["unique_id"] == "south") & (told.table["cutoff"] < utc("2024-03-13"))]
    pd.testing.assert_frame_equal(mine.reset_index(drop=True), direct, check_exact=True)
    # South is twice as large, and is forecast at its own size.
    assert score(told.table).loc["ridge", "mape"] < 15


def test_one_series_cannot_be_left_out(demand: Demand, task: Task) -> None:
    with pytest.raises(DataError, match=r"1 series.*Leave out a period"):
        leave_one_series_out(demand, SHORT, task, plan())


@pytest.fixture(scope="module")
def half_year() -> Demand:
    frame = long_frame(start="2024-01-01", days=200, names=("north",))
    return make_demand(frame.assign(y=frame["y"] + 40 * frame["temperature"]))


@pytest.mark.long
def test_a_quarter_and_its_embargo_never_train(half_year: Demand, task: Task) -> None:
    asked = plan("2024-03-30", "2024-04-02")
    true, other = Counted(), Counted()
    told = leave_one_period_out(half_year, SHORT, task, asked, fit_function=true)
    assert told.parts == ["2024Q1", "2024Q2"]
    assert not told.as_of_correct
    assert "NOT as-of-correct" in told.label
    # From eight days and the horizon before the quarter to as much after it nothing may matter.
    leave_one_period_out(
        spoiled(half_year, "north", "2024-03-23T18:00", "2024-07-09T06:00"), SHORT, task, asked, fit_function=other
    )
    assert fit_of(true, 1, task) == fit_of(other, 1, task)
    assert fit_of(true, 0, task) != fit_of(other, 0, task)
    for begin, end in (("2024-03-23T17:00", "2024-03-23T18:00"), ("2024-07-09T06:00", "2024-07-09T07:00")):
        third = Counted()
        leave_one_period_out(spoiled(half_year, "north", begin, end), SHORT, task, asked, fit_function=third)
        assert third.tables[1].digest != true.tables[1].digest


def test_a_left_out_quarter_is_forecast_from_its_own_past(half_year: Demand, task: Task) -> None:
    told = leave_one_period_out(half_year, SHORT, task, plan("2024-05-01", "2024-05-03"))
    direct = walk(half_year, {"ridge": lambda known: fit(known, SHORT, task)}, plan("2024-05-01", "2024-05-03")).table
    assert list(told.table.columns) == list(direct.columns)
    assert told.table[["unique_id", "ds", "cutoff", "y"]].equals(direct[["unique_id", "ds", "cutoff", "y"]])
    assert not np.allclose(told.table["mean"], direct["mean"])
    assert score(told.table).loc["ridge", "mae"] < 3 * score(direct).loc["ridge", "mae"]


def test_an_unfinished_network_learns_on_both_sides_of_a_quarter(half_year: Demand, task: Task) -> None:
    told = leave_one_period_out(half_year, TINY, task, plan("2024-05-01", "2024-05-02"))
    assert np.isfinite(told.table["mean"]).all()
    assert (told.table["q0.9"] > told.table["q0.1"]).all()


def test_pieces_keep_their_clock_and_their_knowledge() -> None:
    late = make_demand(warm(late=True))
    rest = without(late, utc("2024-02-10T05:30"), utc("2024-02-12T05:30"))
    names = ["north", "north (after)", "south", "south (after)"]
    assert [one.unique_id for one in rest.series] == names
    before, after = rest.series[:2]
    assert before.start + len(before) * HOUR == utc("2024-02-10T05:00")
    assert after.start == utc("2024-02-12T06:00")
    whole = late.series[0]
    assert whole.available_at_T is not None
    assert after.available_at_T is not None
    np.testing.assert_array_equal(after.available_at_T, whole.available_at_T[-len(after) :])
    np.testing.assert_array_equal(after.values_TC, whole.values_TC[-len(after) :])
    np.testing.assert_array_equal(rest.arena_RC[after.first_row : after.first_row + len(after)], after.values_TC)
    assert len(without(late, utc("2024-01-01"), utc("2024-02-12")).series) == 2
    with pytest.raises(DataError, match="nothing outside"):
        without(late, utc("2024-01-01"), utc("2025-01-01"))


def test_zones_make_quarters(task: Task) -> None:
    """30 June 20:00 in UTC is July in Melbourne."""
    frame = long_frame(start="2024-04-01", days=130, names=("north",), zone="Australia/Melbourne")
    demand = make_demand(frame, zone="Australia/Melbourne")
    cutoffs = Plan.of("2024-07-01", "2024-07-01", "1d", "Australia/Melbourne", HOUR, horizon=6)
    told = leave_one_period_out(demand, SHORT, task, replace(cutoffs))
    assert told.parts == ["2024Q3"]
