"""The ladder of fallbacks: whatever breaks, every answer is valid, in time, and says who gave it and why."""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from starlette.testclient import TestClient

from forecast.features import Inputs
from forecast.forecaster import Forecaster
from forecast.networks.configs import DirectConfig, NetworkConfig, RecurrentConfig
from forecast.recipe import FeatureConfig, NetworkModel, Recipe, Task, TrainingConfig
from forecast.settings import Settings
from forecast.tables import Demand
from forecast.training import fit
from serving import create_app
from serving.parsing import parse
from serving.questions import Question
from serving.service import Service
from serving.sight import Sight
from tests.serving.conftest import TRAINED_UNTIL, Ask, Registered

CUTOFF = pd.Timestamp("2014-04-15T00:00Z")
DEADLINE_S = 1.0
STUCK = 42.0
Body = dict[str, Any]


class Fault:
    """A trained model that breaks in a way of its own; the rest of the forecaster is as it was."""

    def __init__(self, model: Any, answers: Callable[[Any], Any]) -> None:
        self._model, self._answers = model, answers

    def quantiles(self, inputs: Inputs) -> Any:
        return self._answers(self._model.quantiles(inputs))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def broken(forecaster: Forecaster, answers: Callable[[Any], Any]) -> Forecaster:
    return replace(forecaster, model=Fault(forecaster.model, answers))


def raises(_: Any) -> Any:
    raise RuntimeError("the runtime is gone")


def far_off(said_BHQ: Any) -> Any:
    """Of the first series only."""
    return np.concatenate([said_BHQ[:1] - 1e4, said_BHQ[1:]])


def not_finite(said_BHQ: Any) -> Any:
    return np.full_like(said_BHQ, np.nan)


@contextmanager
def service(settings: Settings, forecaster: Forecaster | None, **changes: Any) -> Iterator[TestClient]:
    changed = settings.model_copy(update={"deadline_s": DEADLINE_S, "ledger": False, **changes})
    with TestClient(create_app(changed, forecaster)) as one:
        yield one


def parts(client: TestClient) -> Service:
    told: Service = client.app.state.service  # type: ignore[attr-defined]
    return told


@pytest.fixture(scope="module")
def whole(settings: Settings, forecaster: Forecaster) -> Iterator[TestClient]:
    with service(settings, forecaster) as one:
        yield one


def asked(client: TestClient, body: Body, *, within: float = DEADLINE_S) -> Body:
    """The answer, which is valid, and in time (a busy machine is given as much again, and a second)."""
    begun = time.monotonic()
    reply = client.post("/v1/forecasts", json=body)
    took = time.monotonic() - begun
    assert reply.status_code == 200, reply.text
    said: Body = reply.json()
    assert took < 2 * within + 1, f"{took:.2f} s"
    first = pd.Timestamp(body["cutoff"]) if "cutoff" in body else None
    assert [one["unique_id"] for one in said["forecasts"]] == [one["unique_id"] for one in body["series"]]
    for one in said["forecasts"]:
        values = np.array([one["quantiles"][f"q{level:g}"] for level in said["quantiles"]])
        assert np.isfinite(values).all()
        assert np.isfinite(one["mean"]).all()
        assert (np.diff(values, axis=0) >= 0).all()
        ds = pd.DatetimeIndex(one["ds"])
        assert len(ds) == len(one["mean"]) == values.shape[1] == body.get("horizon", len(ds))
        assert first is None or ds[0] == first
        assert len(set(np.diff(ds.asi8))) <= 1
    return said


def rungs(said: Body) -> list[tuple[str, str | None]]:
    return [(one["rung"], one["reason"]) for one in said["forecasts"]]


def width(said: Body, place: int = 0) -> float:
    quantiles = said["forecasts"][place]["quantiles"]
    return float(np.mean(quantiles["q0.9"]) - np.mean(quantiles["q0.1"]))


def hidden(body: Body, hours: int, *columns: str, value: float | None = None, place: int = 0) -> Body:
    """The last hours of some columns of a series become null, or a value."""
    history = body["series"][place]["history"]
    for column in columns:
        history[column] = [*history[column][:-hours], *[value] * hours]
    return body


