"""Refreshing goes on from what was learned: newer data count, columns and scaling stay, nothing later is read."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

from forecast.backtest import Plan, walk
from forecast.errors import RecipeError
from forecast.forecaster import Ensemble, Forecaster
from forecast.networks.network import build
from forecast.networks.runtime import NetworkRuntime
from forecast.recipe import CorrectionConfig, EnsembleModel, FeatureConfig, Recipe, RidgeModel, Task
from forecast.tables import Demand
from forecast.training import Fitted, fit
from forecast.training.refreshing import refresh, refresh_fitted
from tests.builders import TINY, TINY_ON_RIDGE, long_frame, plain, utc

SMALL = FeatureConfig(reach_days=9, same_hour_days=2, similar_days=False, recent=False, knots=0)
RECIPE = Recipe(
    name="two", context="2d", features=SMALL, correction=CorrectionConfig(days=3),
    model=EnsembleModel(members=(TINY_ON_RIDGE.model, RidgeModel())),  # type: ignore[arg-type]
)  # fmt: skip
TASK = Task(horizon=24, every="1d")
TRAINED, NOW, END = utc("2024-03-01"), utc("2024-04-10"), utc("2024-04-30")


def moved(days: int = 121) -> Demand:
    """A daily wave whose peak moves from noon to midnight on 1 March."""
    hours = np.arange(days * 24)
    peak = np.where(hours < 60 * 24, 12, 0)
    noise = np.random.default_rng(6).normal(0, 3, len(hours))
    return plain(500 + 80 * np.cos((hours - peak) / 24 * 2 * np.pi) + noise)


@pytest.fixture(scope="module")
def demand() -> Demand:
    return moved()


@pytest.fixture(scope="module")
def before(demand: Demand) -> Forecaster:
    return fit(demand.as_of(TRAINED), RECIPE, TASK).forecaster


@pytest.fixture(scope="module")
def after(demand: Demand, before: Forecaster) -> Fitted:
    return refresh(before, demand.as_of(NOW))


def mae(forecaster: Forecaster, demand: Demand) -> float:
    """Of the raw model on later days, without calibration and correction."""
    bare = Forecaster(forecaster.spec.model_copy(update={"correction": None}), forecaster.model)
    frame = bare.predict(demand, pd.date_range(NOW, END, freq="1D", inclusive="left")).frame
    both = frame.merge(demand.to_frame()[["ds", "y"]], on="ds").dropna()
    return float((both["q0.5"] - both["y"]).abs().mean())


def test_a_network_goes_on_in_the_shape_it_was_made_with() -> None:
    """One that learned several series before there were neighbours keeps every weight."""
    days = long_frame(days=60, names=("a", "b"))[["unique_id", "ds", "y"]]
    demand = Demand.from_frame(days)
    recipe = TINY.model_copy(update={"features": SMALL})
    now = fit(demand.as_of(TRAINED), recipe, TASK).forecaster
    assert isinstance(now.model, NetworkRuntime)
    older = now.model.network.shape.model_copy(update={"peers": 0, "peer_columns": 0})
    made = build(now.model.network.config, older, seed=1).eval()
    stored = Forecaster(now.spec, NetworkRuntime(made), now.ranks_DH)
    again = refresh(stored, demand.as_of(utc("2024-03-10")), epochs=1, rate_share=1e-9).forecaster.model
    assert isinstance(again, NetworkRuntime)
    assert again.network.shape == older
    assert again.network.neighbours is None
    for name, weight in made.decoder.named_parameters():
        np.testing.assert_allclose(again.network.decoder.get_parameter(name).detach(), weight.detach(), atol=1e-6)


def test_newer_data_count(before: Forecaster, after: Fitted, demand: Demand) -> None:
    assert mae(after.forecaster, demand) < 0.8 * mae(before, demand)
    assert pd.Timestamp(after.forecaster.spec.trained_until) == NOW
    assert pd.Timestamp(before.spec.trained_until) == TRAINED
    assert after.forecaster.spec.data_digest != before.spec.data_digest


def test_networks_go_on_from_their_weights_and_keep_their_scaling(before: Forecaster, after: Fitted) -> None:
    old, new = before.model.arrays(), after.forecaster.model.arrays()
    assert old.keys() == new.keys()
    scaling = [name for name in old if name.startswith("0/network/scaling.")]
    weights = [name for name in old if name.startswith("0/network/") and name not in scaling]
    assert len(scaling) > 5
    assert all(old[name].tobytes() == new[name].tobytes() for name in scaling)
    away, size = (sum(float((part**2).sum()) for part in parts) for parts in (
        [new[name] - old[name] for name in weights], [old[name] for name in weights]))  # fmt: skip
    assert 0 < away < 0.2 * size
    fresh = fit(moved().as_of(NOW), RECIPE.seeded(1), TASK).forecaster.model.arrays()
    assert sum(float(((fresh[name] - old[name]) ** 2).sum()) for name in weights) > 3 * away


def test_columns_stay_and_ridges_are_learned_anew(before: Forecaster, after: Fitted, demand: Demand) -> None:
    assert after.forecaster.spec.features == before.spec.features
    assert after.forecaster.spec.recipe == before.spec.recipe
    anew = fit(demand.as_of(NOW), RECIPE, TASK).forecaster
    for name in ("0/base/weights_GKD", "1/weights_GKD"):
        old, new, fitted = (one.model.arrays()[name] for one in (before, after.forecaster, anew))
        assert np.abs(new - old).max() > 1e-3
        np.testing.assert_allclose(new, fitted, atol=1e-9)


def test_what_happened_since_is_learned_by_the_intervals(before: Forecaster, after: Fitted) -> None:
    old, new = before.spec.correction, after.forecaster.spec.correction
    assert old is not None
    assert new is not None
    assert (new.day_gain, new.hour_gain) == (old.day_gain, old.hour_gain)
    assert new.ratios_QG != old.ratios_QG
    assert np.quantile(new.ratios_QG[8], 0.9) > np.quantile(old.ratios_QG[8], 0.9), "the wave moved: errors grew"
    assert after.forecaster.spec.calibration == before.spec.calibration
    held, since = len(before.ranks_DH), len(after.forecaster.ranks_DH)
    assert since == held + 40
    np.testing.assert_array_equal(after.forecaster.ranks_DH[:held], before.ranks_DH)


def test_it_reports_its_epochs(after: Fitted) -> None:
    assert [(row["member"], row["stage"], row["epoch"]) for row in after.report.history] == [
        (0, "refresh", 1), (0, "refresh", 2), (0, "refresh", 3),
    ]  # fmt: skip
    assert after.report.windows > 50


def test_a_lone_network_is_refreshed_too(demand: Demand) -> None:
    recipe = TINY.model_copy(update={"features": SMALL})
    one = fit(demand.as_of(TRAINED), recipe, TASK).forecaster
    two = refresh(one, demand.as_of(NOW), epochs=1).forecaster
    assert not isinstance(two.model, Ensemble)
    assert two.model.kind == "network"
    assert mae(two, demand) != mae(one, demand)


def poisoned(demand: Demand, since: pd.Timestamp) -> Demand:
    """Everything from a moment on is nonsense."""
    arena_RC = demand.arena_RC.copy()
    arena_RC[int((since - demand.series[0].start) / demand.step) :] = 1e9
    return replace(demand, series=(replace(demand.series[0], values_TC=arena_RC),), arena_RC=arena_RC)


def test_nothing_later_than_its_table_is_read(before: Forecaster, after: Fitted, demand: Demand) -> None:
    other = refresh(before, poisoned(demand, NOW).as_of(NOW)).forecaster
    arrays = after.forecaster.arrays()
    assert all(arrays[name].tobytes() == array.tobytes() for name, array in other.arrays().items())
    assert other.spec == after.forecaster.spec


@pytest.mark.parametrize(("epochs", "share"), [(0, 0.3), (1, 0.0), (1, -1.0), (1, float("nan"))])
def test_no_epoch_or_no_rate_is_refused(epochs: int, share: float, before: Forecaster, demand: Demand) -> None:
    with pytest.raises(RecipeError, match=f"refresh with {epochs} epochs"):
        refresh(before, demand.as_of(NOW), epochs=epochs, rate_share=share)


def test_a_walk_refreshes_every_fold_after_the_first_from_what_was_known(demand: Demand) -> None:
    recipe = RECIPE.model_copy(update={"model": RidgeModel()})
    plan = Plan.of("2024-03-01", "2024-03-09", "1d", "UTC", demand.step, horizon=24)
    seen: list[tuple[str, pd.Timestamp]] = []

    def fitting(table: Demand) -> Fitted:
        seen.append(("fit", table.known_until))
        return fit(table, recipe, TASK)

    def refreshing(fitted: Fitted, table: Demand) -> Fitted:
        seen.append((fitted.forecaster.spec.trained_until, table.known_until))
        return refresh(fitted.forecaster, table)

    said = walk(demand, {"ridge": fitting}, plan, refit=3, refresh=refreshing)
    days = [utc(f"2024-03-0{day}") for day in (1, 4, 7)]
    assert seen == [("fit", days[0]), (days[0].isoformat(), days[1]), (days[1].isoformat(), days[2])]
    assert [pd.Timestamp(one.forecaster.spec.trained_until) for one in said.fitted["ridge"]] == days
    # What follows the last-but-one fold's cutoffs is nonsense: all that was said before stays as it was.
    other = walk(poisoned(demand, days[2]), {"ridge": partial(fit, recipe=recipe, task=TASK)}, plan, refit=3,
                 refresh=refresh_fitted)  # fmt: skip
    early = said.table["cutoff"] <= days[2]
    assert early.sum() == 7 * 24
    pd.testing.assert_frame_equal(
        said.table[early].drop(columns="y"), other.table[early].drop(columns="y"), check_exact=True
    )


@pytest.mark.long
def test_two_workers_refresh_to_the_same_forecasts(demand: Demand) -> None:
    recipe = RECIPE.model_copy(update={"model": RidgeModel()})
    plan = Plan.of("2024-03-01", "2024-03-04", "1d", "UTC", demand.step, horizon=24)
    fits = {name: partial(fit, recipe=recipe, task=TASK) for name in ("one", "other")}
    here, there = (walk(demand, fits, plan, refit=2, workers=workers, refresh=refresh_fitted).table
                   for workers in (1, 2))  # fmt: skip
    pd.testing.assert_frame_equal(here, there, check_exact=True)
