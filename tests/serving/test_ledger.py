"""Every answer stands in the ledger before it is sent; answers that wait together share one commit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from forecast.forecaster import Forecaster
from forecast.settings import Settings
from forecast.store import Packed, Store
from serving import create_app
from serving.ledger import Ledger
from serving.parsing import parse
from serving.questions import Question
from serving.service import Service
from serving.telemetry import Telemetry
from serving.told import Answered, Told
from tests.serving.conftest import Ask

CUTOFF = pd.Timestamp("2014-04-15T10:00Z")


@pytest.fixture
def client(settings: Settings, store_url: str, forecaster: Forecaster) -> Iterator[TestClient]:
    with TestClient(create_app(settings.model_copy(update={"store": store_url}), forecaster)) as one:
        yield one


def test_an_answer_is_found_again_bit_for_bit(client: TestClient, ask: Ask, store_url: str) -> None:
    body = ask.body(CUTOFF, zones={"north": "Europe/Lisbon"})
    answer = ask.post(client, body)
    assert answer["recorded"] is True
    again = client.get(f"/v1/forecasts/{answer['id']}").json()
    assert again["forecasts"] == answer["forecasts"]
    same = ("id", "recorded", "issued_at", "rung", "cutoff", "unit", "quantiles", "warnings")
    assert {name: again[name] for name in same} == {name: answer[name] for name in same}
    assert again["model"]["name"] == answer["model"]["name"]
    with Store.open(store_url) as store:
        infos = store.series()
        assert store.forecast(answer["id"]).unit == "MW"
    assert (infos["north"].zone, infos["north"].unit, infos["north"].static) == ("Europe/Lisbon", "MW", {})


def test_what_was_said_of_a_series_is_found(client: TestClient, ask: Ask) -> None:
    day = {"delivery_day": "2014-04-17", "gate": "D-1T10:00", "quantiles": [0.5]}
    body = ask.body(CUTOFF, only="east")
    ids = [ask.post(client, body)["id"] for _ in range(3)]
    asked = {"series": body["series"], **day}
    dayly = ask.post(client, asked)["id"]

    def found(**wanted: Any) -> list[str]:
        answer = client.get("/v1/forecasts", params={"series": "east", **wanted})
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["forecasts"]]

    assert set(found()) == {*ids, dayly}
    assert found(delivery_day="2014-04-17") == [dayly]
    assert found(limit=2) == sorted(found(limit=2), key=found().index)
    assert found(last="2014-04-15T09:59Z") == []
    assert found(as_of="2014-04-15T09:59Z") == []
    entry = client.get("/v1/forecasts", params={"series": "east", "delivery_day": "2014-04-17"}).json()["forecasts"][0]
    assert (entry["gate"], entry["delivery_day"], entry["rung"]) == ("D-1T10:00", "2014-04-17", "champion")
    assert len(entry["ds"]) == len(entry["mean"]) == len(entry["quantiles"]["q0.5"]) == 24
    assert client.get("/v1/forecasts/nothing").status_code == 404


def test_who_wants_no_record_leaves_none(client: TestClient, ask: Ask, store_url: str) -> None:
    answer = ask.post(client, {**ask.body(CUTOFF, only="east"), "store": False})
    assert (answer["id"], answer["recorded"]) == (None, False)
    with Store.open(store_url) as store:
        assert store.contents().forecasts == 0
        assert store.series() == {}


def test_a_service_without_a_ledger_writes_nothing(settings: Settings, plain: Forecaster, tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/off.db"
    history = {"start": "2014-06-01T00:00+10:00", "step": "PT30M", "y": [1.0] * 480}
    with TestClient(create_app(settings.model_copy(update={"store": url, "ledger": False}), plain)) as client:
        answer = client.post("/v1/forecasts", json={"series": [{"unique_id": "town", "history": history}]}).json()
    assert (answer["id"], answer["recorded"]) == (None, False)
    assert not (tmp_path / "off.db").exists()


# ---- the group commit -------------------------------------------------------------------------------------------


class Slow:
    """A keeper whose store writes when it is let, and notes what it wrote."""

    def __init__(self) -> None:
        self.door, self.batches = threading.Semaphore(0), list[list[str]]()
        self.bad: set[str] = set()

    def refuse_while_unwritable(self) -> None:
        """It never is."""

    def slow(self, within: float) -> Exception:
        from forecast.errors import StoreDown

        return StoreDown(f"the store did not answer within {within:g} s")

    def write(self, _: Any, several: Sequence[Packed]) -> None:
        from forecast.errors import StoreError

        assert self.door.acquire(timeout=20)
        self.batches.append([one.said[0].unique_id for one in several])
        if self.bad & set(self.batches[-1]):
            raise StoreError("a constraint")


def answered(name: str, forecaster: Forecaster, ask: Ask) -> tuple[Answered, Question]:
    """A small answer about a series, and its question."""
    import orjson

    body = {**ask.body(CUTOFF, only="east")}
    body["series"][0]["unique_id"] = name
    question = Question.of(parse(orjson.dumps(body), most_series=9), forecaster.spec, most_rows=10**6)
    ds = pd.date_range(CUTOFF, periods=3, freq="h").tz_localize(None).to_numpy()
    told = Told(name, ds, np.arange(3.0), np.arange(3.0)[:, None])
    return Answered((told,), (0.5,), CUTOFF, "MW", None, ()), question


def test_answers_that_wait_together_share_a_commit(forecaster: Forecaster, ask: Ask) -> None:
    keeper = Slow()
    pairs = [answered(name, forecaster, ask) for name in "abcdef"]

    async def run() -> list[Any]:
        ledger = Ledger(keeper, telemetry=Telemetry(), on=True, wait_ms=0, deadline_s=20)  # type: ignore[arg-type]
        first = asyncio.create_task(ledger.record(*pairs[0]))
        await asyncio.sleep(0.05)
        rest = [asyncio.create_task(ledger.record(*pair)) for pair in pairs[1:]]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in (first, *rest)), "nobody is told before the commit"
        keeper.door.release(2)
        return [await task for task in (first, *rest)]

    kept = asyncio.run(run())
    assert keeper.batches == [["a"], list("bcdef")]
    assert all(one.recorded for one in kept)
    assert len({one.id for one in kept}) == 6
    assert not any(name in str(one.id) for one in kept for name in ("town", "east"))


def test_one_that_is_refused_does_not_take_the_others_with_it(forecaster: Forecaster, ask: Ask) -> None:
    keeper = Slow()
    keeper.bad = {"bad"}
    pairs = [answered(name, forecaster, ask) for name in ("a", "b", "bad")]

    async def run() -> list[Any]:
        keeper.door.release(20)
        ledger = Ledger(keeper, telemetry=Telemetry(), on=True, wait_ms=20, deadline_s=20)  # type: ignore[arg-type]
        return list(await asyncio.gather(*(ledger.record(*pair) for pair in pairs)))

    kept = asyncio.run(run())
    assert [one.recorded for one in kept] == [True, True, False]
    assert "constraint" in kept[2].warnings[0]


def test_a_slow_store_costs_the_record_and_not_the_answer(forecaster: Forecaster, ask: Ask) -> None:
    keeper = Slow()
    pairs = [answered(name, forecaster, ask) for name in "abc"]

    async def run() -> None:
        ledger = Ledger(keeper, telemetry=Telemetry(), on=True, wait_ms=0, deadline_s=0.2)  # type: ignore[arg-type]
        loop = asyncio.get_running_loop()
        for pair in pairs:
            began = loop.time()
            kept = await ledger.record(*pair)
            assert not kept.recorded
            assert "within 0.2 s" in kept.warnings[0]
            assert loop.time() - began < 2
        began = loop.time()
        await ledger.record(*pairs[0])
        assert loop.time() - began < 0.1, "nobody else waits for a commit that hangs"
        keeper.door.release(20)
        await asyncio.sleep(0.2)

    asyncio.run(run())
    assert keeper.batches == [["a"]], "what nobody waits for any more is not written behind the caller's back"


def test_a_challenger_is_remembered_under_its_own_rung(
    settings: Settings, store_url: str, forecaster: Forecaster, ask: Ask
) -> None:
    pair = answered("east", forecaster, ask)

    async def run() -> None:
        service = Service.of(settings.model_copy(update={"store": store_url}), None)
        service.ledger.remember(*pair, gate=None, rung="challenger")
        while not service.ledger.counts["recorded"]:
            await asyncio.sleep(0.01)
        service.memory.close()

    asyncio.run(asyncio.wait_for(run(), 20))
    with Store.open(store_url) as store:
        (one,) = store.forecasts("east")
    assert one.rung == "challenger"
