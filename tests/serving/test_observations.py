"""What is posted is stored once, with the moment at which it became known, in SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from forecast import clock
from forecast.forecaster import Forecaster
from forecast.settings import Settings
from forecast.store import Store, catalogue
from serving import create_app
from tests.serving.conftest import Ask

CUTOFF = pd.Timestamp("2014-04-15T10:00Z")
HOUR = pd.Timedelta("1h")


@pytest.fixture
def client(settings: Settings, store_url: str, forecaster: Forecaster) -> Iterator[TestClient]:
    with TestClient(create_app(settings.model_copy(update={"store": store_url}), forecaster)) as one:
        yield one


def rows(frame: pd.DataFrame, ask: Ask, days: int = 46) -> dict[str, Any]:
    """The history of one series as it is posted."""
    past = frame[(frame["unique_id"] == "east") & (frame["ds"] < CUTOFF)].tail(24 * days)
    ahead = frame[(frame["unique_id"] == "east") & (frame["ds"] >= CUTOFF)].head(27)
    history = {"ds": ask.z(past["ds"])} | {name: past[name].tolist() for name in ("y", "humidity", "temperature")}
    return {
        "series": [
            {
                "unique_id": "east", "zone": "Australia/Melbourne", "unit": "MW", "static": {"size": 1.0},
                "history": history, "future": {"ds": ask.z(ahead["ds"]), "temperature": ahead["temperature"].tolist()},
            }
        ]
    }  # fmt: skip


def post(client: TestClient, body: Any, status: int = 200, **headers: str) -> dict[str, Any]:
    answer = client.post("/v1/observations", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_what_was_posted_is_forecast_from_like_history_in_the_body(
    client: TestClient, frame: pd.DataFrame, ask: Ask
) -> None:
    told = post(client, rows(frame, ask))
    assert told["new"] == told["rows"] == 3 * len(frame[(frame["unique_id"] == "east") & (frame["ds"] < CUTOFF)]) + 27
    question = {"series": [{"unique_id": "east"}], "horizon": 24, "store": False}
    stored = ask.post(client, question)
    sent = ask.post(client, {**ask.body(CUTOFF, only="east", days=46), "store": False})
    assert stored["forecasts"] == sent["forecasts"]
    again = post(client, rows(frame, ask))
    assert (again["new"], again["revised"], again["unchanged"]) == (0, 0, told["rows"])


def test_a_revision_counts_from_when_it_came_and_is_seen_at_once(
    client: TestClient, frame: pd.DataFrame, ask: Ask
) -> None:
    post(client, rows(frame, ask))
    question = {"series": [{"unique_id": "east"}], "store": False}
    before = ask.post(client, question)
    changed = {"unique_id": "east", "history": {"ds": [ask.z([CUTOFF - HOUR])[0]], "y": [40.0]}}
    assert post(client, {"series": [changed]})["revised"] == 1
    after = ask.post(client, {**question, "cutoff": before["cutoff"], "as_of": f"{clock.now():%Y-%m-%dT%H:%MZ}"})
    assert after["forecasts"] == before["forecasts"], "at the cutoff the correction was not known"
    shown = client.get("/v1/series/east/observations", params={"limit": 3, "columns": "y"}).json()
    assert shown["columns"]["y"][shown["ds"].index(ask.z([CUTOFF - HOUR])[0])] == 40.0


def test_a_key_has_one_answer(client: TestClient, frame: pd.DataFrame, ask: Ask) -> None:
    body = rows(frame, ask, days=2)
    first = post(client, body, **{"Idempotency-Key": "k1"})
    assert first["new"] > 0
    assert post(client, body, **{"Idempotency-Key": "k1"}) == first
    other = {"series": [{"unique_id": "east", "history": {"ds": ["2014-01-01T00:00Z"], "y": [1.0]}}]}
    problem = post(client, other, 409, **{"Idempotency-Key": "k1"})
    assert problem["type"] == "/problems/conflict"
    assert post(client, other, **{"Idempotency-Key": "k2"})["new"] == 1
    assert post(client, body, **{"Idempotency-Key": "k3"})["unchanged"] == first["rows"]


def test_csv_says_the_same_as_json(client: TestClient, frame: pd.DataFrame, ask: Ask) -> None:
    body = rows(frame, ask, days=3)
    del body["series"][0]["future"]
    told = post(client, {**body, "known": ["temperature"]})
    history = body["series"][0]["history"]
    lines = zip(history["ds"], history["y"], history["humidity"], history["temperature"], strict=True)
    text = "unique_id,ds,y,humidity,temperature\n" + "".join(f"east,{ds},{y!r},{h!r},{t!r}\n" for ds, y, h, t in lines)
    answer = client.post("/v1/observations?known=temperature", content=text, headers={"content-type": "text/csv"})
    assert answer.json() == {"rows": told["rows"], "new": 0, "revised": 0, "unchanged": told["rows"], "late": 0}


def test_each_issue_of_a_weather_forecast_is_kept(client: TestClient, store_url: str, ask: Ask) -> None:
    stamps = pd.date_range("2014-04-15T00:00Z", periods=24, freq="h")
    history = {"start": "2014-04-10T00:00Z", "step": "PT1H", "y": list(np.arange(100.0))}
    for number, issued in enumerate(("2014-04-14T00:00Z", "2014-04-14T12:00Z")):
        future = {"ds": ask.z(stamps), "temperature": [float(number)] * 24, "available_at": [issued] * 24}
        post(client, {"series": [{"unique_id": "town", "history": history, "future": future}]})
    with Store.open(store_url) as store:
        early = store.demand(as_of="2014-04-14T06:00Z").to_frame().set_index("ds")["temperature"]
        late = store.demand(as_of="2014-04-14T12:00Z").to_frame().set_index("ds")["temperature"]
    assert (early[stamps] == 0).all()
    assert (late[stamps] == 1).all()


HISTORY = {"ds": ["2014-01-01T00:00Z", "2014-01-01T01:00Z"], "y": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"history": {**HISTORY, "y": [1.0]}}, "1 values beside 2 stamps"),
        ({"history": {**HISTORY, "ds": ["2014-01-01T00:00", "2014-01-01T01:00"]}}, "no zone"),
        ({"history": {**HISTORY, "ds": ["2101-01-01T00:00Z", "2101-01-01T01:00Z"]}}, "stamped in the future"),
        ({"history": HISTORY, "unit": "kWh"}, "the store holds it in"),
        ({"history": HISTORY, "zone": "Mars/Olympus"}, "zone 'Mars/Olympus' is not known"),
        ({"history": HISTORY, "future": HISTORY}, "`y` is known ahead"),
        ({"history": {**HISTORY, "a\nb": [1.0, 2.0]}}, "a column is called"),
        ({"history": {**HISTORY, "ds": ["2014-01-01T00:30Z", "2014-01-01T01:30Z"]}}, ""),
        ({"history": {**HISTORY, "y": [1.0, "x"]}}, "not numbers"),
        ({"history": HISTORY, "delay": "-6h"}, "a value cannot be known before its period ended"),
        ({"history": HISTORY, "step": "P1M"}, "in months or years"),
        ({"history": HISTORY, "step": "0h"}, "step is 0h"),
        ({"history": {"start": "2014-01-01T00:00Z", "step": "P1M", "y": [1.0]}}, "step 'P1M' is no length"),
        ({"history": HISTORY, "zone": "days:Europe/Lisbon"}, "such as Europe/Lisbon"),
        ({"history": HISTORY, "unique_id": "\x00"}, "a name holds a control character"),
        ({"history": HISTORY, "unique_id": "a\nb"}, "a name holds a control character"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(
    settings: Settings, plain: Forecaster, tmp_path_factory: pytest.TempPathFactory, change: Any, words: str
) -> None:
    url = f"sqlite:///{tmp_path_factory.getbasetemp()}/wrong.db"
    with TestClient(create_app(settings.model_copy(update={"store": url}), plain)) as client:
        post(client, {"series": [{"unique_id": "a", "history": HISTORY}]})
        problem = post(client, {"series": [{"unique_id": "a", **change}, {"unique_id": "b", "history": HISTORY}]}, 422)
        assert words in problem["detail"]
        assert client.get("/v1/series/b").status_code == 404


def test_csv_that_is_wrong_is_named(settings: Settings, plain: Forecaster, tmp_path: Any) -> None:
    cases = {
        "": "the header is empty", "ds,y\n": "the header is ds, y", "unique_id,ds,y\na,2014-01-01T00:00Z\n": "1 lines",
        "unique_id,ds,y\na,2014-01-01T00:00Z,nan\n": "line 2: 'nan'", "unique_id,ds,y,y\n": "each once",
        "unique_id,ds,y\na,2014-01-01,1\n": "no zone",
        "unique_id,ds,y\na\0,2014-01-01T00:00Z,1\n": "control characters",
        "unique_id,ds,y\n,2014-01-01T00:00Z,1\n": "empty",
        "unique_id,ds,y\na,2014-01-01T00:00Z,1\na,2014-01-01T00:00Z,2\n": "1 stamps occur twice, with",
    }  # fmt: skip
    url = f"sqlite:///{tmp_path}/csv.db"
    with TestClient(create_app(settings.model_copy(update={"store": url}), plain)) as client:
        for text, words in cases.items():
            answer = client.post("/v1/observations", content=text, headers={"content-type": "text/csv"})
            assert answer.status_code == 422, answer.text
            assert words in answer.json()["detail"]
        assert client.post("/v1/observations", content=b"\xff", headers={"content-type": "text/csv"}).status_code == 422
        assert client.post("/v1/observations", content=b"x", headers={"content-type": "text/xml"}).status_code == 415


AT = ["2014-01-01T00:00Z", "2014-01-01T00:00Z", "2014-01-01T01:00Z"]


@pytest.mark.parametrize(
    "parts",
    [
        [{"history": {"ds": AT, "y": [1.0, 2.0, 3.0]}}],
        [{"history": {"ds": AT[1:], "y": [1.0, 3.0]}}, {"history": {"ds": AT[1:], "y": [2.0, 3.0]}}],
        [{"history": {"ds": AT, "y": [1.0, 2.0, 3.0], "available_at": ["2014-01-02T00:00Z"] * 3}}],
    ],
)
def test_two_numbers_for_one_period_are_refused(client: TestClient, parts: list[Any]) -> None:
    other = {"unique_id": "b", "history": HISTORY}
    problem = post(client, {"series": [other, *({"unique_id": "a", **one} for one in parts)]}, 422)
    assert (problem["type"], problem["series"], problem["column"]) == ("/problems/data", "a", "ds")
    assert problem["stamps"] == ["2014-01-01T00:00Z"]
    assert "1 stamps occur twice" in problem["detail"]
    assert client.get("/v1/series/b").status_code == 404


def test_the_same_number_twice_and_a_correction_are_no_contradiction(client: TestClient) -> None:
    twice = {"ds": AT, "y": [1.0, 1.0, 3.0], "humidity": [None, 5.0, None]}
    told = post(client, {"series": [{"unique_id": "a", "history": twice}]})
    assert (told["new"], told["unchanged"]) == (3, 1)
    issues = [None, "2014-02-01T00:00Z", None]
    corrected = {"ds": AT, "y": [1.0, 2.0, 3.0], "available_at": issues}
    assert post(client, {"series": [{"unique_id": "a", "history": corrected}]})["revised"] == 1


def test_a_new_meter_begins_with_one_value(client: TestClient) -> None:
    first = {"start": "2014-01-01T00:00Z", "step": "PT1H", "y": [1.0]}
    assert post(client, {"series": [{"unique_id": "a", "history": first}]})["new"] == 1
    assert client.get("/v1/series/a").json()["step"] == "PT60M"
    problem = post(client, {"series": [{"unique_id": "b", "history": {"ds": AT[:1], "y": [1.0]}}]}, 422)
    assert "nothing tells the frequency" in problem["detail"]


LISBON = "Europe/Lisbon"


def midnights(first: str, days: int) -> list[str]:
    found = pd.date_range(first, periods=days, freq="D", tz=LISBON).tz_convert("UTC")
    return [f"{one:%Y-%m-%dT%H:%MZ}" for one in found]


def test_daily_values_of_a_zone_with_summer_time_are_kept_by_civil_days(client: TestClient, store_url: str) -> None:
    ds = midnights("2014-03-25", 10)
    days = {"unique_id": "a", "zone": LISBON, "history": {"ds": ds, "y": list(map(float, range(10)))}}
    assert post(client, {"series": [days]})["new"] == 10
    assert post(client, {"series": [days]})["unchanged"] == 10
    more = {"start": midnights("2014-10-20", 1)[0], "step": "P1D", "y": [5.0] * 10}
    assert post(client, {"series": [{"unique_id": "a", "zone": LISBON, "history": more}]})["new"] == 10
    counted = {"unique_id": "b", "zone": LISBON, "history": {"start": ds[0], "step": "P1D", "y": [5.0] * 10}}
    assert post(client, {"series": [counted]})["new"] == 10
    one = {"unique_id": "c", "zone": LISBON, "step": "P1D", "history": {"ds": ds[:1], "y": [5.0]}}
    assert post(client, {"series": [one]})["new"] == 1
    with Store.open(store_url) as store, store.snapshot() as connection:
        kept = {name: one.info.zone for name, one in catalogue.entries(connection).items()}
    assert kept == dict.fromkeys("abc", f"days:{LISBON}")
    for name in "ab":
        assert client.get(f"/v1/series/{name}/observations?first={ds[0]}&limit=10").json()["ds"] == [
            f"{stamp[:-1]}:00Z" for stamp in ds
        ]
    listed = client.get("/v1/series")
    assert {one["zone"] for one in listed.json()["series"]} == {LISBON}
    other = post(client, {"series": [{**days, "zone": "Europe/Berlin"}]}, 422)
    assert "the store counts its civil days in Europe/Lisbon" in other["detail"]
    odd = {"unique_id": "a", "history": {"ds": [ds[0], ds[0]], "y": [1.0, 2.0]}}
    assert post(client, {"series": [odd]}, 422)["stamps"] == [ds[0]]
    assert "days:" not in listed.text + str(other)


def test_csv_opens_a_daily_series_of_a_zone(client: TestClient, store_url: str) -> None:
    ds = midnights("2014-03-25", 10)
    rows = [f"{name},{stamp},{day}.5,{stamp}" for name in "ab" for day, stamp in enumerate([*ds[1:], ds[0]])]
    text = "\n".join(["unique_id,ds,y,available_at", *rows])
    sent = {"content": text, "headers": {"content-type": "text/csv"}, "params": {"zone": LISBON, "unit": "kW"}}
    told = client.post("/v1/observations", **sent).json()
    assert (told["new"], client.post("/v1/observations", **sent).json()["unchanged"]) == (20, 20)
    with Store.open(store_url) as store, store.snapshot() as connection:
        kept = {name: one.info for name, one in catalogue.entries(connection).items()}
    assert {one.zone for one in kept.values()} == {f"days:{LISBON}"}
    assert {str(one.unit) for one in kept.values()} == {"kW"}
    shown = client.get(f"/v1/series/a/observations?first={ds[0]}").json()
    assert shown["ds"] == [f"{stamp[:-1]}:00Z" for stamp in ds]
    assert shown["columns"]["y"] == [9.5, *(day + 0.5 for day in range(9))]
    one = f"unique_id,ds,y\nc,{ds[0]},1"
    alone = client.post("/v1/observations", **{**sent, "content": one, "params": {"zone": LISBON, "step": "P1D"}})
    assert (alone.status_code, client.get("/v1/series/c").json()["step"]) == (200, "P1D")
    later = f"unique_id,ds,y\nc,{ds[1]},1"
    assert client.post("/v1/observations", content=later, headers=sent["headers"]).json()["new"] == 1


@pytest.mark.parametrize("params", [{"zone": "Europe/Lisboa"}, {"unit": "TW"}, {"step": "soon"}, {"zone": "days:UTC"}])
def test_what_the_address_says_of_csv_is_checked(client: TestClient, params: dict[str, str]) -> None:
    sent = {"content": "unique_id,ds,y\na,2014-01-01T00:00Z,1", "headers": {"content-type": "text/csv"}}
    problem = client.post("/v1/observations", params=params, **sent)
    assert problem.status_code == 422, problem.text
    body = {"series": [{"unique_id": "a", "history": {"ds": AT[:2], "y": [1.0, 2.0]}}]}
    misplaced = client.post("/v1/observations", params=params, json=body).json()
    assert misplaced["column"] == next(iter(params))
    assert "in the body of JSON" in misplaced["detail"]
