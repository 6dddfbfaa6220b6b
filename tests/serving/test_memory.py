"""Questions whose history the store has: the same answers as with the history in the body, whatever is remembered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from forecast import clock
from forecast.forecaster import Forecaster
from forecast.settings import Settings
from forecast.store import Batch, Store
from forecast.tables import Columns, SeriesInfo
from serving import create_app
from tests.serving.conftest import COLUMNS, Ask

CUTOFF = pd.Timestamp("2014-04-15T10:00Z")
HOUR = pd.Timedelta("1h")
DYNAMIC = Columns(past=COLUMNS.past, known=COLUMNS.known)
ZONE = "Australia/Melbourne"


def batch(frame: pd.DataFrame, **changes: Any) -> Batch:
    """Rows of the three series and what is known of them."""
    sizes = frame.groupby("unique_id")["size"].first()
    infos = [
        SeriesInfo(**{"unique_id": str(name), "zone": ZONE, "static": {"size": float(size)}, **changes})
        for name, size in sizes.items()
    ]
    return Batch(frame.drop(columns="size"), DYNAMIC, tuple(infos))


@pytest.fixture
def store(store_url: str, frame: pd.DataFrame) -> Iterator[Store]:
    with Store.open(store_url) as opened:
        opened.add(batch(frame), "test", history=True)
        yield opened


@pytest.fixture
def client(settings: Settings, store_url: str, store: Store, forecaster: Forecaster) -> Iterator[TestClient]:
    """A service whose store holds the three series."""
    with TestClient(create_app(settings.model_copy(update={"store": store_url}), forecaster)) as one:
        yield one


def asked(*names: str, **more: Any) -> dict[str, Any]:
    return {"series": [{"unique_id": name} for name in names or ("north", "east", "west")], "store": False, **more}


def numbers(answer: dict[str, Any]) -> list[Any]:
    return [(one["unique_id"], one["ds"], one["mean"], one["quantiles"]) for one in answer["forecasts"]]


def test_bit_for_bit_what_the_same_history_in_the_body_gives(client: TestClient, ask: Ask) -> None:
    with_history = ask.post(client, {**ask.body(CUTOFF, days=46), "store": False})
    from_store = ask.post(client, asked("east", "north", "west", cutoff="2014-04-15T10:00Z", horizon=24))
    assert numbers(from_store) == numbers(with_history)
    assert from_store["warnings"] == with_history["warnings"]


def test_bit_for_bit_what_the_forecaster_says_of_the_store(
    client: TestClient, ask: Ask, store: Store, forecaster: Forecaster
) -> None:
    for moment in (CUTOFF, CUTOFF + 5 * HOUR):
        said = forecaster.predict(store.demand(as_of=moment), [moment], horizon=24).frame
        for _ in range(2):
            answer = ask.post(client, asked(cutoff=f"{moment:%Y-%m-%dT%H:%MZ}", horizon=24))
            for one in answer["forecasts"]:
                mine = said[said["unique_id"] == one["unique_id"]]
                assert mine["mean"].tolist() == one["mean"]
                assert mine["q0.9"].tolist() == one["quantiles"]["q0.9"]


def test_without_a_moment_it_goes_on_from_what_is_known(client: TestClient, ask: Ask, store: Store) -> None:
    answer = ask.post(client, asked("east"))
    end = store.demand(only=["east"]).last_known_end()
    assert pd.Timestamp(answer["cutoff"]) == end
    early = ask.post(client, asked("east", as_of="2014-04-15T10:30+10:00"))
    assert pd.Timestamp(early["cutoff"]) == pd.Timestamp("2014-04-15T00:00Z")


def test_a_revision_counts_from_when_it_came(client: TestClient, ask: Ask, store: Store, frame: pd.DataFrame) -> None:
    question = asked("east", cutoff="2014-04-15T10:00Z")
    before = ask.post(client, question)
    late = frame[(frame["unique_id"] == "east") & (frame["ds"] == CUTOFF - 3 * HOUR)].assign(y=99.0)
    store.add(batch(late.assign(available_at=CUTOFF + HOUR)), "test")
    assert numbers(ask.post(client, question)) == numbers(before)
    after = ask.post(client, asked("east", cutoff="2014-04-15T11:00Z", horizon=24))
    again = ask.post(client, asked("east", cutoff="2014-04-15T11:00Z", horizon=24, as_of="2014-04-15T10:59Z"))
    assert numbers(after) != numbers(again)


def test_what_is_remembered_is_never_old(client: TestClient, ask: Ask, store: Store, frame: pd.DataFrame) -> None:
    """Every kind of change is seen by the very next question; a change to another series costs no rows."""
    question = asked("east", cutoff="2014-04-15T10:00Z")
    seen = [ask.post(client, question)]
    service = client.app.state.service  # type: ignore[attr-defined]
    assert numbers(ask.post(client, question)) == numbers(seen[0])
    assert service.memory.status()["questions"]["warm"] == 1
    east = frame[(frame["unique_id"] == "east") & (frame["ds"] == CUTOFF - 2 * HOUR)]
    store.add(batch(east.assign(y=55.0, available_at=CUTOFF - HOUR / 2)), "test")
    seen.append(ask.post(client, question))
    store.describe(SeriesInfo(unique_id="east", static={"size": 3.0}))
    seen.append(ask.post(client, question))
    assert numbers(seen[0]) != numbers(seen[1]) != numbers(seen[2])
    store.forget("east", service.settings)
    assert ask.refused(client, question, 404)["series"] == "east"


def test_another_moment_of_the_same_knowledge_asks_the_store_nothing(
    client: TestClient, ask: Ask, store: Store, forecaster: Forecaster, frame: pd.DataFrame
) -> None:
    def told(moment: pd.Timestamp) -> list[Any]:
        asked_at: list[str] = []
        engine = client.app.state.service.keeper.store().engine  # type: ignore[attr-defined]
        hear = lambda *told: asked_at.append(told[2])  # noqa: E731 (taken away again below)
        event.listen(engine, "before_cursor_execute", hear)
        answer = ask.post(client, asked("east", as_of=f"{moment:%Y-%m-%dT%H:%MZ}", horizon=24))
        event.remove(engine, "before_cursor_execute", hear)
        end = store.demand(only=["east"], as_of=moment).last_known_end()
        said = forecaster.predict(store.demand(only=["east"], as_of=moment), [end], horizon=24).frame
        assert said["mean"].tolist() == answer["forecasts"][0]["mean"]
        return [one for one in asked_at if "SELECT" in one and one != "SELECT 1" and "token" not in one]

    assert told(CUTOFF)
    assert told(CUTOFF + 5 * HOUR) == []
    west = frame[(frame["unique_id"] == "west") & (frame["ds"] == CUTOFF - 2 * HOUR)]
    store.add(batch(west.assign(y=55.0, available_at=CUTOFF - HOUR / 2)), "test")
    assert told(CUTOFF + 3 * HOUR) == [], "another series changed"
    # What was read ends before these values, and the store goes on.
    early = frame["ds"].min() + pd.Timedelta(days=20)
    assert told(early)
    assert told(frame["ds"].max())


def test_the_ledger_of_the_service_does_not_spoil_its_memory(client: TestClient, ask: Ask) -> None:
    service = client.app.state.service  # type: ignore[attr-defined]
    for _ in range(3):
        assert ask.post(client, asked("east", store=True))["recorded"] is True
    assert service.memory.status()["questions"] == {"warm": 2, "cold": 1}


def test_what_is_known_ahead_may_come_with_the_request(
    client: TestClient, ask: Ask, frame: pd.DataFrame, store: Store
) -> None:
    hot = frame[frame["unique_id"] == "east"].set_index("ds")["temperature"] + 10
    ahead = hot[CUTOFF : CUTOFF + 26 * HOUR]
    future = {"ds": ask.z(ahead.index), "temperature": ahead.tolist()}
    from_store = ask.post(
        client, {**asked(cutoff="2014-04-15T10:00Z", horizon=24), "series": [{"unique_id": "east", "future": future}]}
    )
    body = ask.body(CUTOFF, only="east", days=46)
    body["series"][0]["future"] = future
    assert numbers(from_store) == numbers(ask.post(client, {**body, "store": False}))
    plain = ask.post(client, asked("east", cutoff="2014-04-15T10:00Z", horizon=24))
    assert numbers(plain) != numbers(from_store)


def test_weather_counts_as_it_was_forecast_then(
    client: TestClient, ask: Ask, store: Store, forecaster: Forecaster
) -> None:
    stamps = pd.date_range(CUTOFF, periods=30, freq="h")
    for number, issued in enumerate((CUTOFF - 6 * HOUR, CUTOFF - HOUR, CUTOFF + 2 * HOUR)):
        values = np.full(30, 10.0 * number)
        rows = pd.DataFrame({"unique_id": "east", "ds": stamps, "available_at": issued, "temperature": values})
        store.add(Batch(rows, Columns(known=("temperature",))), "weather")
    for as_of in (None, "2014-04-15T06:00Z"):
        moment = pd.Timestamp(as_of or CUTOFF)
        demand = store.demand(only=["east"], as_of=moment)
        said = forecaster.predict(demand, [CUTOFF], horizon=24).frame
        more = {} if as_of is None else {"as_of": as_of}
        answer = ask.post(client, asked("east", cutoff="2014-04-15T10:00Z", horizon=24, **more))
        assert answer["forecasts"][0]["mean"] == said["mean"].tolist()


def test_a_delivery_day_from_its_gate(client: TestClient, ask: Ask) -> None:
    day = {"delivery_day": "2014-04-17", "gate": "D-1T10:00", "quantiles": [0.5]}
    answer = ask.post(client, asked("east", "west", **day))
    assert answer["cutoff"] == "2014-04-16T00:00:00Z"
    assert all(len(one["ds"]) == 24 for one in answer["forecasts"])


def test_energy_and_power_of_the_same_size(settings: Settings, store_url: str, forecaster: Forecaster,
                                           frame: pd.DataFrame, ask: Ask) -> None:  # fmt: skip
    with Store.open(store_url) as store:
        store.add(batch(frame[frame["unique_id"] == "east"], unit="MWh"), "test", history=True)
        store.add(batch(frame[frame["unique_id"] == "west"].assign(unique_id="kilo"), unit="kW"), "test", history=True)
    with TestClient(create_app(settings.model_copy(update={"store": store_url}), forecaster)) as client:
        question = asked("east", cutoff="2014-04-15T10:00Z")
        told = ask.post(client, question)
        assert told["unit"] == "MWh"
        assert ask.post(client, {**question, "unit": "MW"})["unit"] == "MW"
        assert "kW" in ask.refused(client, asked("kilo"))["found"]
        assert "unit kW" in ask.refused(client, {**question, "unit": "kW"})["found"]


def test_a_column_that_the_store_does_not_know_is_named(
    settings: Settings, store_url: str, forecaster: Forecaster, frame: pd.DataFrame, ask: Ask
) -> None:
    bare = frame[frame["unique_id"] == "east"][["unique_id", "ds", "y"]]
    with Store.open(store_url) as store:
        store.add(Batch(bare, series=(SeriesInfo(unique_id="east", zone=ZONE),)), "test", history=True)
        with TestClient(create_app(settings.model_copy(update={"store": store_url}), forecaster)) as client:
            refused = ask.refused(client, asked("east"))
            assert (refused["series"], refused["column"]) == ("east", "size")
            store.describe(SeriesInfo(unique_id="east", static={"size": 1.0}))
            warnings = ask.post(client, asked("east"))["warnings"]
    assert any("'humidity'" in one and "'east'" in one for one in warnings)
    assert any("'temperature'" in one for one in warnings)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (asked("nobody"), "holds no series 'nobody'"),
        (asked("east", "east"), "twice"),
        ({**asked(), "series": [{"unique_id": "east", "zone": ZONE}]}, "`zone` beside a series"),
        (asked("east", as_of="2014-04-15T10:00"), "no zone"),
        (asked("east", as_of="2013-01-01T00:00Z"), "knows no value of y"),
        (asked("east", delivery_day="2014-04-17", gate="D-99"), "gate"),
    ],
)
def test_what_cannot_be_asked_of_the_store(
    settings: Settings, forecaster: Forecaster, frame: pd.DataFrame, ask: Ask, body: dict[str, Any], words: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    url = f"sqlite:///{tmp_path_factory.getbasetemp()}/refusals.db"
    with Store.open(url) as store:
        store.add(batch(frame[frame["unique_id"] == "east"]), "test", history=True)
    with TestClient(create_app(settings.model_copy(update={"store": url}), forecaster)) as client:
        status = 404 if "no series" in words else 422
        assert words in ask.refused(client, body, status)["detail"]


def test_mixtures_are_refused(client: TestClient, ask: Ask) -> None:
    body = ask.body(CUTOFF, only="east")
    assert "of none" in ask.refused(client, {**body, "series": [*body["series"], {"unique_id": "west"}]})["detail"]
    assert "as_of is for series" in ask.refused(client, {**body, "as_of": "2014-04-15T10:00Z"})["detail"]


def test_without_a_store_what_needs_none_is_answered(
    settings: Settings, forecaster: Forecaster, ask: Ask, store_url: str
) -> None:
    url = (
        "postgresql+psycopg://postgres@127.0.0.1:1/nothing"
        if "postgres" in store_url
        else "sqlite:////proc/no/store.db"
    )
    with TestClient(create_app(settings.model_copy(update={"store": url}), forecaster)) as client:
        answer = ask.post(client, ask.body(CUTOFF, only="east"))
        assert answer["recorded"] is False
        assert "not in the ledger" in answer["warnings"][-1]
        problem = ask.refused(client, asked("east"), 503)
        assert problem["type"] == "/problems/store"
        assert client.app.state.service.memory.status()["ok"] is False  # type: ignore[attr-defined]


def test_now_is_the_moment_of_the_request(client: TestClient, ask: Ask, store: Store, frame: pd.DataFrame) -> None:
    """Values that are stored already and become known later count from then on, without anything being written."""
    rows = frame[(frame["unique_id"] == "east") & (frame["ds"] == frame["ds"].max())]
    known_at = rows["ds"].iloc[0] + 10 * HOUR
    following = rows.assign(ds=rows["ds"] + HOUR, y=7.0, available_at=known_at)
    store.add(batch(following), "test")
    with clock.using(known_at - HOUR):
        early = ask.post(client, asked("east"))
        assert ask.post(client, asked("east"))["cutoff"] == early["cutoff"]
    with clock.using(known_at):
        assert pd.Timestamp(ask.post(client, asked("east"))["cutoff"]) == known_at


def test_a_store_that_comes_back_is_used_again(settings: Settings, forecaster: Forecaster, ask: Ask, tmp_path: Any,
                                               frame: pd.DataFrame) -> None:  # fmt: skip
    place = tmp_path / "no folder"
    place.write_text("")
    url = f"sqlite:///{place}/store.db"
    body = ask.body(CUTOFF, only="east")
    with TestClient(create_app(settings.model_copy(update={"store": url}), forecaster)) as client:
        assert ask.post(client, body)["recorded"] is False
        place.unlink()
        with Store.open(url) as store:
            store.add(batch(frame), "test", history=True)
        patience = time.monotonic() + 10
        while not ask.post(client, body)["recorded"]:
            assert time.monotonic() < patience
            time.sleep(0.1)
        assert ask.post(client, asked("east"))["recorded"] is False
        assert client.app.state.service.memory.status()["ok"] is True  # type: ignore[attr-defined]


def test_a_full_disk_stops_writers_and_no_reader(settings: Settings, forecaster: Forecaster, ask: Ask, tmp_path: Any,
                                                 frame: pd.DataFrame) -> None:  # fmt: skip
    url = f"sqlite:///{tmp_path}/store.db"
    with Store.open(url) as store:
        store.add(batch(frame), "test", history=True)
    most = [10**6]
    with TestClient(create_app(settings.model_copy(update={"store": url}), forecaster)) as client:
        service = client.app.state.service  # type: ignore[attr-defined]
        kept = ask.post(client, asked("east", store=True))
        engine = service.keeper.store().engine
        event.listen(engine, "connect", lambda raw, _: raw.execute(f"PRAGMA max_page_count = {most[0]}"))
        most[0] = 1  # which SQLite takes for: not a page more
        engine.dispose()
        fresh = frame[frame["unique_id"] == "east"].tail(200)
        rows = {"ds": ask.z(fresh["ds"] + pd.Timedelta("300D")), "y": fresh["y"].tolist()}
        for _ in range(2):
            lost = client.post("/v1/observations", json={"series": [{"unique_id": "east", "history": rows}]})
            assert (lost.status_code, lost.json()["type"]) == (503, "/problems/store")
            assert "is full" in lost.json()["found"]
            assert "Free some" in lost.json()["detail"]
        assert numbers(ask.post(client, asked("east"))) == numbers(kept)
        assert client.get(f"/v1/forecasts/{kept['id']}").status_code == 200
        for path in ("/v1/series", "/v1/series/east/observations", "/v1/series/east/requirements"):
            assert client.get(path).status_code == 200, path
        unwritten = ask.post(client, asked("north", store=True))
        assert unwritten["recorded"] is False
        assert "is full" in unwritten["warnings"][-1]
        told = client.get("/v1/status").json()["store"]
        assert (told["ok"], told["writable"]) == (True, False)
        assert "is full" in told["why"]
        most[0] = 10**6
        engine.dispose()
        patience = time.monotonic() + 15
        while not ask.post(client, asked("north", store=True))["recorded"]:
            assert time.monotonic() < patience
            time.sleep(0.1)
        assert service.memory.status()["writable"] is True


def test_a_file_that_is_replaced_is_opened_anew(settings: Settings, forecaster: Forecaster, ask: Ask, tmp_path: Any,
                                                frame: pd.DataFrame) -> None:  # fmt: skip
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("one", "two")]
    for url, size in zip(urls, (1.0, 5.0), strict=True):
        with Store.open(url) as store:
            store.add(batch(frame.assign(y=frame["y"] * size)), "test", history=True)
    with TestClient(create_app(settings.model_copy(update={"store": urls[0]}), forecaster)) as client:
        before = ask.post(client, asked("east"))
        for ending in ("-wal", "-shm"):
            (tmp_path / f"one.db{ending}").unlink(missing_ok=True)
        (tmp_path / "two.db").replace(tmp_path / "one.db")
        assert numbers(ask.post(client, asked("east"))) != numbers(before)
        kept = ask.post(client, asked("east", store=True))
    with Store.open(urls[0]) as store:
        assert store.forecasts("east")[0].id == kept["id"]
