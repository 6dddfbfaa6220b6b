"""Scores and alarms of a store, day by day: once, again when values come late, and one retraining for one breach."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId

from flows import automations
from flows.monitor import monitor
from flows.score import score
from forecast import clock
from forecast.errors import DataError
from forecast.monitoring import Call
from forecast.registry.store import open_store
from forecast.settings import Settings
from forecast.sources.contract import Batch
from forecast.store import Alarm, Packed, Said, Store
from forecast.tables import Columns, SeriesInfo
from tests.monitoring.town import day, demand, forecast, scores

STREETS, DAYS, BROKEN = 3, 100, 96
DAY = day(BROKEN + 2).isoformat()
NOW = f"{day(BROKEN + 3).isoformat()}T11:30+00:00"
LATER = f"{day(BROKEN + 6).isoformat()}T11:30+00:00"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_server: None) -> Settings:
    for name, value in {
        "FORECAST_HOME": str(tmp_path), "FORECAST_MLFLOW_URI": f"sqlite:///{tmp_path}/mlruns/mlflow.db",
        "FORECAST_MLFLOW_PAGE": "http://mlflow.example", "FORECAST_STORE_PATIENCE_S": "0.5",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    (tmp_path / "mlruns").mkdir()
    return Settings.read()


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """Three streets, of which the first grows by half on one day; scores of all days, ledger and demand of the last."""
    with Store.open(settings=settings) as opened, clock.using(NOW):
        for number in range(STREETS):
            name = f"street {number}"
            grows = 1.5 if number == 0 else 1.0
            y = demand(DAYS, number, lambda y, at, grows=grows: y * grows if at >= BROKEN else y)
            said = forecast(y, number)
            ds = pd.date_range(pd.Timestamp(day(BROKEN - 14), tz="UTC"), periods=24 * 17, freq="1h")
            frame = pd.DataFrame({"unique_id": name, "ds": ds, "y": y[BROKEN - 14 : BROKEN + 3].ravel()})
            info = SeriesInfo(unique_id=name, zone="UTC", step="1h", unit="MW")
            opened.add(Batch(frame, Columns(), (info,)), "by hand", history=True)
            opened.keep_scores(scores(name, y, said, known=range(BROKEN + 1)))
            for place in (BROKEN + 1, BROKEN + 2):
                record(opened, name, place, said[place])
        yield opened


def record(store: Store, name: str, place: int, said: np.ndarray) -> None:
    begin = int(pd.Timestamp(day(place), tz="UTC").timestamp())
    band = np.stack([said * 0.92, said, said * 1.08], axis=1)
    hours = begin + 3600 * np.arange(24, dtype=np.int64)
    told = Said.of(name, "UTC", hours, said, band, step_seconds=3600)
    cutoff = begin - 14 * 3600
    store.record_packed([Packed(f"{name} {place}", (told,), cutoff, cutoff, "MW", (0.1, 0.5, 0.9), "ridge")])


@flow(name="learn")
def learn(data: str = "store", title: str | None = None, now: str | None = None) -> None:
    """Stands where `retrain` does."""


@pytest.fixture
def deployment(prefect_server: None, settings: Settings) -> Iterator[UUID]:
    """A deployment that nobody works on, and the rule."""
    made = learn.to_deployment("retrain", parameters={"data": "store"}).apply()
    with get_client(sync_client=True) as client:
        automations.keep(made, settings.model_name, client)
        yield made
        for one in client.read_automations_by_name(automations.NAME):
            client.delete_automation(one.id)


def runs_of(client: SyncPrefectClient, deployment: UUID, count: int, patience: float = 20.0) -> list[dict[str, object]]:
    """The parameters of the runs of a deployment, when there are so many, or after a while."""
    until = time.monotonic() + patience
    wanted = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
    while True:
        found = client.read_flow_runs(deployment_filter=wanted)
        if len(found) >= count or time.monotonic() > until:
            return [one.parameters for one in found]
        time.sleep(0.2)


def test_days_are_scored_once_and_again_when_values_come(store: Store) -> None:
    done = score(DAY, back=2, now=NOW)
    assert [(one["day"], one["scored"], one["unforecast"]) for one in done] == [
        (day(BROKEN).isoformat(), 0, STREETS), (day(BROKEN + 1).isoformat(), STREETS, 0), (DAY, STREETS, 0),
    ]  # fmt: skip
    assert done[-1]["changed"] == STREETS
    assert 0 < done[-1]["mae"] < 25
    assert len(store.scores(["street 0"])) == DAYS - 8 - 1
    with clock.using(LATER):
        assert score(DAY, back=2, now=LATER) == done  # the mark says so
    frame = pd.DataFrame({"unique_id": "street 1", "ds": [pd.Timestamp(DAY, tz="UTC")], "y": [1000.0]})
    with clock.using(LATER):
        store.add(Batch(frame, Columns()), "late")
    again = score(DAY, back=2, now=LATER, force=True)
    assert [one["changed"] for one in again] == [0, 0, 1]


def test_a_day_that_nobody_measured_is_not_done(store: Store) -> None:
    late = day(BROKEN + 3).isoformat()
    record(store, "street 0", BROKEN + 3, np.full(24, 100.0))
    assert score(late, back=0, now=LATER)[0]["unmeasured"] == 1
    assert "can be judged yet" in monitor(late, now=LATER)["headline"]
    assert store.done("score", late) is store.done("monitor", late) is None
    for flow_of in (score, monitor):
        with pytest.raises(DataError, match="has not begun"):
            flow_of(day(BROKEN + 9).isoformat(), now=LATER)


def test_a_break_asks_for_one_retraining(store: Store, deployment: UUID, settings: Settings) -> None:
    score(DAY, back=2, now=NOW)
    done = monitor(DAY, now=NOW)
    alarms = store.alarms()
    assert {(one.unique_id, one.kind, one.day) for one in alarms} >= {("street 0", "level", day(BROKEN).isoformat())}
    assert {one.unique_id for one in alarms if one.kind in ("level", "shape")} == {"street 0"}
    assert done["retrain"] in {one.id for one in alarms}
    assert {one.answered_by for one in alarms if one.kind != "stale"} == {f"retrain {done['retrain']}"}
    page = Path(done["page"]).read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") >= 3
    assert "street 0" in page
    assert "http://mlflow.example/#/experiments/" in page
    with get_client(sync_client=True) as client:
        assert runs_of(client, deployment, 1) == [
            {"data": "store", "title": f"breach {done['retrain']}", "now": NOW}
        ]  # fmt: skip
        # The same day is done; and another one of the cooldown's asks for nothing.
        assert monitor(DAY, now=NOW) == done
        broken = store.raise_alarms([Alarm("street 1", "shape", DAY)])
        again = monitor(DAY, now=LATER, force=True)
        assert again["retrain"] is None
        assert "no retraining is due before" in again["said"]
        assert store.alarms(series="street 1", kind="shape", unanswered=True) == broken
        # Sent twice, as by a run that was killed before it noted that, the event starts nothing more.
        sent = automations.breach(Call(done["retrain"], (), "again"), settings.model_name, DAY, NOW)
        automations.send(sent)
        assert len(runs_of(client, deployment, 2, patience=3)) == 1
    after = (pd.Timestamp(NOW) + timedelta(days=settings.retrain_cooldown_days, hours=1)).isoformat()
    with get_client(sync_client=True) as client:
        assert monitor(DAY, now=after, force=True)["retrain"] == broken[0].id
        assert len(runs_of(client, deployment, 2)) == 2


def test_the_day_stands_in_mlflow_once(store: Store, settings: Settings) -> None:
    score(DAY, back=2, now=NOW)
    for force in (False, True):
        monitor(DAY, now=NOW, force=force)
    mlflow = open_store(settings, "monitoring")
    (run,) = mlflow.client.search_runs([mlflow.experiment])
    assert run.data.tags["day"] == DAY
    assert run.data.metrics["series"] == STREETS
    assert run.data.metrics["mae"] > 0
    assert "street 0: level since" in run.data.tags["mlflow.note.content"]


def test_a_quiet_day_asks_for_nothing(settings: Settings) -> None:
    with Store.open(settings=settings) as store, clock.using(NOW):
        y = demand(DAYS, 1)
        store.describe(SeriesInfo(unique_id="street", zone="UTC", step="1h", unit="MW"))
        store.keep_scores(scores("street", y, forecast(y, 1)))
    done = monitor(DAY, now=NOW)
    assert (done["retrain"], done["alarms"]) == (None, [])
    assert "no alarm that a model could learn from" in done["said"]
    assert json.dumps(done)
