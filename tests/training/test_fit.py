"""What training promises: it learns, it stops, it is deterministic, and it says what is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open

from forecast.errors import NonFiniteLoss, NotEnoughHistory
from forecast.recipe import NetworkModel, Recipe, Task, TrainingConfig
from forecast.recipes import named
from forecast.tables import Demand
from forecast.training import fit
from forecast.training.loop import Loop


def city(days: int = 50, *, gaps: bool = False, level: float = 100.0) -> Demand:
    """A noisy daily wave with a weekend dip."""
    ds = pd.date_range("2024-01-01", periods=24 * days, freq="1h", tz="UTC")
    rng = np.random.default_rng(1)
    y = level * (
        1 + 0.2 * np.sin(np.arange(len(ds)) / 24 * 2 * np.pi) - 0.1 * (ds.dayofweek >= 5) + rng.normal(0, 0.01, len(ds))
    )
    frame = pd.DataFrame({"unique_id": "city", "ds": ds, "y": y})
    if gaps:
        frame.loc[200:230, "y"] = np.nan
        frame.loc[rng.integers(300, len(frame), 60), "y"] = np.nan
    return Demand.from_frame(frame, zone="Europe/Lisbon")


def tiny(name: str = "gru", **training: object) -> Recipe:
    """A named recipe that trains in a second."""
    base = named(name)
    assert isinstance(base.model, NetworkModel)
    config = TrainingConfig(**{"epochs": 3, "windows_per_epoch": 64, **training})  # type: ignore[arg-type]
    return base.model_copy(update={"model": base.model.model_copy(update={"training": config})})


TASK = Task(horizon=24)


def mae(demand: Demand, recipe: Recipe) -> float:
    cutoff = pd.Timestamp("2024-02-12", tz="UTC")
    said = fit(demand.as_of(cutoff), recipe, TASK).forecaster.predict(demand, [cutoff]).frame
    told = said.merge(demand.to_frame()[["ds", "y"]], on="ds")
    return float((told["q0.5"] - told["y"]).abs().mean())


@pytest.mark.parametrize(
    "name", ["rnn", "lstm", "gru", "attention", pytest.param("transformer", marks=pytest.mark.long)]
)
def test_every_network_learns_the_wave(name: str) -> None:
    assert mae(city(), tiny(name, epochs=6, windows_per_epoch=192)) < 7.0  # the wave's own deviation is 14


def test_gaps_are_masked_and_never_learned_as_values() -> None:
    holed = city(gaps=True)
    fitted = fit(holed, tiny(), TASK)
    filled_RC = np.where(np.isfinite(holed.arena_RC), holed.arena_RC, np.nan)
    assert np.isnan(filled_RC).sum() > 60
    assert fitted.report.windows > 0
    assert np.isfinite(
        fitted.forecaster.predict(holed, [pd.Timestamp("2024-01-10 12:00", tz="UTC")]).frame["mean"]
    ).all()


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    first, second, other = (fit(city(30), tiny(seed=seed), TASK).forecaster.model.arrays() for seed in (4, 4, 5))
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    assert any(first[name].tobytes() != other[name].tobytes() for name in first)


def test_a_loss_that_is_no_number_stops_by_name_and_keeps_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Loop._rate
    monkeypatch.setattr(Loop, "_rate", lambda self, step: honest(self, step) if step < 2 * self.steps else float("nan"))
    with pytest.raises(NonFiniteLoss, match=r"epoch 3 .* last good checkpoint is kept"):
        fit(city(30), tiny(epochs=4), TASK, checkpoint=tmp_path)
    with safe_open(tmp_path / "learn.safetensors", framework="numpy") as file:
        assert '"epoch": 2' in file.metadata()["notes"]
        assert all(np.isfinite(file.get_tensor(name)).all() for name in file.keys())  # noqa: SIM118


def test_early_stopping_is_chronological_and_keeps_the_best_epoch() -> None:
    report = fit(city(), tiny(epochs=6, patience=1, final="keep"), TASK).report
    losses = [row["validation_loss"] for row in report.history]
    assert report.best_epoch == int(np.argmin(losses)) + 1


@pytest.mark.parametrize("optimiser", ["adamw", "adam", "rmsprop", "sgd"])
@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "constant"])
def test_every_optimiser_and_schedule_runs_and_can_be_resumed(optimiser: str, schedule: str) -> None:
    recipe = tiny(optimiser=optimiser, schedule=schedule, epochs=2, windows_per_epoch=32, rate=1e-3, final="keep")
    history = fit(city(25), recipe, TASK).report.history
    assert history[-1]["train_loss"] < 1.0


def test_mixed_precision_is_a_switch() -> None:
    plain = mae(city(), tiny(epochs=5))
    mixed = mae(city(), tiny(epochs=5, precision="bf16"))
    assert 0 < abs(plain - mixed) < 3.0


def test_compile_is_a_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda function: compiled.append(function) or function)
    fit(city(30), tiny(epochs=1), TASK)
    assert compiled == []
    fit(city(30), tiny(epochs=1, compile=True), TASK)
    assert [function.__name__ for function in compiled] == ["scaled", "scaled"]


def test_too_little_history_is_refused_with_the_number_needed() -> None:
    with pytest.raises(NotEnoughHistory, match=r"100 known steps.*at least 192 \(context 168 \+ horizon 24\)"):
        fit(city(60).as_of(pd.Timestamp("2024-01-05 04:00", tz="UTC")), tiny(), TASK)


def test_a_span_too_short_to_hold_anything_out_still_trains() -> None:
    short = city(60).as_of(pd.Timestamp("2024-01-09 12:00", tz="UTC"))
    fitted = fit(short, tiny(), TASK)
    assert not any(any(row) for row in fitted.forecaster.spec.calibration.shift_KQ)


def test_a_constant_series_trains_and_its_scale_is_missing() -> None:
    flat = city(30)
    frame = flat.to_frame().assign(y=50.0)
    fitted = fit(Demand.from_frame(frame, zone="UTC"), tiny(), TASK)
    assert fitted.forecaster.spec.seasonal_scale == {"city": None}
    said = fitted.forecaster.predict(Demand.from_frame(frame, zone="UTC"), [pd.Timestamp("2024-01-20", tz="UTC")]).frame
    assert np.isfinite(said["mean"]).all()


def test_many_series_of_different_size_share_one_network() -> None:
    small, large = city(40, level=5.0).to_frame(), city(40, level=20000.0).to_frame().assign(unique_id="state")
    both = Demand.from_frame(pd.concat([small, large]), zone="Europe/Lisbon")
    cutoff = pd.Timestamp("2024-02-05", tz="UTC")
    said = fit(both.as_of(cutoff), tiny(epochs=8, windows_per_epoch=256), TASK).forecaster.predict(both, [cutoff]).frame
    told = said.merge(both.to_frame()[["unique_id", "ds", "y"]], on=["unique_id", "ds"])
    relative = ((told["q0.5"] - told["y"]).abs() / told["y"]).groupby(told["unique_id"]).mean()
    assert (relative < 0.08).all(), relative


def test_nothing_after_known_until_is_read() -> None:
    whole = city()
    cutoff = pd.Timestamp("2024-02-01", tz="UTC")
    poisoned_RC = whole.arena_RC.copy()
    poisoned_RC[24 * 31 :] = 1e9
    one = replace(whole.series[0], values_TC=poisoned_RC)
    poisoned = replace(whole, series=(one,), arena_RC=poisoned_RC)
    first, second = (fit(table.as_of(cutoff), tiny(), TASK).forecaster for table in (whole, poisoned))
    assert all(first.model.arrays()[name].tobytes() == array.tobytes() for name, array in second.model.arrays().items())
