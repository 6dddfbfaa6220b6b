"""The flows of every day on a real store: ingest, issue, backfill, maintain; killed, locked out, left alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from prefect.client.orchestration import get_client

from flows import issue as issuing
from flows.backfill import backfill
from flows.ingest import ingest
from flows.issue import issue
from flows.maintain import maintain
from forecast import clock
from forecast.errors import RequestError, SourceError, StoreDown
from forecast.recipe import FeatureConfig, Recipe, RidgeModel, Task
from forecast.settings import Settings
from forecast.store import Batch, Store
from forecast.store.engine import writing
from forecast.store.purposes import purpose_of
from forecast.tables import Demand, SeriesInfo
from forecast.training import fit

ZONE, DAYS = "Europe/Lisbon", 40
METERS = [f"meter-{number:02d}" for number in range(6)]
DAY, NOW = "2024-02-06", "2024-02-05T09:30+00:00"
AFTER = "2024-02-12T08:00+00:00"


def measured(days: range) -> pd.DataFrame:
    """Hourly demand of all meters."""
    ds = pd.DatetimeIndex(
        [pd.Timestamp("2024-01-01", tz="UTC") + pd.Timedelta(days=d, hours=h) for d in days for h in range(24)]
    )
    hour = np.asarray((ds - pd.Timestamp("2024-01-01", tz="UTC")) / pd.Timedelta("1h"))
    parts = []
    for number, name in enumerate(METERS):
        noise = np.random.default_rng(number).normal(0, 3, len(ds))
        y = 100 + number + 20 * np.sin(2 * np.pi * hour / 24) - 10 * (ds.weekday >= 5) + noise
        parts.append(pd.DataFrame({"unique_id": name, "ds": ds, "y": y.round(3)}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ridge of 33 days."""
    demand = Demand.from_frame(measured(range(33)), zone=ZONE)
    recipe = Recipe(name="ridge", model=RidgeModel(), context="2d", features=FeatureConfig(reach_days=8))
    folder = tmp_path_factory.mktemp("model") / "ridge"
    fit(demand, recipe, Task(horizon=39, gate="D-1T10:00", every="delivery-day")).forecaster.save(folder)
    return folder


