"""One model for each group: trained and registered by the flow, asked by the issue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.by_group import retrain_groups
from forecast import clock
from forecast.errors import DeclarationError
from forecast.issuing import Question, issue
from forecast.registry import reader
from forecast.settings import Settings
from forecast.sources import Declaration
from forecast.store import Batch, Store
from forecast.tables import SeriesInfo

HOURS = pd.date_range("2024-01-01", periods=24 * 60, freq="1h", tz="UTC")
TARIFFS = {"alfama": 1.0, "belem": 2.0}


def measured() -> pd.DataFrame:
    """Two meters; nobody trains a model of the tariff 2."""
    hour, parts = np.arange(len(HOURS)), []
    for number, (name, tariff) in enumerate(TARIFFS.items()):
        noise = np.random.default_rng(number).normal(0, 8, len(HOURS))
        y = 500 + 90 * np.sin(2 * np.pi * hour / 24 + tariff) - 60 * (HOURS.weekday >= 5) + noise
        parts.append(pd.DataFrame({"unique_id": name, "ds": HOURS, "y": y, "tariff": tariff}))
    return pd.concat(parts, ignore_index=True)


def test_each_group_is_told_by_its_own_model(
    tmp_path: Path, prefect_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORECAST_HOME", str(tmp_path))
    monkeypatch.setenv("FORECAST_MLFLOW_URI", f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    monkeypatch.setenv("FORECAST_GROUP_BY", "tariff")
    frame = measured()
    frame[frame["tariff"] == 1].to_csv(tmp_path / "one.csv", index=False)
    declared = Declaration(static="tariff", zone="Europe/Lisbon")
    plan = {"recipes": ["ridge"], "weeks": 1, "every": "delivery-day", "gate": "D-1T10:00"}
    done = retrain_groups(str(tmp_path / "one.csv"), None, declared, None, plan)
    assert done == {"demand-1": True}
    settings = Settings.read()
    told = tuple(
        SeriesInfo(unique_id=name, zone="Europe/Lisbon", step="1h", static={"tariff": tariff})
        for name, tariff in TARIFFS.items()
    )
    with Store.open(settings=settings) as store:
        with clock.using("2025-01-01T00:00Z"):
            store.add(Batch(frame[["unique_id", "ds", "y"]], series=told), "meters")
        with clock.using("2024-02-28T09:50Z"):
            issued = issue(store, settings, Question("2024-02-29", "D-1T10:00"))
        said = store.forecasts("alfama", "2024-02-29")[0].forecast.model
    assert said == "demand-1"
    assert issued.rungs["champion", None] == 1
    assert issued.below == 1
    assert any("the group 2 has no model of its own" in note for note in issued.notes)


@pytest.mark.long
def test_the_next_time_a_groups_challenger_is_put_to_the_proof(
    tmp_path: Path, prefect_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new version proves nothing on days that the first one has learned from, and is tried from then on."""
    monkeypatch.setenv("FORECAST_HOME", str(tmp_path))
    monkeypatch.setenv("FORECAST_MLFLOW_URI", f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    measured().to_csv(tmp_path / "two.csv", index=False)
    declared, plan = Declaration(static="tariff", zone="Europe/Lisbon"), {"recipes": ["ridge"], "weeks": 1}
    done = [
        retrain_groups(str(tmp_path / "two.csv"), "tariff", declared, None, plan, now=moment)
        for moment in (None, "2024-03-01T08:00Z", "2024-03-01T09:00Z")
    ]
    assert done == [{"demand-1": True, "demand-2": True}, *[{"demand-1": False, "demand-2": False}] * 2]
    own = Settings.read(model_name="demand-1")
    assert reader.aliases(own) == {"champion": "1", "challenger": "2"}


def test_a_group_that_nobody_is_in_is_told(tmp_path: Path, prefect_server: None) -> None:
    measured().to_csv(tmp_path / "two.csv", index=False)
    declared = Declaration(zone="Europe/Lisbon")
    with pytest.raises(DeclarationError, match="no series with a voltage"):
        retrain_groups(str(tmp_path / "two.csv"), "voltage", declared)
