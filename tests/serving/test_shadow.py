"""The challenger is asked what the champion answered: afterwards, one at a time, and never in a caller's way."""

from __future__ import annotations

import json
import threading
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from forecast.forecaster import Forecaster
from forecast.store import Store
from serving import create_app
from serving.questions import Question
from serving.shadow import MOST_WAITING
from serving.told import Answered
from tests.serving.conftest import Registered
from tests.serving.test_follower import wait_until
from tests.serving.test_follower_under_load import BODY, expected


class Kept:
    """Whoever writes answers down, in memory."""

    def __init__(self) -> None:
        self.answers: list[tuple[Answered, str | None, str]] = []

    def __call__(self, answered: Answered, question: Question, *, gate: str | None, rung: str) -> None:
        assert question.order == tuple(one.unique_id for one in answered.told)
        self.answers.append((answered, gate, rung))


def post(client: TestClient) -> Any:
    answer = client.post("/v1/forecasts", content=BODY, headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def shadow_of(client: TestClient) -> Any:
    return client.get("/v1/status").json()["shadow"]


@pytest.fixture
def tried(registered: Registered) -> Registered:
    """Version 1 reigns, version 3 is tried."""
    registered.point("champion", 0)
    registered.point("challenger", 2)
    return registered


def with_challenger(client: TestClient) -> None:
    wait_until(lambda: client.get("/v1/status"), lambda answer: answer.json()["challenger"] is not None)


def test_the_challenger_is_asked_the_same_and_its_answer_is_kept(tried: Registered, three: Any) -> None:
    app, kept = create_app(tried.settings), Kept()
    app.state.service.shadow.keep = kept
    with TestClient(app) as client:
        with_challenger(client)
        assert post(client)["model"]["version"] == "1"
        wait_until(lambda: client.get("/v1/status"), lambda answer: answer.json()["shadow"]["scored"] == 1)
    ((answered, gate, rung),) = kept.answers
    assert (rung, gate, {one.rung for one in answered.told}) == ("challenger", None, {"challenger"})
    assert answered.served is not None
    assert answered.served.ref.version == "3"
    for one, numbers in zip(answered.told, expected(three[2]), strict=True):
        np.testing.assert_allclose(one.mean_H, numbers["mean"], rtol=1e-5)
        np.testing.assert_allclose(one.quantiles_HQ[:, 0], numbers[f"q{answered.levels[0]:g}"], rtol=1e-5)


def test_both_answers_stand_in_the_ledger(tried: Registered) -> None:
    app = create_app(tried.settings)
    with TestClient(app) as client:
        with_challenger(client)
        client.post("/v1/forecasts", json={**json.loads(BODY), "store": False})
        assert post(client)["model"]["version"] == "1"
        wait_until(lambda: client.get("/v1/status"), lambda answer: answer.json()["shadow"]["scored"] == 1)
        store = Store.open(settings=tried.settings)
        kept = {one.rung: one for one in wait_until(lambda: store.forecasts("town"), lambda found: len(found) == 2)}
        store.close()
    assert {rung: one.model_version for rung, one in kept.items()} == {"champion": "1", "challenger": "3"}
    ours, theirs = kept["champion"].forecast.frame, kept["challenger"].forecast.frame
    assert ours["ds"].tolist() == theirs["ds"].tolist()
    assert (ours["q0.1"] != theirs["q0.1"]).all(), "the store: false before is not among them"


def test_no_caller_waits_for_the_challenger(tried: Registered, monkeypatch: pytest.MonkeyPatch) -> None:
    began, door = threading.Event(), threading.Event()
    app, kept = create_app(tried.settings), Kept()
    service = app.state.service
    service.shadow.keep = kept
    replies = Forecaster.replies

    def slow(self: Forecaster, *given: Any) -> Any:
        challenger = service.champion.challenger()
        if challenger is not None and self is challenger.forecaster:
            began.set()
            assert door.wait(60)
        return replies(self, *given)

    with TestClient(app) as client:
        with_challenger(client)
        monkeypatch.setattr(Forecaster, "replies", slow)
        post(client)
        assert began.wait(30)
        for _ in range(MOST_WAITING + 3):
            post(client)
        told = shadow_of(client)
        assert (told["scored"], told["waiting"], told["dropped"]) == (0, MOST_WAITING, 3)
        assert kept.answers == []
        door.set()
        wait_until(
            lambda: client.get("/v1/status"), lambda answer: answer.json()["shadow"]["scored"] == MOST_WAITING + 1
        )
        assert 'forecast_shadow_total{outcome="dropped"} 3.0' in client.get("/metrics").text


def test_a_challenger_that_breaks_touches_nobody(tried: Registered, monkeypatch: pytest.MonkeyPatch) -> None:
    app, kept = create_app(tried.settings), Kept()
    service = app.state.service
    service.shadow.keep = kept
    replies = Forecaster.replies

    def breaking(self: Forecaster, *given: Any) -> Any:
        if self is service.champion.challenger().forecaster:
            raise ZeroDivisionError("deep inside")
        return replies(self, *given)

    with TestClient(app) as client:
        with_challenger(client)
        monkeypatch.setattr(Forecaster, "replies", breaking)
        assert post(client)["model"]["version"] == "1"
        wait_until(lambda: client.get("/v1/status"), lambda answer: answer.json()["shadow"]["failed"] == 1)
        assert "ZeroDivisionError" in shadow_of(client)["last_failure"]
        assert client.get("/v1/status").json()["champion"]["version"] == "1"
    assert kept.answers == []
