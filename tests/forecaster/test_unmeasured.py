"""Meters that were never measured: what they are told from, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.calibration import Calibration
from forecast.errors import DataError
from forecast.forecaster import Forecaster
from forecast.networks.configs import DirectConfig, NetworkConfig, RecurrentConfig
from forecast.recipe import (
    EnsembleModel,
    FeatureConfig,
    NetworkModel,
    Recipe,
    RidgeModel,
    SeasonalNaiveModel,
    Task,
    TrainingConfig,
)
from forecast.tables import Columns, Demand, load_demand, save_demand
from forecast.training import fit
from tests.builders import utc

CUTOFF = utc("2018-08-25")
SIZES = (1.0, 1.5, 3.0, 5.0, 7.0, 12.0)
RIDGE = RidgeModel(alphas=(30.0,), per_series=False)


def measured(sizes: tuple[float, ...] = SIZES, *, days: int = 32, sign: float = 1.0, seed: int = 0) -> pd.DataFrame:
    """Meters whose demand is their size, up to a tenth, with an evening peak; the last day ends at the cutoff."""
    rng, parts = np.random.default_rng(seed), []
    ds = pd.date_range(end=CUTOFF, periods=24 * days, freq="1h", inclusive="left")
    wave = 1 + 0.4 * np.cos((ds.hour.to_numpy() - 19) / 24 * 2 * np.pi)
    for number, size in enumerate(sizes):
        y = sign * size * rng.uniform(0.9, 1.1) * wave * (1 + rng.normal(0, 0.02, len(ds)))
        parts.append(pd.DataFrame({"unique_id": f"m{number}", "ds": ds, "y": y, "size": size}))
    return pd.concat(parts, ignore_index=True)


def empty(sizes: dict[str, float], *, start: pd.Timestamp = CUTOFF, hours: int = 24) -> pd.DataFrame:
    """Meters without a single value."""
    ds = pd.date_range(start, periods=hours, freq="1h")
    parts = [pd.DataFrame({"unique_id": name, "ds": ds, "y": np.nan, "size": size}) for name, size in sizes.items()]
    return pd.concat(parts, ignore_index=True)


def table(frame: pd.DataFrame, *, unit: str = "kW", static: bool = True, asked: bool = True) -> Demand:
    columns = Columns(static=("size",) if static else ())
    return Demand.from_frame(frame, columns=columns, unit=unit, freq="1h", forecast_only=asked)


def recipe(unseen: float = 0.3, *, on: RidgeModel | None = None, epochs: int = 5) -> Recipe:
    network = NetworkConfig(encoder=RecurrentConfig(kind="gru", width=8), decoder=DirectConfig(width=24))
    training = TrainingConfig(epochs=epochs, windows_per_epoch=512, rate=1e-2, unseen=unseen, final="keep")
    return Recipe(
        name="glob", context="2d", features=FeatureConfig(reach_days=8, same_hour_days=2),
        model=NetworkModel(network=network, training=training, residual_on=on),
    )  # fmt: skip


def learned(chosen: Recipe, frame: pd.DataFrame | None = None, *, static: bool = True) -> Forecaster:
    history = table(measured() if frame is None else frame, static=static, asked=False)
    return fit(history, chosen, Task(horizon=24)).forecaster


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    return learned(recipe())


def levels(forecaster: Forecaster, demand: Demand) -> pd.Series:
    return forecaster.predict(demand, [CUTOFF]).frame.groupby("unique_id")["q0.5"].mean()


def test_an_empty_meter_has_the_level_of_its_size_and_the_shape_of_a_day(forecaster: Forecaster) -> None:
    said = forecaster.predict(table(empty({"small": 1.0, "large": 10.0})), [CUTOFF])
    assert said.unit == "kW"
    for name, size in (("small", 1.0), ("large", 10.0)):
        one = said.frame[said.frame["unique_id"] == name]
        assert one["q0.5"].mean() == pytest.approx(size, rel=0.25)
        assert one["ds"].iloc[one["q0.5"].argmax()].hour in (18, 19, 20)
        assert 0.02 * size < (one["q0.9"] - one["q0.1"]).mean() < 0.8 * size
    assert len(said.warnings) == 2, "one for all meters, and the neighbours"
    assert "series 'large', 'small': all 48 steps of context have no known y" in said.warnings[0]
    assert "the level comes from the static columns (size)" in said.warnings[0]
    assert "not calibrated" in said.warnings[0]
    assert "unseen" not in said.warnings[0]


def test_residual_network_too() -> None:
    said = levels(learned(recipe(on=RIDGE)), table(empty({"small": 1.0, "large": 10.0})))
    assert said["small"] == pytest.approx(1.0, rel=0.3)
    assert said["large"] == pytest.approx(10.0, rel=0.3)


def test_it_stands_beside_measured_ones(forecaster: Forecaster) -> None:
    """Their newest value says from when; the empty one changes nothing of what they are told."""
    beside = pd.concat([measured(), empty({"new": 5.0}, start=CUTOFF - pd.Timedelta("7D"), hours=24 * 9)])
    demand = table(beside)
    assert forecaster.next_cutoff(demand) == CUTOFF
    both, alone = levels(forecaster, demand), levels(forecaster, table(measured()))
    assert both["new"] == pytest.approx(5.0, rel=0.25)
    pd.testing.assert_series_equal(both.drop("new"), alone, rtol=1e-5)


@pytest.mark.parametrize("start", ["2018-07-01", "2018-08-24", "2018-09-03"])
def test_the_same_wherever_its_rows_lie_and_however_many(forecaster: Forecaster, start: str) -> None:
    usual = forecaster.predict(table(empty({"new": 5.0})), [CUTOFF]).frame
    for hours in (1, 48):
        moved = forecaster.predict(table(empty({"new": 5.0}, start=utc(start), hours=hours)), [CUTOFF]).frame
        pd.testing.assert_frame_equal(moved, usual, rtol=1e-5)


def test_a_delivery_day_and_energy(forecaster: Forecaster) -> None:
    day = (CUTOFF + pd.Timedelta("1D"), CUTOFF + pd.Timedelta("2D"))
    said = forecaster.predict(table(empty({"new": 5.0}), unit="kWh"), [CUTOFF], spans=[day])
    assert (said.unit, len(said.frame), said.frame["ds"].min()) == ("kWh", 24, day[0])


def test_widths_are_the_networks_own_and_know_no_unit(forecaster: Forecaster) -> None:
    """A calibration counts in spreads of a window's own history: without one it would count in plain kilowatts."""
    spec = forecaster.spec
    far = Calibration(
        levels=spec.recipe.quantiles, shift_KQ=((9.0,) * 4 + (0.0,) + (9.0,) * 4,) * 24, shrink_KQ=((1.0,) * 9,) * 24
    )
    wide = replace(forecaster, spec=spec.model_copy(update={"calibration": far}))
    new, old = table(empty({"new": 5.0})), table(measured((5.0,)))
    pd.testing.assert_frame_equal(*(one.predict(new, [CUTOFF]).frame for one in (forecaster, wide)))
    widths = [
        (said["q0.9"] - said["q0.1"]).mean()
        for said in (one.predict(old, [CUTOFF]).frame for one in (forecaster, wide))
    ]
    assert widths[1] > 3 * widths[0]