# ---- what is missing ---------------------------------------------------------------------------------------------


def test_nothing_is_wrong(whole: TestClient, ask: Ask) -> None:
    said = asked(whole, ask.body(CUTOFF))
    assert rungs(said) == [("champion", None)] * 3
    assert (said["rung"], said["warnings"]) == ("champion", [])


@pytest.mark.parametrize(
    ("hours", "rung", "reason"),
    [
        (1, "champion", None),
        (6, "champion", "incomplete"),
        (24, "champion", "stale"),
        (48, "seasonal_naive", "stale"),
        (72, "seasonal_naive", "stale"),
    ],
)
def test_late_load(plain_late: TestClient, ask: Ask, hours: int, rung: str, reason: str | None) -> None:
    """The network sees two days: as long as something of them is known it answers, with wider bands."""
    fresh = asked(plain_late, plain_body(ask))
    said = asked(plain_late, hidden(plain_body(ask), hours, "y"))
    assert rungs(said) == [(rung, reason)]
    assert (said["model"] is None) == (rung != "champion")
    assert said["rung"] == rung
    if reason is not None:
        assert any("bands" in text for text in said["warnings"])
    if rung == "champion":
        assert width(said) > width(fresh)
    assert np.mean(said["forecasts"][0]["mean"]) == pytest.approx(np.mean(fresh["forecasts"][0]["mean"]), rel=0.25)


@pytest.fixture(scope="module")
def plain_late(settings: Settings, frame: pd.DataFrame) -> Iterator[TestClient]:
    """A network without static columns, which would tell it the level of a meter whose history is lost."""
    demand = Demand.from_frame(frame[["unique_id", "ds", "y"]], zone="Australia/Melbourne")
    network = NetworkConfig(encoder=RecurrentConfig(width=8, layers=1), decoder=DirectConfig(width=8))
    training = TrainingConfig(epochs=1, windows_per_epoch=128, batch=32, final="keep")
    recipe = Recipe(name="blind", model=NetworkModel(network=network, training=training), context="2d",
                    features=FeatureConfig(reach_days=9))  # fmt: skip
    learned = fit(demand.as_of(TRAINED_UNTIL), recipe, Task(horizon=24)).forecaster
    assert learned.spec.profile is not None
    with service(settings, learned) as one:
        yield one


def plain_body(ask: Ask, only: str | None = "east", cutoff: pd.Timestamp = CUTOFF) -> Body:
    """Without covariates."""
    body = ask.body(cutoff, only=only)
    for one in body["series"]:
        one["history"] = {"ds": one["history"]["ds"], "y": one["history"]["y"]}
        del one["future"], one["static"]
    return body


def test_weather_ahead_is_missing(whole: TestClient, ask: Ask) -> None:
    body = ask.body(CUTOFF, only="east")
    fresh = asked(whole, body)
    del body["series"][0]["future"]
    said = asked(whole, body)
    assert rungs(said) == [("champion", "weather")]
    assert any(text.endswith("the weather ahead is missing; the bands are wider") for text in said["warnings"])
    assert width(said) > 1.2 * width(fresh)


def test_weather_of_the_history_is_missing(whole: TestClient, ask: Ask) -> None:
    said = asked(whole, hidden(ask.body(CUTOFF, only="east"), 72, "humidity", "temperature"))
    assert rungs(said) == [("champion", None)]


@pytest.mark.parametrize("hours", [6, 12, 24])
def test_a_stuck_meter_is_not_believed(whole: TestClient, ask: Ask, hours: int) -> None:
    fresh = asked(whole, ask.body(CUTOFF))
    said = asked(whole, hidden(ask.body(CUTOFF), hours, "y", value=STUCK))
    assert rungs(said) == [("champion", "stuck"), ("champion", None), ("champion", None)]
    means, usual = (np.array([one["mean"] for one in reply["forecasts"]]) for reply in (said, fresh))
    assert means[0].mean() == pytest.approx(usual[0].mean(), rel=0.25)
    assert means[1:] == pytest.approx(usual[1:], rel=0.01)
    (told,) = [text for text in said["warnings"] if "stands still" in text]
    assert told.startswith(f"series 'east': its meter stands still; its last {hours} known values are equal")


