"""Shapley values of groups: exact on paper, exact here."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.explanations import explain
from forecast.explanations.attribution import CALENDAR, INERTIA, WEATHER, ColumnGroups, shapley
from forecast.explanations.past import inputs_at
from forecast.features import Inputs
from forecast.forecaster import Forecaster
from forecast.forecaster.models import Floats
from forecast.recipe import Task
from forecast.recipes import named
from forecast.tables import Columns, Demand
from forecast.training import fit
from tests.builders import long_frame, make_demand
from tests.explanations.toys import CUTOFF, Toy, total, with_model

CLOCK, WARMTH, LAG = "weekday 4", "temperature", "y, same hour, 1. day back"


def column(forecaster: Forecaster, inputs: Inputs, name: str) -> Floats:
    return inputs.future_BHF[:, :, forecaster.spec.column_reader.future_names.index(name)]


def parts(forecaster: Forecaster, demand: Demand, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A column today [H], and on the 28 days before [28, H]."""
    days = [CUTOFF - back * 24 * demand.step for back in range(29)]
    inputs = inputs_at(forecaster.spec, demand.as_of(CUTOFF), days, 24, np.arange(29))
    values_NH = column(forecaster, inputs, name).astype(np.float64)
    return values_NH[0], values_NH[1:]


def test_a_model_of_the_calendar_alone_owes_nothing_to_weather_and_inertia(
    fitted: dict[str, Forecaster], north: Demand
) -> None:
    toy = with_model(fitted["ridge"], Toy(lambda inputs: 100 + 7 * column(fitted["ridge"], inputs, CLOCK)))
    explanation = explain(toy, north, CUTOFF)
    np.testing.assert_allclose(explanation.groups["weather"], 0, atol=1e-9)
    np.testing.assert_allclose(explanation.groups["inertia"], 0, atol=1e-9)
    # The cutoff is a Friday's, the last six hours are Saturday's; four of 28 days are like either.
    np.testing.assert_allclose(explanation.groups["calendar"], [7 - 1] * 18 + [0 - 1] * 6, atol=1e-5)


def test_a_linear_model_gets_what_each_column_differs_by(fitted: dict[str, Forecaster], north: Demand) -> None:
    ridge, weights = fitted["ridge"], {CLOCK: 11.0, WARMTH: -2.0, LAG: 0.5}
    toy = Toy(lambda inputs: np.sum([w * column(ridge, inputs, name) for name, w in weights.items()], axis=0))
    explanation = explain(with_model(ridge, toy), north, CUTOFF)
    for group, name in (("calendar", CLOCK), ("weather", WARMTH), ("inertia", LAG)):
        today_H, before_KH = parts(ridge, north, name)
        expected_H = weights[name] * (today_H - before_KH.mean(0))
        np.testing.assert_allclose(explanation.groups[group], expected_H, atol=1e-3)
        assert np.abs(expected_H).max() > 1


def test_a_product_is_shared_by_both_orders_of_its_factors(fitted: dict[str, Forecaster], north: Demand) -> None:
    ridge = fitted["ridge"]
    toy = Toy(lambda inputs: column(ridge, inputs, WARMTH) * column(ridge, inputs, LAG))
    explanation = explain(with_model(ridge, toy), north, CUTOFF)
    (warm_H, warm_KH), (lag_H, lag_KH) = parts(ridge, north, WARMTH), parts(ridge, north, LAG)
    weather_H = ((warm_H - warm_KH) * (lag_H + lag_KH) / 2).mean(0)
    inertia_H = ((lag_H - lag_KH) * (warm_H + warm_KH) / 2).mean(0)
    np.testing.assert_allclose(explanation.groups["weather"], weather_H, rtol=1e-4, atol=0.1)
    np.testing.assert_allclose(explanation.groups["inertia"], inertia_H, rtol=1e-4, atol=0.1)
    np.testing.assert_allclose(explanation.baseline_H, (warm_KH * lag_KH).mean(0), rtol=1e-5)


def test_the_context_belongs_to_inertia_with_its_level(fitted: dict[str, Forecaster], north: Demand) -> None:
    toy = Toy(lambda inputs: np.repeat(inputs.past_BLP[:, :, 0].mean(1)[:, None], 24, axis=1))
    explanation = explain(with_model(fitted["ridge"], toy), north, CUTOFF)
    np.testing.assert_allclose(explanation.groups["inertia"], explanation.forecast_H - explanation.baseline_H)
    assert np.abs(explanation.groups["inertia"]).min() > 0
    np.testing.assert_allclose(explanation.groups["weather"], 0, atol=1e-4)


def test_every_column_has_the_group_of_its_name(fitted: dict[str, Forecaster]) -> None:
    reader = fitted["ridge"].spec.column_reader
    groups = ColumnGroups.of(reader)
    assert dict(zip(reader.past_names, groups.past_P, strict=True)) == {
        "y": INERTIA, "humidity": WEATHER, "temperature": WEATHER, "holiday": CALENDAR,
        "hour sin": CALENDAR, "hour cos": CALENDAR, "weekend or holiday": CALENDAR,
    }  # fmt: skip
    told = dict(zip(reader.future_names, groups.future_F, strict=True))
    for name, group in told.items():
        if name.startswith("y, "):
            assert group == INERTIA, name
        elif name.startswith(("temperature", "humidity")):
            assert group == WEATHER, name
        else:
            assert group == CALENDAR, name
    assert set(told.values()) == {CALENDAR, WEATHER, INERTIA}
    assert told["holiday"] == CALENDAR


def test_without_covariates_weather_adds_nothing() -> None:
    demand = make_demand(long_frame(days=40, names=("north",))[["unique_id", "ds", "y"]], columns=Columns())
    ridge = fit(demand, named("ridge"), Task(horizon=24)).forecaster
    explanation = explain(ridge, demand, CUTOFF - 20 * 24 * demand.step)
    np.testing.assert_array_equal(explanation.groups["weather"], np.zeros(24))
    np.testing.assert_allclose(total(explanation), explanation.forecast_H, rtol=1e-9)


@pytest.mark.parametrize("players", [("a",), ("a", "b", "c"), ("a", "b", "c", "d")])
def test_shares_add_up_and_a_player_who_changes_nothing_gets_nothing(players: tuple[str, ...]) -> None:
    rng = np.random.default_rng(len(players))
    everyone = [
        frozenset(p for place, p in enumerate(players) if bits >> place & 1) for bits in range(2 ** len(players))
    ]
    drawn = {coalition - {"a"}: rng.normal(size=5) for coalition in everyone}
    values = {coalition: drawn[coalition - {"a"}] for coalition in everyone}
    shares = shapley(values, players)
    np.testing.assert_allclose(shares["a"], 0, atol=1e-12)
    np.testing.assert_allclose(np.sum(list(shares.values()), axis=0), values[frozenset(players)] - values[frozenset()])
