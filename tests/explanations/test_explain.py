"""An explanation adds up to the forecast that `predict` makes, and knows nothing that the cutoff did not."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError, NotEnoughHistory, RequestError
from forecast.explanations import explain
from forecast.forecaster import Forecaster
from forecast.recipe import Task
from forecast.recipes import named
from forecast.tables import Demand
from forecast.training import fit
from tests.builders import long_frame, make_demand, utc
from tests.explanations.toys import CUTOFF, RECIPES, Corrected, total


@pytest.mark.parametrize("name", RECIPES)
def test_baseline_and_causes_add_up_to_the_forecast(name: str, fitted: dict[str, Forecaster], north: Demand) -> None:
    explanation = explain(fitted[name], north, CUTOFF)
    said = fitted[name].predict(north, [CUTOFF]).frame
    np.testing.assert_array_equal(explanation.forecast_H, said["q0.5"])
    np.testing.assert_array_equal(explanation.quantiles_HQ[:, 0], said["q0.1"])
    np.testing.assert_allclose(total(explanation), explanation.forecast_H, rtol=1e-9)
    causes = ["calendar", "weather", "inertia", *(["error correction"] if name == "corrected" else [])]
    assert list(explanation.groups) == causes
    assert np.abs(explanation.groups["inertia"]).max() > 0


def test_the_baseline_is_what_the_model_says_for_the_reference_days(
    fitted: dict[str, Forecaster], north: Demand
) -> None:
    explanation = explain(fitted["looking"], north, CUTOFF)
    assert len(explanation.references) == 28
    assert explanation.references[0] == CUTOFF - pd.Timedelta(days=1)
    said = fitted["looking"].predict(north, explanation.references).frame["q0.5"].to_numpy().reshape(28, 24)
    np.testing.assert_allclose(explanation.baseline_H, said.mean(0), rtol=1e-6)


@pytest.mark.parametrize("poison", [1e9, np.nan])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("name", ["looking", "ridge"])
def test_rows_after_the_cutoff_change_nothing(
    name: str, late: bool, poison: float, fitted: dict[str, Forecaster]
) -> None:
    clean = long_frame(days=60, names=("north",), late=late)
    known_at = clean["available_at"] if late else clean["ds"] + pd.Timedelta("1h")
    dirty = clean.copy()
    dirty.loc[known_at > CUTOFF, ["y", "humidity"]] = poison
    assert (known_at > CUTOFF).sum() >= 24
    told = [explain(fitted[name], make_demand(frame), CUTOFF).as_dict() for frame in (clean, dirty)]
    assert json.dumps(told[0]) == json.dumps(told[1])


def test_a_change_before_the_cutoff_does_change_it(fitted: dict[str, Forecaster]) -> None:
    clean = long_frame(days=60, names=("north",))
    dirty = clean.copy()
    dirty.loc[clean["ds"] == CUTOFF - pd.Timedelta("1h"), "y"] += 100
    told = [explain(fitted["looking"], make_demand(frame), CUTOFF).as_dict() for frame in (clean, dirty)]
    assert told[0]["attribution"] != told[1]["attribution"]


def test_it_is_plain_json(fitted: dict[str, Forecaster], north: Demand) -> None:
    explanation = explain(fitted["looking"], north, CUTOFF, horizon=6)
    told = json.loads(json.dumps(explanation.as_dict(), allow_nan=False))
    assert told["forecast"] == explanation.forecast_H.tolist()
    assert told["cutoff"] == "2024-03-15T06:00:00+00:00"
    assert told["lead_hours"] == [0, 1, 2, 3, 4, 5]
    assert len(told["attribution"]["groups"]["weather"]) == len(told["attention"]["weights"]) == 6
    assert len(told["similar"]["days"]) == 5
    frame = explanation.frame()
    assert list(frame.columns) == ["lead_hours", "ds", "baseline", "calendar", "weather", "inertia", "forecast"]


@pytest.mark.parametrize(
    ("blank", "said"),
    [
        ((), {}),
        (("temperature",), {"weather": "not given"}),
        (("holiday",), {"calendar": "partly not given"}),
        (("temperature", "holiday"), {"weather": "not given", "calendar": "partly not given"}),
    ],
)
def test_what_is_not_given_ahead_is_said_beside_its_share(
    blank: tuple[str, ...], said: dict[str, str], fitted: dict[str, Forecaster]
) -> None:
    frame = long_frame(days=60, names=("north",))
    frame.loc[frame["ds"] >= CUTOFF, list(blank)] = np.nan
    explanation = explain(fitted["ridge"], make_demand(frame), CUTOFF)
    assert explanation.not_given == said
    assert json.loads(json.dumps(explanation.as_dict()))["attribution"]["not_given"] == said
    assert explanation.label("weather") == ("weather (not given)" if "weather" in said else "weather")
    assert explanation.label("inertia") == "inertia"
    assert list(explanation.groups) == ["calendar", "weather", "inertia"]


def test_weather_that_is_given_for_some_steps_is_partly_not_given(fitted: dict[str, Forecaster]) -> None:
    frame = long_frame(days=60, names=("north",))
    frame.loc[frame["ds"] >= CUTOFF + pd.Timedelta("20h"), "temperature"] = np.nan
    told = make_demand(frame)
    assert explain(fitted["ridge"], told, CUTOFF).label("weather") == "weather (partly not given)"
    assert explain(fitted["ridge"], told, CUTOFF, horizon=20).label("weather") == "weather"


def test_energy_is_explained_in_the_sources_unit(fitted: dict[str, Forecaster]) -> None:
    frame = long_frame(days=40, names=("north",), freq="30min")
    ridge = {
        unit: fit(make_demand(frame, unit=unit), named("ridge"), Task(horizon=8)).forecaster for unit in ("MW", "MWh")
    }
    power, energy = (explain(one, make_demand(frame, unit=unit), utc("2024-02-20")) for unit, one in ridge.items())
    assert (power.unit, energy.unit) == ("MW", "MWh")
    np.testing.assert_allclose(total(energy), energy.forecast_H, rtol=1e-9)
    np.testing.assert_allclose(energy.similar.days[0].outcome_H, power.similar.days[0].outcome_H, rtol=1e-6)
    # A period's energy is read as its mean power: twice the number, said again as the number.
    np.testing.assert_allclose(energy.baseline_H, power.baseline_H, rtol=1e-4)


def test_what_the_forecaster_adds_to_its_model_is_a_cause_of_its_own(
    fitted: dict[str, Forecaster], north: Demand
) -> None:
    plain = explain(fitted["tiny"], north, CUTOFF)
    corrected = explain(Corrected(fitted["tiny"].spec, fitted["tiny"].model), north, CUTOFF)
    np.testing.assert_allclose(corrected.groups["error correction"], 3.0, rtol=1e-9)
    np.testing.assert_allclose(total(corrected), plain.forecast_H + 3.0, rtol=1e-9)
    np.testing.assert_array_equal(corrected.groups["weather"], plain.groups["weather"])


def test_one_of_several_series_is_named(fitted: dict[str, Forecaster]) -> None:
    both = make_demand(long_frame(days=60))
    with pytest.raises(RequestError, match=r"2 series and none named.*north, south"):
        explain(fitted["looking"], both, CUTOFF)
    with pytest.raises(RequestError, match="no series 'west'"):
        explain(fitted["looking"], both, CUTOFF, unique_id="west")
    south = explain(fitted["looking"], both, CUTOFF, unique_id="south")
    said = fitted["looking"].predict(both, [CUTOFF]).frame
    np.testing.assert_array_equal(south.forecast_H, said.loc[said["unique_id"] == "south", "q0.5"])
    np.testing.assert_allclose(total(south), south.forecast_H, rtol=1e-9)
    day = south.similar.days[0]
    actual = both.by_id["south"].values_TC[:, 0][both.stamps(both.by_id["south"]).get_loc(day.cutoff) :][:24]
    np.testing.assert_allclose(day.outcome_H, actual)


def test_history_too_short_to_hold_a_forecast_against_is_a_sentence(
    fitted: dict[str, Forecaster], north: Demand
) -> None:
    with pytest.raises(NotEnoughHistory, match=r"series 'north'.*no past day of 24 steps"):
        explain(fitted["ridge"], north, utc("2024-01-21T12:00"))
    with pytest.raises(DataError, match="carries no zone"):
        explain(fitted["ridge"], north, pd.Timestamp("2024-03-15"))


def test_the_room_is_entered_without_torch_and_matplotlib() -> None:
    told = "import sys, forecast.explanations; print({'torch', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "set()", done.stderr