def test_a_reading_that_cannot_be_true_is_not_believed(whole: TestClient, ask: Ask) -> None:
    fresh = asked(whole, ask.body(CUTOFF))
    said = asked(whole, hidden(ask.body(CUTOFF), 1, "y", value=9e11))
    assert rungs(said) == [("champion", "absurd"), ("champion", None), ("champion", None)]
    means, usual = (np.array([one["mean"] for one in reply["forecasts"]]) for reply in (said, fresh))
    assert means == pytest.approx(usual, rel=0.1)
    (told,) = [text for text in said["warnings"] if "cannot be true" in text]
    assert told == (
        "series 'east': some of its values cannot be true; 1 known value is more than 100 times as large as the others "
        "and was not used"
    )


@pytest.mark.parametrize("hours", [48, 72])
def test_a_meter_stuck_for_the_whole_context(plain_late: TestClient, ask: Ask, hours: int) -> None:
    fresh = asked(plain_late, plain_body(ask, only=None))
    said = asked(plain_late, hidden(plain_body(ask, only=None), hours, "y", value=STUCK))
    assert rungs(said) == [("seasonal_naive", "stuck"), ("champion", None), ("champion", None)]
    assert said["model"] is not None
    assert np.mean(said["forecasts"][0]["mean"]) == pytest.approx(np.mean(fresh["forecasts"][0]["mean"]), rel=0.2)


def test_a_meter_of_which_a_few_hours_are_known_takes_the_learned_week(plain_late: TestClient, ask: Ask) -> None:
    body = plain_body(ask)
    history = body["series"][0]["history"]
    body["series"][0]["history"] = {name: values[-3:] for name, values in history.items()}
    said = asked(plain_late, body)
    assert rungs(said) == [("group_profile", "incomplete")]
    usual = asked(plain_late, plain_body(ask))
    assert np.mean(said["forecasts"][0]["mean"]) == pytest.approx(np.mean(usual["forecasts"][0]["mean"]), rel=0.2)


def test_a_delivery_day(plain_late: TestClient, ask: Ask) -> None:
    body = hidden(plain_body(ask), 72, "y") | {"delivery_day": "2014-04-16"}
    usual = plain_body(ask) | {"delivery_day": "2014-04-16"}
    del body["horizon"], usual["horizon"]
    replies = [plain_late.post("/v1/forecasts", json=one).json() for one in (body, usual)]
    assert [one["rung"] for one in replies] == ["seasonal_naive", "champion"]
    assert replies[0]["forecasts"][0]["ds"] == replies[1]["forecasts"][0]["ds"]


# ---- a model that fails ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("answers", "reason"), [(raises, "error"), (not_finite, "non_finite")])
def test_a_model_that_fails(
    settings: Settings, forecaster: Forecaster, ask: Ask, answers: Callable[[Any], Any], reason: str
) -> None:
    with service(settings, broken(forecaster, answers)) as client:
        before = parts(client).ladder.counts.copy()  # of the examples that warmed the service up
        said = asked(client, ask.body(CUTOFF))
        assert rungs(said) == [("seasonal_naive", reason)] * 3
        assert said["model"] is None
        assert parts(client).ladder.counts - before == {("seasonal_naive", reason): 3}
        told = client.get("/v1/status").json()["fallbacks"]
        assert told["seasonal_naive"][reason] == 3 + before["seasonal_naive", reason]


def test_a_model_that_says_what_cannot_be_believed(settings: Settings, forecaster: Forecaster, ask: Ask) -> None:
    with service(settings, broken(forecaster, far_off)) as client:
        said = asked(client, ask.body(CUTOFF) | {"quantiles": [0.1, 0.9]})
        assert rungs(said) == [("seasonal_naive", "implausible"), ("champion", None), ("champion", None)]
        why = said["warnings"][-1]
        assert why.startswith("series 'east': the model's answer lies far from all that is known of it")
        assert why.endswith("with bands of its own past errors")
        assert parts(client).champion.now().errors == 0, "a series of which little is known is no failure"


