"""A city's demand as a CSV, and the console script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.cli import main
from tests.console import at_console

RECIPE = """
name = "tiny"
context = "2d"
[model]
kind = "network"
[model.network]
encoder = { kind = "gru", width = 8 }
decoder = { kind = "direct", width = 16 }
[model.training]
epochs = 2
windows_per_epoch = 64
"""

Forecast = Callable[..., tuple[int, str]]


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """Seventy days of hourly demand across the clock change of 31 March, with a temperature, as a CSV in local time."""
    ds = pd.date_range("2024-02-01", periods=24 * 70, freq="1h", tz="Europe/Lisbon")
    rng = np.random.default_rng(2)
    temperature = 15 + 5 * np.sin(np.arange(len(ds)) / 24 * 2 * np.pi)
    demand = 300 + 60 * np.sin((np.arange(len(ds)) - 7) / 24 * 2 * np.pi) + rng.normal(0, 5, len(ds))
    frame = pd.DataFrame({"timestamp": ds.strftime("%Y-%m-%d %H:%M"), "demand": demand, "temperature": temperature})
    path = tmp_path / "city.csv"
    frame.to_csv(path, index=False)
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return path


@pytest.fixture
def forecast(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str]]:
    """Runs a command as the console script does; exit code, and all that was printed, unwrapped."""
    ends = at_console(monkeypatch, capsys, tmp_path, main)

    def run(*arguments: object) -> tuple[int, str]:
        code, out, error = ends("forecast", *arguments)
        return code, out + error

    return run


LISBON = ("--zone", "Europe/Lisbon", "--known", "temperature")