@pytest.fixture(scope="module")
def filled_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that holds everything, also what came after NOW."""
    path = tmp_path_factory.mktemp("filled") / "store.db"
    told = tuple(SeriesInfo(unique_id=name, zone=ZONE, step="1h") for name in METERS)
    with clock.using(AFTER), Store.open(f"sqlite:///{path}") as store:
        store.add(Batch(measured(range(DAYS)), series=told), "meters")
    return path


@pytest.fixture
def settings(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, prefect_server: None) -> Settings:
    """A home with a list of one source: an inbox with the days before NOW."""
    for name, value in {
        "FORECAST_HOME": str(tmp_path), "FORECAST_MLFLOW_URI": f"sqlite:///{tmp_path}/mlruns/mlflow.db",
        "FORECAST_MODEL": str(model),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    (tmp_path / "inbox").mkdir()
    (tmp_path / "mlruns").mkdir()
    drop(tmp_path, range(35), "first.csv")
    (tmp_path / "sources.toml").write_text(
        f'[[source]]\nname = "meters"\ndata = "inbox"\nzone = "{ZONE}"\nsettle = "0s"\n', encoding="utf-8"
    )
    return Settings.read()


@pytest.fixture
def filled(settings: Settings, filled_store: Path) -> Settings:
    """The same, with everything in the store."""
    shutil.copy(filled_store, settings.mlruns / "store.db")
    return settings


def drop(home: Path, days: range, name: str) -> None:
    """A file arrives, early in the simulated year."""
    path = home / "inbox" / name
    measured(days).to_csv(path, index=False)
    os.utime(path, (1_704_000_000, 1_704_000_000))


def ledger(settings: Settings, day: str = DAY) -> dict[str, list[Any]]:
    """What the ledger holds of a day, by meter."""
    with Store.open(settings=settings) as store:
        return {name: store.forecasts(name, delivery_day=day) for name in METERS}


def artifacts(key: str) -> list[Any]:
    """The data of all artifacts with a key, oldest first."""
    with get_client(sync_client=True) as client:
        found = client.request("POST", "/artifacts/filter", json={"limit": 100}).json()
    mine = sorted((one for one in found if one["key"] == key), key=lambda one: str(one["created"]))
    return [json.loads(one["data"]) if one["type"] == "table" else one["data"] for one in mine]


def test_ingest_stores_what_is_new_and_says_what_is_late(settings: Settings) -> None:
    (one,) = ingest(now=NOW)
    assert (one["new"], one["revised"], one["series"], one["failed"]) == (35 * 24 * 6, 0, 6, None)
    (again,) = ingest(now=NOW)
    assert (again["new"], again["revised"]) == (0, 0)
    drop(settings.home, range(34, 36), "third.csv")
    (more,) = ingest(now="2024-02-06T00:10+00:00")
    assert more["new"] == 24 * 6
    rows = artifacts("staleness")
    assert [row["known until"] for row in rows[-1]] == ["2024-02-06 00:00Z"] * 6
    assert artifacts("ingested")[-1][0]["new"] == 24 * 6


def test_a_source_that_fails_keeps_no_other_from_being_read(settings: Settings) -> None:
    listed = settings.source_list
    listed.write_text('[[source]]\nname = "gone"\ndata = "nosuch.csv"\n\n' + listed.read_text("utf-8"), "utf-8")
    with pytest.raises(SourceError, match=r"1 of 2 .*gone: nothing is called nosuch.csv"):
        ingest(now=NOW)
    with Store.open(settings=settings) as store:
        assert set(store.series()) == set(METERS)


def test_a_broken_file_is_told_once_and_the_rest_is_read(settings: Settings) -> None:
    bad = settings.home / "inbox" / "bad.csv"
    bad.write_text("unique_id,ds,y\nmeter-01,2024-01-01 00:00,abc\n", encoding="utf-8")
    os.utime(bad, (1_704_000_000, 1_704_000_000))
    with pytest.raises(SourceError, match="hold what is refused"):
        ingest(now=NOW)
    (one,) = ingest(now=NOW)
    assert "bad.csv" in one["refused"]
    assert one["new"] == 0


def test_issue_is_whole_tagged_told_and_done_once(filled: Settings) -> None:
    done = issue(now=NOW)
    assert (done["written"], done["rungs"], done["late_s"]) == (6, {"champion": 6}, -1800)
    assert {name: len(told) for name, told in ledger(filled).items()} == dict.fromkeys(METERS, 1)
    with Store.open(settings=filled) as store:
        mark = store.done("issue", DAY)
    assert mark is not None
    assert mark.at == pd.Timestamp(NOW)
    told = len(artifacts(f"issue-{DAY}"))
    assert issue(now="2024-02-05T09:45+00:00") == {**done, "written": 0, "known": 6}
    assert len(artifacts(f"issue-{DAY}")) == told
    assert issue(now="2024-02-05T09:50+00:00", force=True)["written"] == 0
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs()
    assert sum(f"key:{DAY}" in one.tags for one in runs) >= 3


def test_a_store_without_values_is_not_done(settings: Settings) -> None:
    """What comes before the gate has its forecast by the next run."""
    assert issue(now=NOW)["written"] == 0
    with Store.open(settings=settings) as store:
        assert store.done("issue", DAY) is None


def test_what_is_late_says_so(filled: Settings) -> None:
    assert issue(now="2024-02-05T10:10+00:00")["late_s"] == 600
    assert "LATE: the last was written 10 minutes after its gate" in artifacts(f"issue-{DAY}")[-1]


def test_a_registry_that_is_away_leaves_the_rungs_below(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORECAST_MODEL")
    monkeypatch.setenv("FORECAST_MLFLOW_URI", "http://127.0.0.1:9")
    monkeypatch.setattr(issuing, "find", issuing.find.with_options(retry_delay_seconds=0))
    done = issue(now=NOW)
    assert done["rungs"] == {"seasonal_naive: no_model": 6}
    assert "the registry does not answer" in artifacts(f"issue-{DAY}")[-1]


def test_a_store_that_is_locked_is_asked_again(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import once

    monkeypatch.setenv("FORECAST_STORE_PATIENCE_S", "0.5")
    monkeypatch.setattr(issuing, "written", issuing.written.with_options(retries=1, retry_delay_seconds=0))
    monkeypatch.setattr(once, "mark", once.mark.with_options(retries=0))
    with Store.open(settings=filled) as other:
        with writing(other.engine), pytest.raises(StoreDown, match="being written by another process"):
            issue(now=NOW)
        assert issue(now=NOW)["written"] == 6
    assert all(len(told) == 1 for told in ledger(filled).values())


KILLED = """
import os, sys
from flows import issue
from forecast.issuing import block
really = block.record_new
def slow(connection, several):
    told = really(connection, several)
    if several:
        print("written", flush=True)
        input()
    return told