def test_a_network_is_not_asked_about_half_a_stranger(plain_late: TestClient, ask: Ask) -> None:
    body = plain_body(ask)
    body["series"][0]["unique_id"] = "elsewhere"
    assert rungs(asked(plain_late, body)) == [("champion", None)]
    assert rungs(asked(plain_late, hidden(body, 24, "y"))) == [("seasonal_naive", "stale")]


@pytest.mark.parametrize("answers", [raises, not_finite])
def test_the_previous_version_answers_where_the_champion_fails(
    settings: Settings, forecaster: Forecaster, ask: Ask, answers: Callable[[Any], Any]
) -> None:
    with service(settings, forecaster) as client:
        champion = parts(client).champion
        good = champion.now()
        usual = asked(client, ask.body(CUTOFF))
        bad = type(good)(replace(good.ref, digest="another"), broken(forecaster, answers))
        champion.take(bad)
        said = asked(client, ask.body(CUTOFF))
        assert [one["rung"] for one in said["forecasts"]] == ["previous"] * 3
        assert [one["mean"] for one in said["forecasts"]] == [one["mean"] for one in usual["forecasts"]]
        assert bad.errors == 1
        for _ in range(2):
            asked(client, ask.body(CUTOFF))
        assert champion.now() is good, "three failures bring the previous version back"


def test_a_model_that_hangs_stops_nobody(settings: Settings, forecaster: Forecaster, ask: Ask) -> None:
    door, hung = threading.Event(), threading.Event()

    def hangs(said_BHQ: Any) -> Any:
        hung.set()
        assert door.wait(60)
        return said_BHQ

    with service(settings, forecaster) as client:
        now = parts(client).champion.now()
        now.forecaster = broken(forecaster, hangs)
        try:
            said = asked(client, ask.body(CUTOFF))
            assert hung.is_set()
            assert rungs(said) == [("seasonal_naive", "deadline")] * 3
            begun = time.monotonic()
            assert rungs(asked(client, ask.body(CUTOFF))) == [("seasonal_naive", "deadline")] * 3
            assert time.monotonic() - begun < DEADLINE_S / 2, "it is left alone for a while"
            assert client.get("/livez").status_code == 200
        finally:
            door.set()
        for _ in range(100):
            if rungs(asked(client, ask.body(CUTOFF))) == [("champion", None)] * 3:
                break
            time.sleep(0.05)
        else:
            raise AssertionError("it answers again, and is not asked")


def test_mistakes_of_the_caller_stay_problems(settings: Settings, forecaster: Forecaster, ask: Ask) -> None:
    with service(settings, broken(forecaster, raises)) as client:
        ask.refused(client, ask.body(CUTOFF) | {"horizon": 10_000})
        ask.refused(client, ask.body(CUTOFF) | {"quantiles": [0.123]})


# ---- no model ----------------------------------------------------------------------------------------------------


def no_model(tmp_path: Path, **changes: Any) -> Settings:
    return Settings.read(home=tmp_path, mlflow_uri=f"sqlite:///{tmp_path}/none.db", deadline_s=DEADLINE_S,
                         ledger=False, **changes)  # fmt: skip


def test_without_a_registry_the_request_itself_says_enough(tmp_path: Path, ask: Ask) -> None:
    with TestClient(create_app(no_model(tmp_path))) as client:
        said = asked(client, ask.body(CUTOFF) | {"unit": "kW", "quantiles": [0.05, 0.95]})
        assert client.get("/readyz").status_code == 503
    assert rungs(said) == [("seasonal_naive", "no_model")] * 3
    assert (said["model"], said["unit"], said["quantiles"]) == (None, "kW", [0.05, 0.95])
    assert any("no model is loaded" in text for text in said["warnings"])


@pytest.mark.parametrize("step", ["10min", "1D"])
def test_without_a_model_any_step_is_read(tmp_path: Path, step: str) -> None:
    ds = pd.date_range("2014-03-01", periods=200, freq=step, tz="UTC")
    y = 10 + np.sin(np.arange(200) / 7)
    history = {"ds": [f"{one:%Y-%m-%dT%H:%M:%SZ}" for one in ds], "y": y.tolist()}
    with TestClient(create_app(no_model(tmp_path))) as client:
        said = asked(client, {"series": [{"unique_id": "a", "history": history}]})
    assert rungs(said) == [("seasonal_naive", "no_model")]
    assert len(said["forecasts"][0]["ds"]) == (144 if step == "10min" else 1)


