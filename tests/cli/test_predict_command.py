"""`forecast predict` as a user meets it: hours, delivery days, whole days, and what it says of days that are over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.forecaster import Forecaster
from forecast.store import Store
from tests.cli.conftest import LISBON, Forecast


def test_a_delivery_day_of_23_hours(city: Path, forecast: Forecast, tmp_path: Path) -> None:
    assert forecast("train", city, *LISBON, "--recipe", "seasonal_naive_week", "--out", "model")[0] == 0
    code, told = forecast(
        "predict", city, *LISBON, "--model", "model", "--cutoff", "2024-03-30T10:00", "--delivery-day", "2024-03-31",
        "--quantiles", "0.1,0.5,0.9", "--out", "day.parquet",
    )  # fmt: skip
    assert code == 0, told
    said = pd.read_parquet(tmp_path / "day.parquet")
    assert len(said) == 23
    assert list(said.columns[-3:]) == ["q0.1", "q0.5", "q0.9"]


def test_days_have_peaks_that_no_hour_exceeds(city: Path, forecast: Forecast, tmp_path: Path) -> None:
    assert forecast("train", city, *LISBON, "--recipe", "ridge", "--out", "model")[0] == 0
    code, told = forecast(
        "predict", city, *LISBON, "--model", "model", "--cutoff", "2024-03-30", "--horizon", 60, "--quantiles",
        "0.1,0.5,0.9", "--out", "hours.parquet", "--daily", "days.csv",
    )  # fmt: skip
    assert code == 0, told
    assert "2 days, peaks in MW and energy in MWh, written to days.csv" in told
    hours, days = pd.read_parquet(tmp_path / "hours.parquet"), pd.read_csv(tmp_path / "days.csv")
    assert list(days.columns[:4]) == ["unique_id", "day", "cutoff", "model"]
    assert days["day"].tolist() == ["2024-03-30", "2024-03-31"]
    assert days["hours"].tolist() == [24, 23]
    assert set(days["cutoff"]) == {"2024-03-30T00:00:00Z"}
    assert [name for name in days.columns if name.startswith("peak_q")] == ["peak_q0.1", "peak_q0.5", "peak_q0.9"]
    civil = hours["ds"].dt.tz_convert("Europe/Lisbon").dt.strftime("%Y-%m-%d")
    for level in ("q0.1", "q0.5", "q0.9"):
        highest = hours[level].groupby(civil).max()[days["day"]].to_numpy()
        assert (days[f"peak_{level}"] >= highest).all()
    assert (days["energy_q0.1"] < days["energy_q0.9"]).all()
    assert days["energy_q0.5"].tolist() == pytest.approx([24 * 300, 23 * 300], rel=0.05)


def test_days_of_a_model_without_ranks(city: Path, forecast: Forecast, tmp_path: Path) -> None:
    assert forecast("train", city, *LISBON, "--recipe", "ridge", "--out", "model")[0] == 0
    model = Forecaster.load(tmp_path / "model")
    assert len(model.ranks_DH) > 20
    replace(model, ranks_DH=np.zeros((0, 0), dtype=np.float32)).save(tmp_path / "bare")
    words = ("--cutoff", "2024-04-05", "--horizon", 24)
    for name in ("model", "bare"):
        code, told = forecast("predict", city, *LISBON, "--model", name, *words, "--daily", f"{name}.parquet")
        assert code == 0, told
    learned, prior = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("model", "bare"))
    assert len(learned) == len(prior) == 1
    assert learned["energy_q0.9"][0] != prior["energy_q0.9"][0]


def test_no_whole_day_leaves_the_hours_and_says_why(city: Path, forecast: Forecast, tmp_path: Path) -> None:
    assert forecast("train", city, *LISBON, "--recipe", "ridge", "--out", "model")[0] == 0
    code, told = forecast("predict", city, *LISBON, "--model", "model", "--horizon", 6, "--daily", "days.csv")
    assert code == 2, told
    assert "6 rows" in told
    assert "no forecast spans a whole delivery day" in told
    assert len(pd.read_csv(tmp_path / "forecast.csv")) == 6
    assert not (tmp_path / "days.csv").exists()


def test_predict_begins_after_the_last_known_value(city: Path, forecast: Forecast, tmp_path: Path) -> None:
    assert forecast("train", city, *LISBON, "--recipe", "ridge", "--out", "model")[0] == 0
    code, told = forecast("predict", city, *LISBON, "--model", "model", "--horizon", 6, "--out", "next.csv")
    assert code == 0, told
    (warning,) = [line for line in told.splitlines() if "known-ahead column 'temperature' misses 6 of 6 steps" in line]
    for sentence in ("did not learn to do without", "errors can be several times larger", "intervals do not hold"):
        assert sentence in warning
    assert "append the column's forecast in rows without y, or train with --past temperature" in warning
    assert len(pd.read_csv(tmp_path / "next.csv")) == 6


@pytest.mark.parametrize("horizon", [1, 7])
def test_a_day_that_is_one_period_has_no_peak(horizon: int, forecast: Forecast, tmp_path: Path) -> None:
    days = pd.date_range("2023-01-01", periods=200, freq="1D")
    pd.DataFrame({"date": days.strftime("%Y-%m-%d"), "demand": 300.0 + days.dayofweek}).to_csv("days.csv", index=False)
    words = ("--zone", "UTC", "--recipe", "seasonal_naive_week", "--horizon", 7, "--out", "model")
    assert forecast("train", "days.csv", *words)[0] == 0
    code, told = forecast("predict", "days.csv", "--horizon", horizon, "--daily", "peaks.csv")
    assert code == 2, told
    assert "a day has a single period" in told
    assert len(pd.read_csv(tmp_path / "forecast.csv")) == horizon
    assert not (tmp_path / "peaks.csv").exists()


@pytest.mark.parametrize(
    ("cutoff", "said"),
    [((), "lies before the last known value"), (("--cutoff", "2024-04-01"), "lies before the cutoff")],
)
def test_a_delivery_day_that_is_over_is_named(
    cutoff: tuple[str, ...], said: str, city: Path, forecast: Forecast
) -> None:
    assert forecast("train", city, *LISBON, "--recipe", "seasonal_naive_week", "--out", "model")[0] == 0
    code, told = forecast("predict", city, *LISBON, *cutoff, "--delivery-day", "2024-03-20")
    assert code == 2, told
    assert f"the day 2024-03-20 {said}" in told
    assert "Give a --cutoff before 2024-03-20" in told
    assert "horizon" not in told


def test_a_forecast_of_a_delivery_day_is_kept_in_the_ledger(city: Path, forecast: Forecast, tmp_path: Path) -> None:
    place = f"sqlite:///{tmp_path}/meters.db"
    assert forecast("ingest", city, *LISBON, "--store", place)[0] == 0
    data = f"store:{place}"
    code, told = forecast("train", data, "--recipe", "seasonal_naive_week", "--out", "model")
    assert code == 0, told
    asked = ("predict", data, "--model", "model", "--delivery-day", "2024-03-31", "--gate", "D-1T10:00", "--record")
    code, told = forecast(*asked, "--out", "day.parquet")
    assert code == 0, told
    assert forecast(*asked, "--out", "day.parquet")[1] == told
    with Store.open(place) as store:
        (kept,) = store.forecasts("demand", delivery_day="2024-03-31")
    said = pd.read_parquet(tmp_path / "day.parquet")
    assert kept.id in told
    assert (kept.gate, len(kept.forecast.frame)) == ("D-1T10:00", 23)
    assert np.array_equal(kept.forecast.frame["q0.9"], said["q0.9"])
    assert kept.data_digest is not None


def test_the_ledger_takes_no_series_that_the_store_does_not_know(city: Path, forecast: Forecast) -> None:
    assert forecast("train", city, *LISBON, "--recipe", "seasonal_naive_week", "--out", "model")[0] == 0
    code, told = forecast("predict", city, *LISBON, "--model", "model", "--record")
    assert code == 2
    assert "demand" in told
    assert "Traceback" not in told


def test_a_forecast_from_a_dirty_history_says_so(city: Path, forecast: Forecast) -> None:
    assert forecast("train", city, *LISBON, "--recipe", "seasonal_naive_week", "--out", "model")[0] == 0
    words = ("predict", city, *LISBON, "--model", "model", "--cutoff", "2024-04-05")
    assert "unit slip" not in forecast(*words)[1]
    table = pd.read_csv(city)
    slipped = table["timestamp"].between("2024-04-01 00:00", "2024-04-02 12:00")
    table.loc[slipped, "demand"] *= 1000
    table.to_csv(city, index=False)
    code, told = forecast(*words)
    assert code == 0, told
    assert "demand: unit slip from 2024-03-31 23:00Z in the history that this forecast starts from" in told
