"""Regions as a grid operator publishes them: a real walk over synthetic sums, reconciled as a whole."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

from forecast.backtest import Plan, walk
from forecast.recipe import Task
from forecast.recipes import RIDGE
from forecast.reconciliation import COHERENT, Hierarchy, reconcile
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
