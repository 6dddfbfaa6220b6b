"""What `forecast train` says of a training: gradients, clipped steps, intervals, and horizons out of reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from forecast.cli.train import last_clipped_share
from forecast.training import TrainingReport
from tests.cli.conftest import LISBON, Forecast

MATCHED = "intervals are not calibrated"


@pytest.mark.long
def test_a_network_says_how_far_its_gradients_reach(city: Path, forecast: Forecast) -> None:
    code, told = forecast("train", city, *LISBON, "--recipe", "tiny.toml")
    assert code == 0, told
    assert "gradients: healthy" in told
    assert MATCHED not in told
    code, told = forecast("train", city, *LISBON, "--recipe", "ridge")
    assert code == 0, told
    assert "gradients" not in told
    assert "clipped" not in told


@pytest.mark.long
@pytest.mark.parametrize("word", ["vanishing", "exploding"])
def test_gradients_that_are_not_healthy_are_named(
    word: str, city: Path, forecast: Forecast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forecast.training.learn.name_gradients", lambda _: word)
    code, told = forecast("train", city, *LISBON, "--recipe", "tiny.toml")
    assert code == 0, told
    assert f"gradients: {word}" in told


@pytest.mark.long
@pytest.mark.parametrize(("clip", "says"), [(1e-6, True), (1e6, False)])
def test_steps_that_are_mostly_clipped_are_told(
    clip: float, says: bool, city: Path, forecast: Forecast, tmp_path: Path
) -> None:
    with (tmp_path / "tiny.toml").open("a") as recipe:
        recipe.write(f"clip = {clip}\n")
    code, told = forecast("train", city, *LISBON, "--recipe", "tiny.toml")
    assert code == 0, told
    assert ("100% of the last epoch's steps were clipped" in told) == says


def test_the_last_epoch_of_the_most_clipped_member_counts() -> None:
    def row(member: int, share: float) -> dict[str, Any]:
        return {"member": member, "epoch": 1, "clipped_share": share}

    assert last_clipped_share(TrainingReport()) == 0
    assert last_clipped_share(TrainingReport([row(0, 0.9), row(0, 0.1), row(1, 0.0), row(1, 0.3)])) == 0.3


def test_a_history_too_short_to_hold_anything_out_is_told(city: Path, forecast: Forecast, tmp_path: Path) -> None:
    short = tmp_path / "short.csv"
    short.write_text("\n".join(city.read_text().splitlines()[: 1 + 24 * 9]) + "\n")
    code, told = forecast("train", short, *LISBON, "--recipe", "ridge")
    assert code == 0, told
    assert MATCHED in told
    assert "9.0 days of history are too little to hold the last 20% out" in told
    code, told = forecast("train", city, *LISBON, "--recipe", "ridge")
    assert code == 0, told
    assert MATCHED not in told


@pytest.mark.parametrize(
    "words",
    [
        ("train", "--horizon", 361),
        ("train", "--every", "delivery-day", "--gate", "D-20T10:00"),
        ("backtest", "--start", "2024-03-29", "--end", "2024-04-02", "--horizon", 361),
        ("search", "--horizon", 361, "--no-log"),
        ("search", "--nested", "--start", "2024-03-29", "--end", "2024-04-02", "--horizon", 361, "--no-log"),
    ],
)
def test_a_horizon_that_no_forecast_reaches_is_refused_before_training(
    words: tuple[Any, ...], city: Path, forecast: Forecast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def early(*_: object, **__: object) -> None:
        raise AssertionError("the horizon is checked too late")

    for place in (
        "forecast.training.fit",
        "forecast.backtest.walk",
        "forecast.search.search",
        "forecast.search.nested",
    ):
        monkeypatch.setattr(place, early)
    code, told = forecast(words[0], city, *LISBON, *words[1:], "--recipe", "ridge")
    assert code == 2, told
    assert "expected 360 at most (15 days)" in told
