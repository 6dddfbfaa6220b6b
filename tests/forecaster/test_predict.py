"""`Forecaster.predict`: what is answered, what is warned about, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast import calendars
from forecast.errors import DataError, RequestError
from forecast.forecaster import Forecaster
from forecast.recipe import Recipe, Task
from forecast.recipes import named
from forecast.tables import Columns, Demand
from forecast.training import fit
from tests.builders import EVERYTHING, TINY, TINY_ENSEMBLE, long_frame, make_demand, plain, utc

ZONE = "Australia/Melbourne"


def history(**options: object) -> Demand:
    return make_demand(long_frame(days=80, start="2024-01-20", zone=ZONE, **options), zone=ZONE, country="AU-VIC")  # type: ignore[arg-type]


def trained(recipe: Recipe) -> Forecaster:
    return fit(history().as_of(utc("2024-03-20")), recipe, Task(horizon=24)).forecaster


@pytest.fixture(scope="module")
def ridge() -> Forecaster:
    return trained(named("ridge"))


@pytest.fixture(scope="module")
def network() -> Forecaster:
    return trained(TINY)


def test_every_series_at_every_cutoff_in_the_datas_own_unit(ridge: Forecaster) -> None:
    cutoffs = [utc("2024-03-25 00:20"), utc("2024-03-22")]
    said = ridge.predict(history(), cutoffs, horizon=5)
    frame = said.frame
    assert list(frame.columns) == ["unique_id", "cutoff", "ds", "mean", *[f"q0.{k}" for k in range(1, 10)]]
    assert frame.groupby(["unique_id", "cutoff"], sort=False).size().to_dict() == {
        (name, cutoff): 5 for name in ("north", "south") for cutoff in sorted(cutoffs)
    }
    assert frame["ds"].iloc[5] == utc("2024-03-25 01:00"), "the first period that starts at or after the cutoff"
    assert frame.equals(frame.sort_values(["unique_id", "cutoff", "ds"]))
    truth = frame.merge(history().to_frame(), on=["unique_id", "ds"])
    assert (truth["mean"] - truth["y"]).abs().mean() < 0.1 * truth["y"].mean()
    assert (said.unit, said.model, said.warnings) == ("MW", "ridge", ())


def test_energy_is_said_as_energy(ridge: Forecaster) -> None:
    power, energy = (
        fit(make_demand(long_frame(days=60, freq="30min"), unit=unit), named("seasonal_naive_day"), Task(horizon=4))
        .forecaster.predict(make_demand(long_frame(days=60, freq="30min"), unit=unit), [utc("2024-03-15")])
        for unit in ("MW", "MWh")
    )  # fmt: skip
    assert (power.unit, energy.unit) == ("MW", "MWh")
    np.testing.assert_allclose(energy.frame["q0.5"], power.frame["q0.5"], rtol=1e-6)


def test_another_unit_than_learned_is_warned_about(ridge: Forecaster) -> None:
    said = ridge.predict(replace(history(), unit="kWh"), [utc("2024-03-22")])
    assert said.warnings == ("the history is in kWh, the model learned from MW: check the unit",)
    assert ridge.predict(replace(history(), unit="MWh"), [utc("2024-03-22")]).warnings == ()


@pytest.mark.parametrize(("day", "hours"), [("2024-03-22", 24), ("2024-04-07", 25), ("2024-10-06", 23)])
def test_a_delivery_day_has_its_own_length_and_lead(ridge: Forecaster, day: str, hours: int) -> None:
    demand = make_demand(long_frame(days=300, zone=ZONE), zone=ZONE, country="AU-VIC").select(["north"])
    cutoff = calendars.gate_cutoff(day, "D-1T10:00", ZONE)
    frame = ridge.predict(demand, [cutoff], spans=[calendars.delivery_day(day, ZONE)]).frame
    assert set(frame["ds"].dt.tz_convert(ZONE).dt.strftime("%Y-%m-%d")) == {day}
    leads = (frame["ds"] - frame["cutoff"]) / pd.Timedelta("1h")
    assert (leads.min(), leads.max()) == (14, 14 + hours - 1)


def test_two_days_from_one_cutoff(ridge: Forecaster) -> None:
    days = [calendars.delivery_day(day, ZONE) for day in ("2024-03-24", "2024-03-23")]
    cutoff = utc("2024-03-22 01:00")
    frame = ridge.predict(history(), [cutoff, cutoff], spans=days).frame
    assert frame.groupby("unique_id").size().to_dict() == {"north": 48, "south": 48}
    with pytest.raises(DataError, match="same period twice"):
        ridge.predict(history(), [cutoff, cutoff])


def test_spans_follow_their_cutoffs_in_any_order_and_zone(ridge: Forecaster) -> None:
    days = ["2024-03-25", "2024-03-23"]
    cutoffs = [calendars.gate_cutoff(day, "D-1T10:00", ZONE).tz_convert(ZONE) for day in days]
    spans = [calendars.delivery_day(day, ZONE) for day in days]
    frame = ridge.predict(history(), cutoffs, spans=spans).frame
    lead = (frame["ds"] - frame["cutoff"]) / pd.Timedelta("1h")
    assert len(frame) == 96
    assert lead.between(14, 37).all()


def test_only_the_wanted_levels_are_shown(ridge: Forecaster) -> None:
    whole = ridge.predict(history(), [utc("2024-03-22")]).frame
    some = ridge.predict(history(), [utc("2024-03-22")], quantiles=[0.9, 0.1]).frame
    assert [name for name in some if name.startswith("q")] == ["q0.1", "q0.9"]
    pd.testing.assert_frame_equal(some, whole[some.columns])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"horizon": 0}, "a horizon of 0 steps; expected 1 to 360"),
        ({"horizon": -3}, "a horizon of -3 steps"),
        ({"horizon": 361}, r"a horizon of 361 steps.*15 days"),
        ({"quantiles": [0.95]}, r"quantiles 0\.95 are not offered"),
        ({"quantiles": []}, r"\(none\)"),
        ({"cutoffs": []}, "no cutoff"),
        ({"cutoffs": [pd.Timestamp("2024-03-22")]}, "carry no zone.*2024-03-22"),
        ({"spans": [(utc("2024-03-20"), utc("2024-03-21"))]}, "a horizon of -24 steps"),
    ],
)
def test_what_cannot_be_answered_is_refused(ridge: Forecaster, options: dict[str, object], words: str) -> None:
    asked = {"cutoffs": [utc("2024-03-22")], **options}
    with pytest.raises(RequestError, match=words):
        ridge.predict(history(), **asked)  # type: ignore[arg-type]


def test_another_step_or_other_columns_are_refused(ridge: Forecaster) -> None:
    with pytest.raises(DataError, match=r"a step of 0 days 00:30:00; expected the 0 days 01:00:00 that model 'ridge'"):
        ridge.predict(make_demand(long_frame(days=40, freq="30min")), [utc("2024-02-22")])
    fewer = make_demand(long_frame(days=40), columns=Columns(known=("temperature",)))
    with pytest.raises(DataError, match=r"humidity.*temperature.*holiday"):
        ridge.predict(fewer, [utc("2024-02-22")])


@pytest.mark.parametrize("which", ["ridge", "network"])
def test_a_short_history_is_padded_masked_and_named(which: str, request: pytest.FixtureRequest) -> None:
    forecaster: Forecaster = request.getfixturevalue(which)
    late = history().since(utc("2024-03-21 06:00")).select(["north"])
    said = forecaster.predict(late, [utc("2024-03-22")])
    context = forecaster.spec.context
    (told,) = said.warnings
    first = utc("2024-03-22") - context * pd.Timedelta("1h")
    assert f"'north': {context - 18} of the {context} steps of context have no known y" in told
    assert f"{first:%Y-%m-%dT%H:%MZ} to 2024-03-21T05:00Z" in told
    assert "padded and masked" in told
    assert np.isfinite(said.frame["mean"]).all()


@pytest.mark.parametrize("which", ["ridge", "network"])
def test_a_meter_without_any_history_is_answered(which: str, request: pytest.FixtureRequest) -> None:
    forecaster: Forecaster = request.getfixturevalue(which)
    said = forecaster.predict(history(), [utc("2024-01-01")])
    assert np.isfinite(said.frame["mean"]).all()
    assert any("have no known y" in told for told in said.warnings)


def test_weather_that_is_not_given_is_named(ridge: Forecaster) -> None:
    frame = long_frame(days=80, start="2024-01-20", zone=ZONE, names=["north"])
    frame = frame[frame["ds"] < utc("2024-03-22 20:00")]
    frame.loc[frame["ds"] == utc("2024-03-22 05:00"), "temperature"] = np.nan
    said = ridge.predict(make_demand(frame, zone=ZONE), [utc("2024-03-22")])
    told = {warning.split("'")[3]: warning for warning in said.warnings}
    assert "misses 5 of 24 steps (2024-03-22T05:00Z, 2024-03-22T20:00Z to 2024-03-22T23:00Z)" in told["temperature"]
    assert "misses 4 of 24 steps" in told["holiday"]


def test_a_longer_horizon_than_learned_is_warned_about(ridge: Forecaster) -> None:
    said = ridge.predict(history(), [utc("2024-03-22")], horizon=30)
    assert said.warnings == ("30 steps were asked, 24 were learned: the last are extrapolated",)


@pytest.mark.parametrize("name", ["ridge", "tiny", "seasonal_naive_week"])
@pytest.mark.parametrize("level", [0.0, 250.0])
def test_a_constant_series_is_forecast_with_finite_numbers(name: str, level: float) -> None:
    demand = plain(np.full(70 * 24, level))
    recipe = TINY if name == "tiny" else named(name)
    fitted = fit(demand.as_of(utc("2024-03-05")), recipe, Task(horizon=24)).forecaster
    frame = fitted.predict(demand, [utc("2024-03-06")]).frame
    np.testing.assert_allclose(frame["mean"], level, atol=max(1.0, level * 0.2))
    scale = fitted.spec.seasonal_scale["a"]
    assert scale is None or scale == 0.0 or np.isfinite(scale)


def test_batches_of_any_size_agree(network: Forecaster) -> None:
    cutoffs = pd.date_range(utc("2024-03-21"), periods=50, freq="5h")
    numbers = [f"q0.{k}" for k in range(1, 10)]
    whole = network.predict(history(gaps=0.1), cutoffs).frame
    assert len(whole) == 2 * 50 * 24
    for size in (1, 7, 64):
        part = network.predict(history(gaps=0.1), cutoffs, batch=size).frame
        np.testing.assert_allclose(part[numbers], whole[numbers], rtol=1e-5)
    alone = [network.predict(history(gaps=0.1), [cutoff]).frame for cutoff in cutoffs[:3]]
    together = pd.concat(alone).sort_values(["unique_id", "cutoff", "ds"]).reset_index(drop=True)
    expected = whole[whole["cutoff"].isin(cutoffs[:3])].reset_index(drop=True)
    np.testing.assert_allclose(together[numbers], expected[numbers], rtol=1e-5)


@pytest.mark.parametrize(
    ("recipe", "task"),
    [
        (named("ridge"), Task(horizon=24, every="1d")),
        (named("ridge"), Task(horizon=24, every="1d", clock="-06:00")),
        (TINY_ENSEMBLE, Task(horizon=24, every="1d")),
    ],
    ids=["ridge", "ridge by another clock", "ensemble"],
)
def test_a_cutoff_alone_says_what_it_says_among_many(recipe: Recipe, task: Task) -> None:
    """Also where the days before are forecast again: another cutoff's day before may be a wanted one here."""
    numbers = [f"q0.{k}" for k in range(1, 10)]
    demand = history(gaps=0.1).select(["north"])
    forecaster = fit(demand.as_of(utc("2024-03-20")), recipe, task).forecaster
    assert forecaster.spec.correction is not None
    cutoffs = pd.date_range(utc("2024-03-19 13:00"), periods=40, freq="12h")
    whole = forecaster.predict(demand, cutoffs).frame
    for cutoff in cutoffs[::6]:
        alone = forecaster.predict(demand, [cutoff]).frame
        among = whole[whole["cutoff"] == cutoff]
        np.testing.assert_allclose(alone[numbers], among[numbers], rtol=1e-5)
    for size in (1, 13):
        part = forecaster.predict(demand, cutoffs, batch=size).frame
        np.testing.assert_allclose(part[numbers], whole[numbers], rtol=1e-5)


