"""One knowledge, one forecast: however it came in, and wherever it is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.hour_by_hour import COLUMNS, everything, feed, tensors
from forecast.recipe import Recipe, RidgeModel, Task
from forecast.retraining import take_table
from forecast.sources import Batch, Declaration, read
from forecast.store import Store
from forecast.tables import Demand, SeriesInfo
from forecast.training import fit

HOUR = pd.Timedelta("1h")
START = pd.Timestamp("2024-03-10T00:00Z")
ZONE = "Australia/Melbourne"
RIDGE = Recipe(name="ridge", model=RidgeModel(), context="3d")


def measured(days: int) -> pd.DataFrame:
    """Hourly demand and temperature over a clock change."""
    hours = np.arange(24 * days)
    rng = np.random.default_rng(11)
    temperature = 15 + 6 * np.sin(hours * 2 * np.pi / 24) + rng.normal(size=len(hours))
    y = 500 + 4 * temperature + 60 * np.sin((hours - 5) * 2 * np.pi / 24) + rng.normal(0, 5, len(hours))
    return pd.DataFrame({"ds": pd.date_range(START, periods=len(hours), freq=HOUR), "y": y, "temperature": temperature})


@pytest.fixture(scope="module")
def told() -> pd.DataFrame:
    """All that was ever known of six weeks: demand six hours late, three weather forecasts a day."""
    return everything(measured(45))


@pytest.fixture
def stores(tmp_path: Path, postgres_url: str) -> list[str]:
    return [f"sqlite:///{tmp_path}/store.db", postgres_url]


def forecast_of(demand: Demand) -> bytes:
    """A ridge learned from what was known in the middle of April, and its forecast from there."""
    cutoff = START + 38 * 24 * HOUR
    fitted = fit(demand.as_of(cutoff), RIDGE, Task(horizon=24)).forecaster
    weights = b"".join(array.tobytes() for _, array in sorted(fitted.arrays().items()))
    return weights + fitted.predict(demand, [cutoff]).frame.to_json(double_precision=15).encode()


def test_a_file_sqlite_and_postgresql_give_the_same_forecast(
    told: pd.DataFrame, stores: list[str], tmp_path: Path
) -> None:
    file, work = tmp_path / "told.csv", tmp_path / "work"
    told.to_csv(file, index=False)
    declared = Declaration(zone=ZONE, country="AU-VIC", known=("temperature",), freq="1h")
    info = SeriesInfo(unique_id="VIC", zone=ZONE, step="1h", country="AU-VIC")
    for url in stores:
        with Store.open(url) as store:
            store.add(Batch(told, COLUMNS, (info,)), "all at once")
    places = [(str(file), declared), *((f"store:{url}", Declaration()) for url in stores)]
    tables = [read(*place) for place in places]
    assert {"y", "temperature"} & set(tables[0].versions)
    assert len({table.digest for table in tables}) == 1
    assert len({forecast_of(table) for table in tables}) == 1
    # The flow goes on by path and digest: from here it cannot tell them apart.
    assert len({take_table(data, declaration, work) for data, declaration in places}) == 1


def test_a_store_fed_hour_by_hour_trains_like_one_loaded_at_once(stores: list[str], tmp_path: Path) -> None:
    days = measured(16)
    info = SeriesInfo(unique_id="VIC", zone=ZONE, step="1h", country="AU-VIC")
    with Store.open(f"sqlite:///{tmp_path}/loaded.db") as store:
        store.add(Batch(everything(days), COLUMNS, (info,)), "all at once")
        loaded = store.demand()
    for url in stores:
        with Store.open(url) as store:
            batches = feed(store, days, info)
            fed = store.demand()
            middle = store.demand(as_of=START + 12 * 24 * HOUR)
        assert batches > 16 * 24
        assert fed.digest == loaded.digest
        assert tensors(fed) == tensors(loaded)
        assert tensors(middle) == tensors(loaded.as_of(START + 12 * 24 * HOUR))


@pytest.mark.long
def test_what_came_after_the_cutoff_moves_nothing_in_a_store(told: pd.DataFrame, stores: list[str]) -> None:
    """The tripwire against the store: rows known later are other numbers in the database itself."""
    cutoff = START + 38 * 24 * HOUR
    info = SeriesInfo(unique_id="VIC", zone=ZONE, step="1h", country="AU-VIC")
    late = (told["available_at"] > cutoff).to_numpy()
    assert told.loc[late, ["y", "temperature"]].notna().any().all()
    poisoned = told.copy()
    for name in ("y", "temperature"):
        poisoned.loc[late & told[name].notna().to_numpy(), name] = 1e9
    said = []
    for url, rows in zip(stores, (told, poisoned), strict=True):
        with Store.open(url) as store:
            store.add(Batch(rows, COLUMNS, (info,)), "all at once")
            said.append([forecast_of(store.demand(as_of=cutoff)), forecast_of(store.demand())])
    assert said[0][0] == said[0][1] == said[1][0] == said[1][1]
