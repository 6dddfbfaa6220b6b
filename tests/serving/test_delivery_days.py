"""A delivery day from its gate over HTTP: exactly its periods, on both change days, and what is refused."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from starlette.testclient import TestClient

from forecast.calendars import gate_cutoff, periods

MELBOURNE, HOWE, LISBON = "Australia/Melbourne", "Australia/Lord_Howe", "Europe/Lisbon"
GATE = "D-1T10:00"
PHASE = pd.Timestamp("2014-01-01T00:00Z")


def from_gate(ask: Any, day: str, zone: str, **more: Any) -> dict[str, Any]:
    """A request for a day from its gate, with all of the table's rows before the day in it."""
    cutoff = gate_cutoff(day, GATE, zone)
    content: dict[str, Any] = ask.body(cutoff, only="east", horizon=48, zones={"east": zone})
    del content["horizon"], content["cutoff"]
    return content | {"delivery_day": day, "gate": GATE} | more


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        ("2014-04-06", MELBOURNE, 25), ("2014-04-05", MELBOURNE, 24), ("2014-03-30", LISBON, 23),
        ("2014-04-06", HOWE, 25), ("2014-04-05", HOWE, 24), ("2014-04-12", "Asia/Kathmandu", 24),
    ],
)  # fmt: skip
def test_a_day_has_its_periods_in_order(client: TestClient, ask: Any, day: str, zone: str, hours: int) -> None:
    said = ask.post(client, from_gate(ask, day, zone))
    assert said["forecasts"][0]["ds"] == ask.z(periods(day, zone, "1h", PHASE))
    assert len(said["forecasts"][0]["ds"]) == hours
    assert said["cutoff"] == ask.z([gate_cutoff(day, GATE, zone)])[0]


def test_a_gate_is_a_cutoff_by_another_name(client: TestClient, ask: Any) -> None:
    content = from_gate(ask, "2014-04-06", MELBOURNE)
    named = {name: value for name, value in content.items() if name != "gate"}
    named["cutoff"] = ask.z([gate_cutoff("2014-04-06", GATE, MELBOURNE)])[0]
    assert ask.said(client, content) == ask.said(client, named)


def test_what_came_after_the_gate_is_not_used(client: TestClient, ask: Any) -> None:
    plainly = ask.post(client, from_gate(ask, "2014-04-16", MELBOURNE))
    later = ask.body(gate_cutoff("2014-04-16", GATE, MELBOURNE) + pd.Timedelta(hours=5), only="east", horizon=48)
    del later["horizon"], later["cutoff"]
    later["series"][0]["history"]["y"][-5:] = [1e9] * 5
    told = ask.post(client, later | {"delivery_day": "2014-04-16", "gate": GATE})
    assert told["forecasts"] == plainly["forecasts"]
    assert "5 values of y became known after the cutoff" in told["warnings"][0]


@pytest.mark.parametrize(
    ("change", "column", "detail"),
    [
        ({"gate": "noon"}, "gate", "string should match pattern"),
        ({"gate": "D-1T25:00"}, "gate", "the gate 'D-1T25:00' cannot be read"),
        ({"gate": "DT06:00"}, "gate", "lies within or after the delivery day"),
        ({"cutoff": "2014-04-04T00:00Z"}, None, "give gate or cutoff, not both"),
        ({"delivery_day": None}, None, "a gate needs the delivery_day"),
        ({"delivery_day": "2014-02-30"}, "delivery_day", "'2014-02-30' is not a date"),
        ({"delivery_day": "1993-08-21", "zone": "Pacific/Kwajalein"}, "delivery_day", "1993-08-21 does not exist in"),
        ({"delivery_day": "2011-12-30", "zone": "Pacific/Apia"}, "delivery_day", "2011-12-30 does not exist in"),
    ],
)
def test_what_is_no_day_or_no_gate_is_refused(
    client: TestClient, ask: Any, change: dict[str, Any], column: str | None, detail: str
) -> None:
    content = from_gate(ask, "2014-04-06", MELBOURNE)
    content["series"][0]["zone"] = change.pop("zone", MELBOURNE) if "zone" in change else MELBOURNE
    problem = ask.refused(client, content | change)
    assert detail in problem["detail"]
    assert problem.get("column") == column


def test_one_gate_at_two_moments_is_refused(client: TestClient, ask: Any) -> None:
    content = ask.body(pd.Timestamp("2014-04-13T00:00Z"), horizon=60, zones={"north": LISBON})
    del content["horizon"], content["cutoff"]
    problem = ask.refused(client, content | {"delivery_day": "2014-04-14", "gate": GATE})
    assert "is at different moments in the zones of the series" in problem["detail"]
    assert problem["column"] == "gate"


def test_models_say_from_which_gate_they_learned(client: TestClient) -> None:
    assert client.get("/v1/models").json()["models"][0]["gate"] is None