@pytest.mark.parametrize("poison", [1e9, np.nan])
def test_a_correction_reads_its_errors_up_to_the_cutoff_and_does_something(ridge: Forecaster, poison: float) -> None:
    demand, cutoff = history().select(["north"]), utc("2024-03-25 07:00")
    frame = demand.to_frame()
    bare = Forecaster(ridge.spec.model_copy(update={"correction": None}), ridge.model)
    said = ridge.predict(demand, [cutoff]).frame
    assert not said.equals(bare.predict(demand, [cutoff]).frame)
    spoiled = frame.copy()
    spoiled.loc[spoiled["ds"] >= cutoff, ["y", "humidity"]] = poison
    other = make_demand(spoiled, zone=ZONE, country="AU-VIC")
    pd.testing.assert_frame_equal(said, ridge.predict(other, [cutoff]).frame, check_exact=True)
    # The model reads nothing that lies further back than its reach, the correction's days included.
    spec, first = ridge.spec, cutoff - ridge.spec.reach(24) * pd.Timedelta("1h")
    old = frame.copy()
    old.loc[old["ds"] < first, ["y", "humidity"]] = 1e9
    pd.testing.assert_frame_equal(
        said, ridge.predict(make_demand(old, zone=ZONE, country="AU-VIC"), [cutoff]).frame, check_exact=True
    )
    assert spec.reach(24) > Forecaster(bare.spec, bare.model).spec.reach(24)


