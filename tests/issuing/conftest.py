"""A store of three meters in two zones, and a small ridge that has learned from them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast import clock
from forecast.forecaster import Forecaster
from forecast.recipe import FeatureConfig, Recipe, RidgeModel, SeasonalNaiveModel, Task
from forecast.settings import Settings
from forecast.store import Batch, Store
from forecast.tables import Demand, SeriesInfo
from forecast.training import fit

LISBON, MELBOURNE = "Europe/Lisbon", "Australia/Melbourne"
ZONES = {"alfama": LISBON, "belem": LISBON, "fitzroy": MELBOURNE}
BEGIN, DAYS = pd.Timestamp("2024-01-01T00:00Z"), 60
GATE, DAY = "D-1T10:00", "2024-02-21"
NOW = pd.Timestamp("2024-02-20T09:40Z")
"""Twenty minutes before Lisbon's gate of that day, ten hours after Melbourne's."""


def measured(names: list[str] | None = None, days: int = DAYS) -> pd.DataFrame:
    """Hourly demand with a day and a week; each meter twice as large as the one before."""
    ds = pd.date_range(BEGIN, periods=24 * days, freq="1h")
    hour, parts = np.arange(len(ds)), []
    for number, name in enumerate(names or ZONES):
        noise = np.random.default_rng(number).normal(0, 8, len(ds))
        y = 2**number * (500 + 90 * np.sin(2 * np.pi * hour / 24) - 60 * (ds.weekday >= 5) + noise)
        parts.append(pd.DataFrame({"unique_id": name, "ds": ds, "y": y}))
    return pd.concat(parts, ignore_index=True)


def fill(store: Store, frame: pd.DataFrame, source: str = "meters") -> None:
    """Stores rows, each known at the end of its period."""
    told = [SeriesInfo(unique_id=name, zone=ZONES.get(name, LISBON), step="1h") for name in frame["unique_id"].unique()]
    with clock.using("2025-01-01T00:00Z"):
        store.add(Batch(frame, series=tuple(told)), source)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store in SQLite, with 60 days of each meter; what came after NOW is in it, too."""
    with Store.open(f"sqlite:///{tmp_path}/store.db", Settings.read(home=tmp_path)) as opened:
        fill(opened, measured())
        yield opened


@pytest.fixture(scope="session")
def forecaster() -> Forecaster:
    """A ridge of fifty days."""
    demand = Demand.from_frame(measured(), zone=ZONES).as_of("2024-02-19T00:00Z")
    recipe = Recipe(name="ridge", model=RidgeModel(), context="2d", features=FeatureConfig(reach_days=8))
    return fit(demand, recipe, Task(horizon=39, gate=GATE, every="delivery-day")).forecaster


@pytest.fixture(scope="session")
def naive() -> Forecaster:
    """Last week again."""
    demand = Demand.from_frame(measured(), zone=ZONES).as_of("2024-02-19T00:00Z")
    return fit(demand, Recipe(name="last-week", model=SeasonalNaiveModel()), Task(horizon=39)).forecaster


@pytest.fixture(scope="session")
def model(forecaster: Forecaster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ridge's folder."""
    folder = tmp_path_factory.mktemp("model") / "ridge"
    forecaster.save(folder)
    return folder


@pytest.fixture
def settings(tmp_path: Path, model: Path) -> Settings:
    """The ridge is the champion; no registry is needed."""
    return Settings.read(
        home=tmp_path, store=f"sqlite:///{tmp_path}/store.db", model=str(model),
        mlflow_uri=f"sqlite:///{tmp_path}/mlflow.db",
    )  # fmt: skip


@pytest.fixture
def now() -> Iterator[pd.Timestamp]:
    """It is NOW."""
    with clock.using(NOW) as moment:
        yield moment
