"""Regions as a grid operator publishes them: a real walk over synthetic sums, reconciled as a whole."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

from forecast.backtest import Plan, walk
from forecast.errors import DataError
from forecast.recipe import Task
from forecast.recipes import RIDGE
from forecast.reconciliation import AS_FORECAST, COHERENT, Hierarchy, reconcile, reconciled_walk
from forecast.tables import Demand, Forecast
from forecast.training import fit
from tests.reconciliation.families import values, wide

NORTH, SOUTH = ("n1", "n2"), ("s1", "s2", "s3")
GRID = Hierarchy({**dict.fromkeys(NORTH, "north"), **dict.fromkeys(SOUTH, "south"), "north": "grid", "south": "grid"})


def regions(days: int = 90) -> pd.DataFrame:
    """Five regions from 60 to 4,000 MW that share weather and have noise of their own, their halves and the grid."""
    rng = np.random.default_rng(7)
    ds = pd.date_range("2024-01-01", periods=24 * days, freq="1h", tz="UTC")
    shared = np.repeat(rng.normal(0, 1, days), 24)
    wave = np.sin((ds.hour.to_numpy() - 8) / 24 * 2 * np.pi)
    sizes = dict(zip((*NORTH, *SOUTH), (60, 4000, 900, 300, 1500), strict=True))
    frame = pd.DataFrame(
        {name: size * (1 + 0.2 * wave + 0.05 * shared + rng.normal(0, 0.03, len(ds))) for name, size in sizes.items()},
        index=ds,
    )
    frame["north"], frame["south"] = frame[list(NORTH)].sum(axis=1), frame[list(SOUTH)].sum(axis=1)
    frame["grid"] = frame["north"] + frame["south"]
    return frame.rename_axis("ds").melt(ignore_index=False, var_name="unique_id", value_name="y").reset_index()


@pytest.fixture(scope="module")
def walked() -> pd.DataFrame:
    demand = Demand.from_frame(regions())
    plan = Plan.of("2024-02-20", "2024-03-29", "1d", "UTC", demand.step, horizon=24)
    return walk(demand, {"ridge": partial(fit, recipe=RIDGE, task=Task(horizon=24, every="1d"))}, plan).table


@pytest.mark.parametrize("method", ["bottom-up", "spread", "mint"])
def test_every_cutoff_of_a_walk_adds_up(method: str, walked: pd.DataFrame) -> None:
    base = Forecast(walked.drop(columns=["y", "model"]), "MW", "ridge")
    made = reconcile(base, GRID, method, errors=walked)
    (family,) = GRID.families
    assert family.gap(values(base, family.names).reshape(8, -1)) > 0.001
    assert family.gap(values(made, family.names).reshape(8, -1)) <= COHERENT
    assert made.frame["cutoff"].nunique() == 39
    # The first cutoff knows no past errors.
    assert len(made.warnings) == (method == "mint")
    actual = walked.pivot(index=["cutoff", "ds"], columns="unique_id", values="y")
    before, after = ((wide(one) - actual).abs().mean() for one in (base, made))
    assert (after < 1.05 * before).all()


def test_a_walk_stands_beside_itself_reconciled(walked: pd.DataFrame) -> None:
    both, told = reconciled_walk(walked, GRID, ["bottom-up", "mint"], unit="MW")
    assert list(both["model"].unique()) == [AS_FORECAST, "bottom-up", "mint"]
    assert len(told) == 1
    assert "fewer than 20 past moments" in told[0]
    assert list(both.columns) == list(walked.columns)
    keys = ["unique_id", "cutoff", "ds"]
    apart = both[both["model"] == AS_FORECAST].drop(columns="model").sort_values(keys).reset_index(drop=True)
    same = walked.drop(columns="model").sort_values(keys).reset_index(drop=True)
    pd.testing.assert_frame_equal(apart, same)
    mint = both[both["model"] == "mint"].set_index(keys)
    made = reconcile(Forecast(walked.drop(columns=["y", "model"]), "MW", "ridge"), GRID, "mint", errors=walked).frame
    np.testing.assert_array_equal(mint.loc[pd.MultiIndex.from_frame(made[keys]), "q0.9"], made["q0.9"])
    np.testing.assert_array_equal(mint["y"], walked.set_index(keys).loc[mint.index, "y"])


def test_moments_without_the_whole_family_are_left_out_and_counted(walked: pd.DataFrame) -> None:
    first = walked["cutoff"].min()
    late = walked[(walked["unique_id"] != "s2") | (walked["cutoff"] > first)]
    both, told = reconciled_walk(late, GRID, ["structural"], unit="MW")
    assert told == ("24 of 936 moments of the walk lack a series of the family of 'grid': they are left out",)
    assert both["cutoff"].min() > first
    with pytest.raises(DataError, match="nowhere forecasts all series"):
        reconciled_walk(walked[walked["unique_id"] != "s2"], GRID, unit="MW")
