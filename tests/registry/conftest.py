"""One MLflow store for all tests of the registry (making its tables takes seconds); each test has names of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast import backtest, recipes, training
from forecast.recipe import Task
from forecast.registry.writer import LoggedForecaster, example_inputs, log_forecaster, retraining
from forecast.settings import Settings
from forecast.tables import Columns, Demand
from forecast.training import Fitted

ZONE = "Australia/Melbourne"


@pytest.fixture(scope="session")
def store_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


def settings_of(store_home: Path, name: str) -> Settings:
    uri = f"sqlite:///{store_home}/mlruns/mlflow.db"
    return Settings.read(home=store_home, mlflow_uri=uri, experiment=name, model_name=name, promotion_cooldown_days=0)


@pytest.fixture
def settings(store_home: Path, request: pytest.FixtureRequest) -> Settings:
    """The shared store, with an experiment and a registered model that only this test uses."""
    return settings_of(store_home, re.sub(r"\W+", "-", request.node.name).strip("-"))


@pytest.fixture(scope="module")
def module_settings(store_home: Path, request: pytest.FixtureRequest) -> Settings:
    """The shared store, with names that all tests of a file share."""
    return settings_of(store_home, request.module.__name__.rsplit(".", 1)[-1])


@pytest.fixture(scope="session")
def demand() -> Demand:
    """Sixty days of one hourly series with a temperature that is known ahead."""
    ds = pd.date_range("2014-01-01", periods=24 * 60, freq="1h", tz="UTC")
    hour = np.arange(len(ds))
    noise = np.random.default_rng(3).normal(0, 30, len(ds))
    warmth = 20 + 8 * np.sin(2 * np.pi * (hour - 3) / 24)
    y = 4800 + 700 * np.sin(2 * np.pi * hour / 24) + 20 * warmth + noise
    frame = pd.DataFrame({"unique_id": "victoria", "ds": ds, "y": y, "temperature": warmth})
    return Demand.from_frame(frame, columns=Columns(known=("temperature",)), zone=ZONE, source="data/victoria.csv")


@pytest.fixture(scope="session")
def task() -> Task:
    return Task(horizon=24, every="1d")


@pytest.fixture(scope="session")
def walk(demand: Demand, task: Task) -> backtest.Walk:
    """The naive and the ridge, twice fitted, over ten days."""
    plan = backtest.Plan.of("2014-02-15", "2014-02-24", "1d", ZONE, demand.step, horizon=24)
    chosen = (recipes.SEASONAL_NAIVE_WEEK, recipes.RIDGE)

    def fit_of(number: int) -> Callable[[Demand], Fitted]:
        return lambda known: training.fit(known, chosen[number], task)

    return backtest.walk(demand, {one.name: fit_of(number) for number, one in enumerate(chosen)}, plan, refit=5)


@pytest.fixture(scope="session")
def fitted(walk: backtest.Walk) -> dict[str, Fitted]:
    return {name: ones[-1] for name, ones in walk.fitted.items()}


Log = Callable[[Settings], LoggedForecaster]


@pytest.fixture(scope="session")
def log_ridge(demand: Demand, task: Task, fitted: dict[str, Fitted]) -> Log:
    """Logs the ridge into a store."""

    def log(settings: Settings) -> LoggedForecaster:
        forecaster = fitted["ridge"].forecaster
        with retraining(settings, name="one", demand=demand, task=task) as run, run.child("ridge") as child:
            return log_forecaster(child, forecaster, example_inputs(demand, forecaster.spec))

    return log


@pytest.fixture(scope="session")
def ridge(store_home: Path, log_ridge: Log) -> LoggedForecaster:
    """The ridge in the shared store, logged once; tests register it under names of their own."""
    return log_ridge(settings_of(store_home, "logged once"))
