"""Meters without a single value: answered where static columns tell the model their level, refused elsewhere."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

CUTOFF = pd.Timestamp("2014-04-13T00:00Z")
Body = dict[str, Any]


def asked(ask: Any, **sizes: float) -> Body:
    """A request about the temperature of the next day, in which no series has any y."""
    (one,) = ask.body(CUTOFF, only="east", days=3)["series"]
    one["history"]["y"] = [None] * len(one["history"]["ds"])
    series = [
        {**json.loads(json.dumps(one)), "unique_id": name, "static": {"size": size}} for name, size in sizes.items()
    ]
    return {"series": series, "cutoff": ask.z([CUTOFF])[0], "horizon": 24}


def level(said: Body, name: str) -> float:
    (one,) = [one for one in said["forecasts"] if one["unique_id"] == name]
    return float(np.mean(one["quantiles"]["q0.5"]))


def test_levels_follow_the_size(client: TestClient, ask: Any) -> None:
    said = ask.post(client, asked(ask, small=0.4, large=2.5))
    assert level(said, "large") > 2.5 * level(said, "small") > 0
    (told,) = [text for text in said["warnings"] if "the level comes from the static columns (size)" in text]
    assert "'large', 'small'" in told


def test_beside_meters_with_history(client: TestClient, ask: Any) -> None:
    body = ask.body(CUTOFF)
    usual = ask.post(client, body)
    (new,) = asked(ask, new=1.0)["series"]
    said = ask.post(client, {**body, "series": [new, *body["series"]]})
    assert [one["unique_id"] for one in said["forecasts"]] == ["new", "east", "north", "west"]
    assert level(said, "north") == pytest.approx(level(usual, "north"), rel=1e-5)
    del body["cutoff"]
    said = ask.post(client, {**body, "series": [new, *body["series"]]})
    assert said["cutoff"] == "2014-04-13T00:00:00Z", "the others' newest value says from when"


@pytest.mark.parametrize(
    "history",
    [
        {"ds": [], "y": [], "humidity": [], "temperature": []},
        {"start": "2014-04-12T23:00Z", "step": "PT1H", "y": [None], "humidity": [None], "temperature": [None]},
        {"start": "2001-01-01T00:00Z", "step": "PT1H", "y": [None], "humidity": [None], "temperature": [None]},
    ],
    ids=["empty", "one period", "one long ago"],
)
def test_a_history_may_be_as_short_as_one_likes(client: TestClient, ask: Any, history: Body) -> None:
    body = asked(ask, new=1.0)
    usual = ask.post(client, body)
    body["series"][0].update(history=history)
    if history.get("start", "").startswith("2001"):
        del body["series"][0]["future"]
    said = ask.post(client, body)
    assert level(said, "new") == pytest.approx(level(usual, "new"), rel=0.5)
    assert len(said["forecasts"][0]["ds"]) == 24


@pytest.mark.parametrize("cutoff", ["1950-01-01T00:30Z", "2199-12-31T00:00Z"])
def test_a_cutoff_far_from_its_rows_costs_nothing(client: TestClient, ask: Any, cutoff: str) -> None:
    said = ask.post(client, asked(ask, new=1.0) | {"cutoff": cutoff})
    first = pd.Timestamp(said["forecasts"][0]["ds"][0])
    assert first == pd.Timestamp(cutoff).ceil("1h")


def test_a_delivery_day(client: TestClient, ask: Any) -> None:
    body = asked(ask, new=1.0) | {"delivery_day": "2014-04-14"}
    del body["horizon"]
    assert len(ask.post(client, body)["forecasts"][0]["ds"]) == 24


def test_the_cutoff_must_be_told(client: TestClient, ask: Any) -> None:
    body = asked(ask, new=1.0)
    del body["cutoff"]
    problem = ask.refused(client, body)
    assert (problem["type"], problem["column"]) == ("/problems/request", "cutoff")
    assert "no cutoff, and no value of y is known" in problem["detail"]
    assert "Send `cutoff`" in problem["detail"]


@pytest.mark.parametrize(("y", "told"), [([None] * 48, "every value of y is missing"), ([], "the history is empty")])
def test_a_model_without_static_columns_refuses(plain_client: TestClient, ask: Any, y: list[None], told: str) -> None:
    history = {"start": "2014-06-01T00:00:00+10:00", "step": "PT30M", "y": y}
    body = {"series": [{"unique_id": "new", "history": history}], "cutoff": "2014-06-02T00:00Z"}
    problem = ask.refused(plain_client, body)
    assert (problem["type"], problem["series"], problem["column"]) == ("/problems/data", "new", "y")
    assert told in problem["detail"]
    assert "networks trained with static columns and `unseen`" in problem["do"]