block.record_new = slow
issue.issue(now=sys.argv[1], batch=2)
"""


def test_a_run_that_is_killed_is_continued_and_every_meter_has_one(filled: Settings) -> None:
    from prefect.settings import PREFECT_API_URL

    env = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value()), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, NOW], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "written\n"
        child.stdin.write("\n")
        child.stdin.flush()
        # The first block is committed, the second is being written.
        assert child.stdout.readline() == "written\n"
        child.send_signal(signal.SIGKILL)
        child.wait()
    before = {name for name, told in ledger(filled).items() if told}
    assert len(before) == 2
    done = issue(now="2024-02-05T09:45+00:00", batch=2)
    assert (done["written"], done["known"]) == (4, 2)
    after = ledger(filled)
    assert {name: len(told) for name, told in after.items()} == dict.fromkeys(METERS, 1)
    assert {one.issued_at for name in before for one in after[name]} == {pd.Timestamp(NOW)}


def test_backfill_stands_apart_and_is_done_once(filled: Settings) -> None:
    issue(now=NOW)
    done = backfill(days=2, now=AFTER)
    assert [(one["day"], one["written"]) for one in done] == [
        ("2024-02-10", 6), ("2024-02-11", 6)
    ]  # fmt: skip
    whole = backfill(DAY, DAY, now=AFTER)
    assert whole[0]["written"] == 6
    purposes = {purpose_of(one.id) for told in ledger(filled).values() for one in told}
    assert purposes == {"issue", "backfill"}
    assert backfill(DAY, DAY, now=AFTER)[0] == {"day": DAY, **{k: v for k, v in whole[0].items() if k != "day"}}
    # A day that was issued lacks nothing.
    assert backfill(DAY, DAY, missing=True, now=AFTER, force=True)[0]["written"] == 0
    with pytest.raises(RequestError, match="a day that has begun"):
        backfill("2024-02-15", "2024-02-15", now=AFTER)


def test_maintain_keeps_everything_unless_it_is_told_otherwise(
    filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stored() -> int:
        with Store.open(settings=filled) as store:
            return store.contents().rows

    before = stored()
    maintain(now=AFTER)
    assert stored() == before == DAYS * 24 * 6
    monkeypatch.setenv("FORECAST_KEEP_OBSERVATIONS_DAYS", "60")
    later = "2024-03-20T08:00+00:00"
    (row, *_) = maintain(dry_run=True, now=later)
    assert stored() == before
    # Sixty days before are 20 January, eight o'clock.
    assert row["count"] == (19 * 24 + 8) * 6
    did = maintain(now=later)
    assert stored() == before - row["count"]
    assert artifacts("maintained")[-1][0]["count"] == row["count"]
    assert maintain(now=later) == did