def test_a_known_meter_without_demand_is_asked_about(forecaster: Forecaster) -> None:
    (told, _) = forecaster.predict(table(empty({"m3": 3.0, "new": 3.0})), [CUTOFF]).warnings
    assert "'m3' had demand in training: see whether it was left out by mistake" in told


def test_no_cutoff_can_be_read_from_nothing(forecaster: Forecaster) -> None:
    with pytest.raises(DataError, match=r"no value of demand is known.*Give it with --cutoff, such as 2018-08-25T00"):
        forecaster.next_cutoff(table(empty({"new": 5.0})))


def test_another_unit_is_refused_where_no_value_tells_it(forecaster: Forecaster) -> None:
    with pytest.raises(DataError, match=r"'new': no value of demand is known, and the unit is MW; expected kW"):
        forecaster.predict(table(empty({"new": 5.0}), unit="MW"), [CUTOFF])


def refused(forecaster: Forecaster, demand: Demand) -> str:
    with pytest.raises(DataError) as caught:
        forecaster.predict(demand, [CUTOFF])
    told = str(caught.value)
    assert told.startswith("series 'new': every value of demand is missing")
    assert "check --target" in told.lower()
    assert "--static" in told
    assert "unseen = 0.2" in told
    return told


def test_a_model_without_static_columns_refuses() -> None:
    plain = learned(Recipe(name="naive", model=SeasonalNaiveModel()), static=False)
    told = refused(plain, table(empty({"new": 5.0}), static=False))
    assert "model 'naive' cannot start without one: it was trained without static columns" in told


@pytest.mark.parametrize("ensemble", [False, True])
def test_a_ridge_refuses(ensemble: bool) -> None:
    """It says multiples of the window's own level; an ensemble with it would say half of the truth."""
    chosen = recipe(epochs=1)
    assert isinstance(chosen.model, NetworkModel)
    model = EnsembleModel(members=(chosen.model, RIDGE)) if ensemble else RIDGE
    told = refused(learned(chosen.model_copy(update={"model": model})), table(empty({"new": 5.0})))
    assert "only networks learn levels from static columns, and it holds ridge" in told


def test_levels_below_zero_teach_no_static_level() -> None:
    told = refused(learned(recipe(epochs=1), measured(sign=-1.0)), table(empty({"new": 5.0})))
    assert "not all series that it learned from have a positive level" in told


def test_without_unseen_it_answers_and_says_what_was_not_learned() -> None:
    said = learned(recipe(unseen=0.0)).predict(table(empty({"small": 1.0, "large": 10.0})), [CUTOFF])
    assert "without `unseen` in its training the model has not learned" in said.warnings[0]
    told = said.frame.groupby("unique_id")["q0.5"].mean()
    assert told["large"] > 4 * told["small"] > 0


def test_nothing_is_learned_from_it(tmp_path: Path) -> None:
    blank = table(empty({"new": 5.0}, hours=24 * 60))
    with pytest.raises(DataError, match="no value of y is known"):
        fit(blank, recipe(), Task(horizon=24))
    save_demand(blank, tmp_path / "blank.parquet")
    with pytest.raises(DataError, match="every value of y is missing"):
        load_demand(tmp_path / "blank.parquet")
