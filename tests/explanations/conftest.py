"""Small trained forecasters of every kind, on sixty days of one meter."""

from __future__ import annotations

import pytest

from forecast.forecaster import Forecaster
from forecast.recipe import Task
from forecast.tables import Demand
from forecast.training import fit
from tests.builders import long_frame, make_demand
from tests.explanations.toys import CUTOFF, RECIPES


@pytest.fixture(scope="session")
def north() -> Demand:
    return make_demand(long_frame(days=60, names=("north",)))


@pytest.fixture(scope="session")
def fitted(north: Demand) -> dict[str, Forecaster]:
    table = north.as_of(CUTOFF - 5 * 24 * north.step)
    return {name: fit(table, recipe, Task(horizon=24)).forecaster for name, recipe in RECIPES.items()}
