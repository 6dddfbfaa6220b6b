"""A demand whose ridge is ruined by a huge penalty, and a fit that counts."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from forecast.recipe import FeatureConfig, Recipe, RidgeModel, Task
from forecast.recipes import RIDGE
from forecast.search import Space
from forecast.tables import Demand
from forecast.training import Fitted, fit
from tests.builders import long_frame, make_demand

RUINED, GOOD = 1e9, 1.0
SHORT = RIDGE.model_copy(update={"features": FeatureConfig(reach_days=8, same_hour_days=2, knots=2)})
"""The ridge with few columns, which a search fits in a fraction of the time."""


FITTED: dict[tuple[str, str, str], Fitted] = {}


def remembered(demand: Demand, recipe: Recipe, task: Task) -> Fitted:
    """`fit`, but equal questions are learned once per test process: the same inputs give the same bits."""
    key = (demand.digest + str(demand.known_until), recipe.model_dump_json(), task.model_dump_json())
    if key not in FITTED:
        FITTED[key] = fit(demand, recipe, task)
    return FITTED[key]


class Counted:
    """A fit that remembers what it was asked."""

    def __init__(self) -> None:
        self.tables: list[Demand] = []
        self.recipes: list[Recipe] = []

    def __call__(self, demand: Demand, recipe: Recipe, task: Task) -> Fitted:
        self.tables.append(demand)
        self.recipes.append(recipe)
        return remembered(demand, recipe, task)


def warm(**options: Any) -> pd.DataFrame:
    """A long frame in which the weather decides: whoever does not use it loses."""
    frame = long_frame(**{"days": 70, **options})
    return frame.assign(y=frame["y"] + 40 * frame["temperature"])


def ridge(alpha: float) -> Recipe:
    return SHORT.model_copy(update={"model": RidgeModel(alphas=(alpha,))})


def alphas(*values: float, base: float = RUINED) -> Space:
    return Space.of(ridge(base), {"model.alphas.0": list(values)})


@pytest.fixture(scope="session")
def demand() -> Demand:
    return make_demand(warm(names=("north",)))


@pytest.fixture(scope="session")
def pair() -> Demand:
    return make_demand(warm())


@pytest.fixture(scope="session")
def task() -> Task:
    """Six hours from midnight: a ridge per hour, so a quarter of a day's work."""
    return Task(horizon=6, every="1d")


@pytest.fixture
def counted() -> Counted:
    return Counted()
