"""One global network for many series: a meter it never saw, with and without history."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.forecaster import Forecaster
from forecast.networks.configs import DirectConfig, NetworkConfig, RecurrentConfig
from forecast.recipe import FeatureConfig, NetworkModel, Recipe, Task, TrainingConfig
from forecast.tables import Columns, Demand
from forecast.training import fit
from tests.builders import utc

COLUMNS = Columns(known=("temperature",), static=("industrial",))
SMALL, LARGE = 20.0, 900.0
CUTOFF = utc("2024-02-25")


def meters(kinds: dict[str, bool], *, start: str = "2024-01-15", days: int = 60, seed: int = 0) -> Demand:
    """Small homes with an evening peak, large plants with a working day; each meter up to a tenth off its kind."""
    rng, parts = np.random.default_rng(seed), []
    ds = pd.date_range(utc(start), periods=24 * days, freq="1h")
    for name, industrial in kinds.items():
        peak, size = (12, LARGE) if industrial else (19, SMALL)
        wave = 1 + 0.4 * np.cos((ds.hour.to_numpy() - peak) / 24 * 2 * np.pi)
        y = size * rng.uniform(0.9, 1.1) * wave * (1 + rng.normal(0, 0.02, len(ds)))
        table = {"unique_id": name, "ds": ds, "y": y, "temperature": rng.normal(10, 3, len(ds))}
        parts.append(pd.DataFrame({**table, "industrial": float(industrial)}))
    return Demand.from_frame(pd.concat(parts, ignore_index=True), columns=COLUMNS)


def recipe(unseen: float) -> Recipe:
    network = NetworkConfig(encoder=RecurrentConfig(kind="gru", width=8), decoder=DirectConfig(width=24))
    training = TrainingConfig(epochs=5, windows_per_epoch=512, rate=1e-2, unseen=unseen, final="keep")
    return Recipe(
        name="tiny",
        context="2d",
        features=FeatureConfig(reach_days=8, same_hour_days=2),
        model=NetworkModel(network=network, training=training),
    )


@pytest.fixture(scope="module", params=[0.0, 0.3], ids=["all windows seen", "unseen 0.3"])
def forecaster(request: pytest.FixtureRequest) -> Forecaster:
    table = meters({f"{kind} {n}": kind == "plant" for kind in ("home", "plant") for n in range(3)})
    return fit(table.as_of(CUTOFF), recipe(request.param), Task(horizon=24)).forecaster


def relative_error(said: pd.DataFrame, truth: Demand) -> pd.Series:
    told = said.merge(truth.to_frame(), on=["unique_id", "ds"])
    return ((told["q0.5"] - told["y"]).abs() / told["y"]).groupby(told["unique_id"]).mean()


def test_zero_shot_with_history(forecaster: Forecaster) -> None:
    strangers = meters({"new home": False, "new plant": True}, seed=7)
    said = forecaster.predict(strangers, [CUTOFF]).frame
    assert (relative_error(said, strangers) < 0.15).all()


def test_a_meter_without_any_history_gets_the_level_of_its_kind(forecaster: Forecaster) -> None:
    """One to many: nothing of these meters is known at the cutoff but their static column and the calendar."""
    strangers = meters({"new home": False, "new plant": True}, start="2024-02-25", days=3, seed=7)
    said = forecaster.predict(strangers, [CUTOFF]).frame
    values = said.drop(columns=["unique_id", "cutoff", "ds"])
    assert np.isfinite(values.to_numpy()).all()
    levels = said.groupby("unique_id")["q0.5"].mean()
    assert levels["new home"] == pytest.approx(SMALL, rel=0.25)
    assert levels["new plant"] == pytest.approx(LARGE, rel=0.25)


@pytest.mark.parametrize("forecaster", [0.3], indirect=True)
def test_windows_without_history_teach_the_shape_of_a_day(forecaster: Forecaster) -> None:
    strangers = meters({"new home": False, "new plant": True}, start="2024-02-25", days=3, seed=7)
    said = forecaster.predict(strangers, [CUTOFF]).frame.merge(strangers.to_frame(), on=["unique_id", "ds"])
    for _, one in said.groupby("unique_id"):
        shape, truth = (one[name] / one[name].mean() for name in ("q0.5", "y"))
        assert (shape - truth).abs().mean() < 0.6 * (1 - truth).abs().mean()