def test_one_series_is_answered_as_among_others(ridge: Forecaster) -> None:
    cutoffs = [utc("2024-03-22"), utc("2024-03-25")]
    among = ridge.predict(history(), cutoffs).frame
    alone = ridge.predict(history().select(["south"]), cutoffs).frame
    south = among[among["unique_id"] == "south"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, south, rtol=1e-9)


def test_a_demand_without_a_country_keeps_the_models_holidays(ridge: Forecaster) -> None:
    cutoff = pd.Timestamp("2024-03-29", tz=ZONE)  # Good Friday
    with_country, without = (ridge.predict(demand, [cutoff]).frame for demand in (
        history(), replace(history(), country=None)))  # fmt: skip
    pd.testing.assert_frame_equal(with_country, without)


@pytest.mark.parametrize("poison", [1e9, np.nan])
def test_no_later_value_moves_a_forecast(ridge: Forecaster, poison: float) -> None:
    frame, cutoff = long_frame(days=80, start="2024-01-20", zone=ZONE), utc("2024-03-22 07:00")
    spoiled = frame.copy()
    spoiled.loc[spoiled["ds"] >= cutoff, ["y", "humidity"]] = poison
    one, other = (ridge.predict(make_demand(f, zone=ZONE), [cutoff]).frame for f in (frame, spoiled))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert EVERYTHING.observed == ("y", "humidity")


def test_what_cannot_be_known_yet_is_no_surprise(ridge: Forecaster) -> None:
    late = make_demand(long_frame(days=80, start="2024-01-20", zone=ZONE, names=["north"]), zone=ZONE, delay="6h")
    assert ridge.predict(late, [utc("2024-03-22 00:10")]).warnings == ()
    stopped = late.as_of(utc("2024-03-21 20:00"))
    (told,) = ridge.predict(stopped, [utc("2024-03-22")]).warnings
    assert "4 of the 168 steps" in told
    assert "2024-03-21T14:00Z to 2024-03-21T17:00Z" in told
