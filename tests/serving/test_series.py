"""What the store holds of a series, and what a forecast of it still needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from starlette.testclient import TestClient

from forecast import clock
from forecast.forecaster import Forecaster
from forecast.settings import Settings
from forecast.store import Batch, Store
from forecast.tables import Columns, SeriesInfo
from serving import create_app
from tests.serving.conftest import COLUMNS, Ask

HOUR = pd.Timedelta("1h")
CUTOFF = pd.Timestamp("2014-04-15T10:00Z")
GAP = (CUTOFF - 30 * HOUR, CUTOFF - 28 * HOUR)


def now() -> str:
    """The present moment as a request has it."""
    return f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
def client(settings: Settings, store_url: str, forecaster: Forecaster, frame: pd.DataFrame) -> Iterator[TestClient]:
    """A store of three series until the cutoff; one has a gap, another no temperature, and a third has a slash."""
    known = frame[frame["ds"] < CUTOFF].drop(columns="size").replace({"west": "west/1 ñ"})
    columns = Columns(past=COLUMNS.past, known=COLUMNS.known)
    known = known[~((known["unique_id"] == "east") & known["ds"].between(*GAP))]
    known.loc[known["unique_id"] == "north", "temperature"] = float("nan")
    infos = [SeriesInfo(unique_id=name, zone="Australia/Melbourne", static={"size": 1.0}) for name in ("east", "north")]
    with Store.open(store_url) as store:
        store.add(Batch(known, columns, tuple(infos)), "test", history=True)
    with TestClient(create_app(settings.model_copy(update={"store": store_url}), forecaster)) as one:
        yield one


def test_series_are_listed_so_many_at_a_time(client: TestClient) -> None:
    first = client.get("/v1/series", params={"limit": 2}).json()
    second = client.get("/v1/series", params={"limit": 2, "after": first["next"]}).json()
    assert [one["unique_id"] for one in first["series"] + second["series"]] == ["east", "north", "west/1 ñ"]
    assert second["next"] is None
    assert first["series"][0] | {"static": {}} == {
        "unique_id": "east", "zone": "Australia/Melbourne", "unit": "MW", "step": "PT60M", "delay": "PT0M",
        "country": None, "parent": None, "capacity": None, "latitude": None, "longitude": None, "static": {},
        "first": "2014-03-01T00:00:00Z", "last": "2014-04-15T09:00:00Z",
    }  # fmt: skip
    assert client.get("/v1/series/west/1 ñ").json()["unique_id"] == "west/1 ñ"
    assert client.get("/v1/series/nobody").status_code == 404


def test_values_are_shown_as_they_are_stored(client: TestClient, frame: pd.DataFrame, ask: Ask) -> None:
    told = client.get("/v1/series/east/observations", params={"first": "2014-04-01T00:00Z", "limit": 5}).json()
    east = frame[(frame["unique_id"] == "east") & (frame["ds"] >= "2014-04-01")].head(5)
    assert told["ds"] == ask.z(east["ds"])
    assert told["columns"]["y"] == east["y"].tolist()
    assert told["columns"]["humidity"] == east["humidity"].tolist()
    assert told["more"] is True
    newest = client.get("/v1/series/east/observations", params={"limit": 2, "columns": "y"}).json()
    assert (newest["ds"][-1], set(newest["columns"])) == ("2014-04-15T09:00:00Z", {"y"})
    early = client.get("/v1/series/east/observations", params={"as_of": "2014-04-02T00:00Z", "columns": "y"}).json()
    assert early["ds"][-1] == "2014-04-01T23:00:00Z"
    assert "no column 'wind'" in client.get("/v1/series/east/observations?columns=wind").json()["detail"]


def test_requirements_name_what_is_missing(client: TestClient, forecaster: Forecaster, ask: Ask) -> None:
    told = client.get("/v1/series/east/requirements", params={"horizon": 24}).json()
    columns = {one["name"]: one for one in told["columns"]}
    assert told["cutoff"] == ask.z([CUTOFF])[0]
    y, temperature = columns["y"], columns["temperature"]
    gap = {"first": ask.z([GAP[0]])[0], "last": ask.z([GAP[1]])[0]}
    assert (y["role"], y["last"], y["missing_ranges"]) == ("target", ask.z([CUTOFF - HOUR])[0], [gap])
    ahead = {"first": ask.z([CUTOFF])[0], "last": ask.z([CUTOFF + 23 * HOUR])[0]}
    assert temperature["missing_ranges"] == [gap, ahead]
    assert (temperature["role"], temperature["missing"]) == ("known ahead", 3 + 24)
    assert y["periods"] == temperature["periods"] - 24 == forecaster.spec.reach(24)


def test_requirements_and_models_tell_one_truth(client: TestClient) -> None:
    (info,) = client.get("/v1/models").json()["models"]
    told = client.get("/v1/series/east/requirements").json()
    (y,) = [one for one in told["columns"] if one["name"] == "y"]
    assert y["periods"] == info["needs"]["history_steps"]
    longer = client.get("/v1/series/east/requirements", params={"horizon": info["horizon"] + 48}).json()
    assert longer["columns"][0]["periods"] - y["periods"] in (0, 48)


def test_what_was_named_as_missing_is_all_that_was_missing(client: TestClient, ask: Ask) -> None:
    """With the ranges filled, the forecast warns of nothing."""
    before = ask.post(client, {"series": [{"unique_id": "east"}], "horizon": 24, "store": False})["warnings"]
    needs = client.get("/v1/series/east/requirements", params={"horizon": 24}).json()["columns"]
    for one in needs:
        for span in one["missing_ranges"]:
            ds = ask.z(pd.date_range(span["first"], span["last"], freq="h"))
            part = "future" if one["role"] == "known ahead" else "history"
            body = {"unique_id": "east", part: {"ds": ds, one["name"]: [5.0] * len(ds)}}
            assert client.post("/v1/observations", json={"series": [body]}).status_code == 200
    after = client.get("/v1/series/east/requirements", params={"horizon": 24, "as_of": now()}).json()
    assert [one["missing"] for one in after["columns"]] == [0, 0, 0]
    question = {"series": [{"unique_id": "east"}], "horizon": 24, "store": False}
    warnings = ask.post(client, {**question, "cutoff": needs and "2014-04-15T10:00Z", "as_of": now()})
    assert any("misses 24 of 24" in one for one in before)
    assert not any("misses 24 of 24" in one for one in warnings["warnings"])


def test_requirements_of_a_day_and_as_of_a_moment(client: TestClient) -> None:
    day = {"delivery_day": "2014-04-15", "gate": "D-1T10:00"}
    told = client.get("/v1/series/north/requirements", params=day).json()
    assert (told["cutoff"], told["as_of"]) == ("2014-04-14T00:00:00Z", "2014-04-14T00:00:00Z")
    columns = {one["name"]: one for one in told["columns"]}
    assert columns["temperature"]["missing"] == columns["temperature"]["periods"]
    assert columns["temperature"]["last"] == "2014-04-15T13:00:00Z"
    early = client.get("/v1/series/north/requirements", params={"as_of": "2014-04-10T05:30Z"}).json()
    assert early["cutoff"] == "2014-04-10T05:00:00Z"
    slash = client.get("/v1/series/west/1 ñ/requirements").json()
    assert slash["static_missing"] == ["size"]


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("/v1/series", {"limit": 0}),
    ("/v1/series", {"limit": 10**6}),
    ("/v1/series/east/observations", {"first": "x"}),
    ("/v1/series/east/observations", {"limit": 10**9}),
    ("/v1/series/east/requirements", {"horizon": 10**6}),
    ("/v1/series/east/requirements", {"gate": "D-1T10:00"}),
    ("/v1/series/east/requirements", {"delivery_day": "2014-02-30"}),
    ("/v1/forecasts", {}),
    ("/v1/series", {"after": "a\x00"}),
    ("/v1/series/a%00", {}),
    ("/v1/series/a%09b", {}),
    ("/v1/series/a%00/observations", {}),
    ("/v1/series/a%00/requirements", {}),
    ("/v1/series/a%7F/skill", {}),
    ("/v1/forecasts/%00", {}),
    ("/v1/forecasts", {"series": "ea\x00st"}),
    ("/v1/forecasts", {"series": "east", "limit": 10**6}),
]


def test_wrong_parameters_are_named(client: TestClient) -> None:
    for path, parameters in WRONG:
        answer = client.get(path, params=parameters)
        assert answer.status_code == 422, (path, parameters, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_series_that_is_not_there_is_not_found(client: TestClient, forecaster: Forecaster) -> None:
    """The same at every address, whether it stands there or in the body."""
    for path in ("series/nobody", "series/nobody/observations", "series/nobody/requirements", "series/nobody/skill",
                 "forecasts?series=nobody"):  # fmt: skip
        answer = client.get(f"/v1/{path}")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-series"), path
        assert "no series 'nobody'" in answer.json()["detail"]
        assert answer.json()["series"] == "nobody"
    question = {"series": [{"unique_id": "east"}, {"unique_id": "nobody"}]}
    infer = {"inputs": [{"name": "unique_id", "datatype": "BYTES", "shape": [1], "data": ["nobody"]}]}
    for path, body in (("v1/forecasts", question), (f"v2/models/{forecaster.spec.name}/infer", infer)):
        answer = client.post(f"/{path}", json=body)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-series"), (path, answer.text)
        assert answer.json()["series"] == "nobody"
    assert client.get("/problems/no-series").status_code == 200


def test_what_will_be_known_later_is_not_asked(client: TestClient, ask: Ask) -> None:
    problem = client.get("/v1/series/east/requirements", params={"as_of": "2099-01-01T00:00Z"})
    assert problem.status_code == 422
    question = {"series": [{"unique_id": "east"}], "horizon": 24, "store": False}
    for told in (problem.json(), ask.refused(client, {**question, "as_of": "2099-01-01T00:00Z"})):
        assert (told["type"], told["column"]) == ("/problems/request", "as_of")
        assert "as_of is 2099-01-01T00:00:00Z, which has not come yet" in told["detail"]
    ask.post(client, {**question, "as_of": now()})
