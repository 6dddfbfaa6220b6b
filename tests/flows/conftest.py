"""One Prefect server, one synthetic CSV and one finished retraining for all tests of the flows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flows.retrain import Retrained, retrain
from forecast.settings import Settings
from forecast.sources import Declaration

ZONE = "Europe/Lisbon"
TINY = """name = "tiny"
context = "2d"
[features]
reach_days = 9
[model]
kind = "network"
[model.network.encoder]
kind = "gru"
width = 4
[model.network.decoder]
kind = "direct"
width = 8
[model.training]
epochs = 1
windows_per_epoch = 64
"""


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A server with an empty database."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that everything of these tests lives in."""
    return tmp_path_factory.mktemp("flows")


@pytest.fixture(scope="session")
def table(home: Path) -> Path:
    """140 days of hourly demand whose days drift, so that last week is a poor forecast."""
    ds = pd.date_range("2024-01-01", periods=24 * 140, freq="1h", tz="UTC")
    hour, random = np.arange(len(ds)), np.random.default_rng(5)
    drift = np.repeat(100 * np.sin(np.arange(140) / 3) + random.normal(0, 10, 140).cumsum() / 3, 24)
    y = 1000 + 200 * np.sin(2 * np.pi * hour / 24) - 90 * (ds.weekday >= 5) + drift + random.normal(0, 12, len(ds))
    path = home / "lisbon.csv"
    pd.DataFrame({"unique_id": "lisbon", "ds": ds, "y": y.round(2)}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def tiny(home: Path) -> Path:
    """A network that is trained in a second, as a user's recipe file."""
    path = home / "tiny-recipe.toml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture
def settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A store of its own, as the flow's tasks find it: by variables."""
    _point_at(home, monkeypatch)
    return Settings.read()


@pytest.fixture(scope="session")
def plan(tiny: Path) -> dict[str, Any]:
    """The fields of a small retraining."""
    return {"recipes": [str(tiny), "ridge"], "weeks": 4}


@pytest.fixture
def again(
    table: Path, plan: dict[str, Any], settings: Settings, first: Retrained, prefect_server: None
) -> Callable[[], Retrained]:
    """The same retraining once more."""
    return lambda: _retrain(table, plan)


@pytest.fixture(scope="session")
def first(home: Path, table: Path, plan: dict[str, Any], prefect_server: None) -> Retrained:
    """The first retraining, where nothing reigns yet."""
    with pytest.MonkeyPatch.context() as patch:
        _point_at(home, patch)
        return _retrain(table, plan)


def _retrain(table: Path, plan: dict[str, Any]) -> Retrained:
    done: Retrained = retrain(str(table), Declaration(zone=ZONE), plan=plan)
    return done


def _point_at(home: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("FORECAST_HOME", str(home))
    patch.setenv("FORECAST_MLFLOW_URI", f"sqlite:///{home}/mlruns/mlflow.db")