def test_a_corrupt_folder_at_the_start(tmp_path: Path, forecaster: Forecaster, ask: Ask) -> None:
    forecaster.save(tmp_path / "model")
    (tmp_path / "model" / "weights.safetensors").write_bytes(b"garbage" * 1000)
    with TestClient(create_app(no_model(tmp_path, model=str(tmp_path / "model")))) as client:
        assert client.get("/readyz").status_code == 503
        assert rungs(asked(client, ask.body(CUTOFF))) == [("seasonal_naive", "no_model")] * 3


def test_a_corrupt_folder_at_a_swap(registered: Registered, ask: Ask) -> None:
    registered.point("champion", 0)
    settings = registered.settings.model_copy(update={"deadline_s": DEADLINE_S, "ledger": False})
    with TestClient(create_app(settings)) as client:
        for weights in settings.cache.rglob("weights.safetensors"):
            weights.write_bytes(b"garbage" * 1000)
        assert rungs(asked(client, plain_body(ask))) == [("champion", None)], "what is in memory is whole"
        parts(client).follower.look(again=True)
        assert rungs(asked(client, plain_body(ask))) == [("champion", None)]


def test_the_registry_goes_down_while_serving(registered: Registered, ask: Ask) -> None:
    registered.point("champion", 0)
    settings = registered.settings.model_copy(update={"deadline_s": DEADLINE_S, "ledger": False})
    with TestClient(create_app(settings)) as client:
        broken_uri = settings.model_copy(update={"mlflow_uri": "sqlite:////nowhere/none.db"})
        parts(client).follower._settings = broken_uri
        parts(client).follower.look()
        assert parts(client).follower.error is not None
        assert rungs(asked(client, plain_body(ask))) == [("champion", None)]


# ---- disks and databases -----------------------------------------------------------------------------------------


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another writer that does not come to an end."""
    other = sqlite3.connect(database, isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_disk_that_is_slow(settings: Settings, forecaster: Forecaster, ask: Ask, tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    with service(settings, forecaster, store=f"sqlite:///{store}", ledger=True) as client:
        while not client.post("/v1/forecasts", json=ask.body(CUTOFF)).json()["recorded"]:
            time.sleep(0.1)  # the store is made
        with locked(store):
            said = asked(client, ask.body(CUTOFF), within=1.5 * DEADLINE_S)
            assert said["recorded"] is False
            assert rungs(said) == [("champion", None)] * 3
            assert any("not in the ledger" in text for text in said["warnings"])


def test_a_database_that_is_gone(settings: Settings, forecaster: Forecaster, ask: Ask) -> None:
    gone = "postgresql+psycopg://nobody@127.0.0.1:9/none"
    with service(settings, forecaster, store=gone, ledger=True) as client:
        said = asked(client, ask.body(CUTOFF), within=1.5 * DEADLINE_S)
        assert (said["recorded"], said["rung"]) == (False, "champion")
        stored = {"series": [{"unique_id": "east"}], "cutoff": ask.z([CUTOFF])[0]}
        reply = client.post("/v1/forecasts", json=stored)
        assert (reply.status_code, reply.headers["content-type"]) == (503, "application/problem+json")
        assert "retry-after" in reply.headers


# ---- speed -------------------------------------------------------------------------------------------------------


def test_looking_costs_little(forecaster: Forecaster, ask: Ask) -> None:
    """Of one healthy series; the least of many, since others work on this machine, too."""
    request = parse(orjson.dumps(ask.body(CUTOFF, only="east")), most_series=10)
    question = Question.of(request, forecaster.spec, most_rows=10_000)
    least = math.inf
    for _ in range(50):
        begun = time.perf_counter()
        sight = Sight.of(question, forecaster.spec)
        least = min(least, time.perf_counter() - begun)
    assert not sight.doubted
    assert least < 500e-6
