"""`POST /v1/forecasts`: what is answered, and what it says about itself."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from forecast.forecaster import Forecaster

TRAINED_UNTIL = pd.Timestamp("2014-04-10T00:00Z")
CUTOFF = TRAINED_UNTIL + pd.Timedelta(days=3)


def of_the_request(said: dict[str, Any]) -> list[str]:
    """The warnings but the one that the other series of the training are missing."""
    return [one for one in said["warnings"] if "learned together" not in one]


def test_the_answer_says_who_made_it_and_from_when(client: TestClient, ask: Any) -> None:
    said = ask.post(client, ask.body(CUTOFF))
    assert said["model"] == {"name": "small", "version": None, "run_id": None, "alias": None, "recipe": "small"}
    assert (said["cutoff"], said["unit"], said["warnings"]) == ("2014-04-13T00:00:00Z", "MW", [])
    assert said["quantiles"] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert [one["unique_id"] for one in said["forecasts"]] == ["east", "north", "west"]
    one = said["forecasts"][0]
    assert one["ds"] == ask.z(pd.date_range(CUTOFF, periods=24, freq="1h"))
    assert list(one["quantiles"]) == [f"q{level:g}" for level in said["quantiles"]]
    assert all(len(values) == 24 for values in [one["mean"], *one["quantiles"].values()])


def test_series_come_back_in_the_order_they_were_sent(client: TestClient, ask: Any) -> None:
    asked = ask.body(CUTOFF)
    straight = ask.post(client, asked)
    asked["series"].reverse()
    turned = ask.post(client, asked)
    assert [one["unique_id"] for one in turned["forecasts"]] == ["west", "north", "east"]
    assert turned["forecasts"] == straight["forecasts"][::-1]


def test_only_the_wanted_levels(client: TestClient, ask: Any) -> None:
    full = ask.post(client, ask.body(CUTOFF))
    some = ask.post(client, ask.body(CUTOFF) | {"quantiles": [0.9, 0.1]})
    assert some["quantiles"] == [0.1, 0.9]
    assert some["forecasts"][0]["quantiles"] == {
        name: full["forecasts"][0]["quantiles"][name] for name in ("q0.1", "q0.9")
    }


def test_counted_history_is_the_same_as_written_out(client: TestClient, ask: Any) -> None:
    asked = ask.body(CUTOFF)
    counted = copy.deepcopy(asked)
    for one in counted["series"]:
        for part in ("history", "future"):
            one[part] = {"start": one[part].pop("ds")[0], "step": "60min", **one[part]}
    assert ask.said(client, counted) == ask.said(client, asked)


def test_offsets_and_utc_are_the_same_moments(client: TestClient, ask: Any) -> None:
    asked = ask.body(CUTOFF)
    moved = copy.deepcopy(asked)
    for one in moved["series"]:
        for part in ("history", "future"):
            local = pd.DatetimeIndex(one[part]["ds"]).tz_convert("Australia/Melbourne")
            one[part]["ds"] = [stamp.isoformat() for stamp in local]
    assert any("+11:00" in stamp for stamp in moved["series"][0]["history"]["ds"])
    assert any("+10:00" in stamp for stamp in moved["series"][0]["history"]["ds"])
    assert ask.said(client, moved) == ask.said(client, asked)


def test_without_a_cutoff_the_forecast_begins_after_the_last_known_value(client: TestClient, ask: Any) -> None:
    asked = ask.body(CUTOFF)
    late = copy.deepcopy(asked)
    del late["cutoff"], late["horizon"]
    assert ask.said(client, late) == ask.said(client, asked)
    late["series"][0]["history"]["y"][-2:] = [None, None]
    assert ask.post(client, late)["cutoff"] == "2014-04-13T00:00:00Z", "the newest of the three series counts"


def test_values_after_the_cutoff_change_nothing_and_are_named(client: TestClient, ask: Any) -> None:
    asked = ask.body(CUTOFF)
    plainly = ask.post(client, asked)
    later = ask.body(CUTOFF + pd.Timedelta(hours=5)) | {"cutoff": asked["cutoff"]}
    for one in later["series"]:
        one["history"]["y"][-5:] = [1e9] * 5
        one["history"]["humidity"][-5:] = [1e9] * 5
    told = ask.post(client, later)
    assert told["forecasts"] == plainly["forecasts"]
    assert told["warnings"][0] == (
        "series 'east': 5 values of y became known after the cutoff (2014-04-13T00:00Z to 2014-04-13T04:00Z) and were "
        "not used"
    )


def test_a_value_that_arrived_late_is_not_used_before(client: TestClient, ask: Any) -> None:
    asked = ask.body(CUTOFF)
    without = copy.deepcopy(asked)
    for one in asked["series"]:
        rows = len(one["history"]["y"])
        one["history"]["available_at"] = [None] * (rows - 3) + ["2014-04-13T00:00:01Z"] * 3
    for one in without["series"]:
        one["history"]["y"][-3:] = [None] * 3
        one["history"]["humidity"][-3:] = [None] * 3
    told, expected = ask.post(client, asked), ask.post(client, without)
    assert told["forecasts"] == expected["forecasts"]
    assert "3 values of y became known after the cutoff" in told["warnings"][0]


def test_energy_is_answered_as_energy(plain_client: TestClient, ask: Any) -> None:
    y = [1.0 + (row % 48) / 48 for row in range(48 * 10)]
    history = {"start": "2014-06-01T00:00:00+10:00", "step": "PT30M", "y": y}
    power = ask.post(plain_client, {"series": [{"unique_id": "town", "history": history}]})
    assert (power["unit"], power["model"]["recipe"]) == ("GW", "last-week")
    assert power["forecasts"][0]["quantiles"]["q0.5"] == pytest.approx(y[:48], rel=1e-6), "a week before"


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        ("2014-04-06", "Australia/Melbourne", 25),
        ("2014-04-05", "Australia/Melbourne", 24),
        ("2014-03-30", "Europe/Lisbon", 23),
    ],
)
def test_a_delivery_day_has_the_hours_of_its_zone(
    client: TestClient, ask: Any, day: str, zone: str, hours: int
) -> None:
    begin = pd.Timestamp(day, tz=zone)
    cutoff = (begin - pd.Timedelta(hours=14)).tz_convert("UTC")
    asked = ask.body(cutoff, only="east", horizon=48, zones={"east": zone})
    del asked["horizon"]
    said = ask.post(client, asked | {"delivery_day": day})
    assert said["forecasts"][0]["ds"] == ask.z(pd.date_range(begin, periods=hours, freq="1h").tz_convert("UTC"))


def test_one_delivery_day_in_several_zones(client: TestClient, ask: Any) -> None:
    asked = ask.body(CUTOFF, horizon=72, zones={"north": "Europe/Lisbon"})
    del asked["horizon"]
    said = ask.post(client, asked | {"delivery_day": "2014-04-14"})
    first = {one["unique_id"]: one["ds"][0] for one in said["forecasts"]}
    assert first == {
        "east": "2014-04-13T14:00:00Z", "north": "2014-04-13T23:00:00Z", "west": "2014-04-13T14:00:00Z",
    }  # fmt: skip


def test_a_day_that_has_begun_is_forecast_from_the_cutoff(client: TestClient, ask: Any) -> None:
    asked = ask.body(CUTOFF, only="east")
    del asked["horizon"]
    said = ask.post(client, asked | {"delivery_day": "2014-04-13"})
    assert said["forecasts"][0]["ds"][0] == "2014-04-13T00:00:00Z"
    assert len(said["forecasts"][0]["ds"]) == 14
    assert "began at 2014-04-12T14:00:00Z, before the cutoff" in " ".join(said["warnings"])


def test_short_history_is_padded_and_the_missing_stamps_named(client: TestClient, ask: Any) -> None:
    said = ask.post(client, ask.body(CUTOFF, only="east", days=1))
    assert of_the_request(said) == [
        "series 'east': 24 of the 48 steps of context have no known y (2014-04-11T00:00Z to 2014-04-11T23:00Z); they "
        "are padded and masked",
        "series 'east': too many of its values are missing; the bands are wider",
    ]


def test_a_single_value_is_enough(client: TestClient, ask: Any) -> None:
    asked = ask.body(CUTOFF, only="east", days=1)
    history = asked["series"][0]["history"]
    asked["series"][0]["history"] = {name: values[-1:] for name, values in history.items()}
    assert np.isfinite(ask.post(client, asked)["forecasts"][0]["mean"]).all()


def test_a_constant_series_is_answered_with_a_warning(client: TestClient, ask: Any) -> None:
    asked = ask.body(CUTOFF, only="east")
    asked["series"][0]["history"]["y"] = [42.0] * len(asked["series"][0]["history"]["y"])
    said = ask.post(client, asked)
    assert said["forecasts"][0]["mean"] == pytest.approx([42] * 24), "what a poor model says of it is not believed"
    constant, unbelieved = of_the_request(said)
    assert constant == "series 'east': the last 48 known values are all 42, as those of a stuck meter would be"
    assert unbelieved.startswith("series 'east': the model's answer lies far from all that is known of it")


def test_columns_that_are_not_read_are_named(client: TestClient, ask: Any) -> None:
    asked = ask.body(CUTOFF)
    plainly = ask.post(client, asked)
    asked["series"][1]["history"]["wind"] = [1.0] * len(asked["series"][1]["history"]["y"])
    told = ask.post(client, asked)
    assert told["warnings"] == ["columns wind are not read by model 'small' and were ignored"]
    assert told["forecasts"] == plainly["forecasts"]


def test_missing_weather_ahead_is_a_warning(client: TestClient, ask: Any) -> None:
    asked = ask.body(CUTOFF, only="east")
    del asked["series"][0]["future"]
    told, wider = of_the_request(ask.post(client, asked))
    assert told.startswith("series 'east': known-ahead column 'temperature' misses 24 of 24 steps")
    assert wider == "series 'east': the weather ahead is missing; the bands are wider"


def test_a_cutoff_within_the_training_span_is_named(client: TestClient, ask: Any) -> None:
    told = ask.post(client, ask.body(TRAINED_UNTIL - pd.Timedelta(hours=1)))["warnings"]
    assert told == [
        "model 'small' was trained on values up to 2014-04-10T00:00:00+00:00, after this cutoff: its error here is no "
        "test of it"
    ]


def test_the_history_that_the_service_says_it_reads_is_all_that_matters(
    client: TestClient, forecaster: Forecaster, ask: Any
) -> None:
    (info,) = client.get("/v1/models").json()["models"]
    steps = info["needs"]["history_steps"]
    assert steps == 9 * 24 + 24 > forecaster.spec.context
    asked = ask.body(CUTOFF, days=40)
    shortened = copy.deepcopy(asked)
    for one in shortened["series"]:
        one["history"] = {name: values[-steps:] for name, values in one["history"].items()}
    assert ask.post(client, shortened)["forecasts"] == ask.post(client, asked)["forecasts"]
    changed: Any = copy.deepcopy(shortened)
    changed["series"][0]["history"]["y"][24] += 5.0
    assert ask.post(client, changed)["forecasts"][0] != ask.post(client, asked)["forecasts"][0]
