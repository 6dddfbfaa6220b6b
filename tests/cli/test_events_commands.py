"""Events through the console script: trained, forecast, and told where file and model differ."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import LISBON, Forecast

RIDGE = """
name = "small"
context = "2d"
[model]
kind = "ridge"
[features]
same_hour_days = 3
reach_days = 9
"""


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.csv"
    path.write_text("name,start,end\nfair,2024-02-12,2024-02-14\nfair,2024-04-11,2024-04-12\n")
    (tmp_path / "small.toml").write_text(RIDGE)
    return path


def test_events_are_trained_on_and_forecast_over_the_days_to_come(
    forecast: Forecast, city: Path, events: Path, tmp_path: Path
) -> None:
    train = ("train", city, *LISBON, "--recipe", tmp_path / "small.toml", "--out", tmp_path / "model")
    code, told = forecast(*train, "--events", events)
    assert code == 0, told
    predict = ("predict", city, "--known", "temperature", "--model", tmp_path / "model", "--out", tmp_path / "said.csv")
    code, told = forecast(*predict, "--events", events)
    assert code == 0, told
    assert "event fair" not in told
    with_fair = pd.read_csv(tmp_path / "said.csv")["mean"]
    # The same file without the days to come, and a new event that the model never heard of.
    events.write_text("name,start,end\nfair,2024-02-12,2024-02-14\nstrike,2024-04-11,2024-04-12\n")
    code, told = forecast(*predict, "--events", events)
    assert code == 0, told
    assert "the model did not learn these events, and they are not read: strike; train again" in told
    assert (pd.read_csv(tmp_path / "said.csv")["mean"] != with_fair).any()
    # Without the file the column is missing, and the message names the option.
    code, told = forecast(*predict)
    assert code == 2
    assert "Declare --known temperature --events FILE." in told
    code, told = forecast(*predict, "--events", tmp_path / "none.csv")
    assert code == 2
    assert "no events file" in told


def test_options_of_a_file_hold_events_and_countries(
    forecast: Forecast, city: Path, events: Path, tmp_path: Path
) -> None:
    config = tmp_path / "options.toml"
    config.write_text(
        f'zone = "Europe/Lisbon"\nknown = "temperature"\nevents = "{events}"\ncountries = ["demand=PT-11"]\n'
    )
    code, told = forecast("check", city, "--config", config)
    assert code == 0, told
    assert "demand=PT-11" in told
    assert f"--countries demand=PT-11 --events {events}" in told
