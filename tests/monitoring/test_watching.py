"""What a day's scores say of all series: alarms once, drift beside the year before, inputs that are late."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast import clock
from forecast.monitoring import LIMITS, Call, Quiet, considered, drift, note_call, staleness, watch
from forecast.monitoring.page import day_figures, headline, report
from forecast.monitoring.watching import series_needed
from forecast.settings import Settings
from forecast.sources.contract import Batch
from forecast.store import Alarm, Store
from forecast.tables import Columns, SeriesInfo
from tests.monitoring.town import day, demand, forecast, scores

DAYS, AT = 100, 97
DAY = day(AT + 2)
NOW = pd.Timestamp(day(AT + 3), tz="UTC") + pd.Timedelta("11h")


def measured(name: str, y: np.ndarray, first: int) -> pd.DataFrame:
    ds = pd.date_range(pd.Timestamp(day(first), tz="UTC"), periods=y.size, freq="1h")
    return pd.DataFrame({"unique_id": name, "ds": ds, "y": y.ravel()})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Four streets; the first changes its level, the second has a model that is suddenly poor, the third is dead."""
    with Store.open(f"sqlite:///{tmp_path}/store.db") as opened, clock.using(NOW):
        for number, name in enumerate(("broken", "poor", "dead", "sound")):
            y = demand(DAYS, number)
            if name == "broken":
                y[AT:] *= 0.6
            if name == "dead":
                y[AT:] = 55.0
            said = forecast(y, number)
            if name == "poor":
                said[DAYS - 20 :] *= np.where(np.arange(24) % 2, 1.3, 0.7)
            info = SeriesInfo(unique_id=name, zone="UTC", step="1h", unit="MW")
            opened.add(Batch(measured(name, y[-2:], DAYS - 2), Columns(), (info,)), "by hand", history=True)
            opened.keep_scores(scores(name, y, said))
        yield opened


def test_every_alarm_is_raised_once(store: Store) -> None:
    watched = watch(store, DAY, batch=2)
    told = {(one.unique_id, one.kind) for one in watched.alarms}
    assert {("broken", "level"), ("poor", "error"), ("poor", "coverage"), ("dead", "stuck")} <= told
    assert not {kind for name, kind in told if name == "sound"}
    assert {kind for name, kind in told if name == "dead"} == {"stuck"}
    again = watch(store, DAY)
    assert again.alarms == watched.alarms
    assert again.open == watched.alarms
    assert len(store.alarms()) == len(watched.alarms)
    assert watched.table["unique_id"].tolist() == ["broken", "dead", "poor", "sound"]


def test_an_alarm_is_not_raised_again_the_next_day(store: Store) -> None:
    watch(store, day(AT + 1))
    again = watch(store, DAY).alarms
    assert ("broken", "level", day(AT).isoformat()) in {(one.unique_id, one.kind, one.day) for one in store.alarms()}
    assert ("broken", "level") not in {(one.unique_id, one.kind) for one in again}


def test_one_retraining_is_asked_for_and_none_before_the_cooldown_is_over(store: Store, tmp_path: Path) -> None:
    settings = Settings.read(home=tmp_path, retrain_cooldown_days=7)
    watched = watch(store, DAY)
    asked = considered(store, watched, settings)
    assert isinstance(asked, Call)
    assert considered(store, watched, settings) == asked  # until it is noted
    note_call(store, asked, watched.day)
    assert considered(store, watch(store, DAY), settings) == Quiet(f"a retraining was asked for: retrain {asked.key}")
    # A dead meter is left for a person.
    assert {one.kind for one in store.alarms(unanswered=True)} == {"stuck"}


@pytest.mark.parametrize("answered", [True, False])
def test_errors_that_a_retraining_has_seen_ask_for_no_other(store: Store, answered: bool) -> None:
    store.raise_alarms([Alarm("poor", "level", day(AT - 20).isoformat())])
    if answered:
        assert store.answer_alarms([one.id for one in store.alarms()], "retrain poor") == 1
    raised = {one.kind for one in watch(store, DAY).alarms if one.unique_id == "poor"}
    assert {"error", "coverage"} & raised == (set() if answered else {"error", "coverage"})


def test_a_dead_meter_asks_for_no_retraining(store: Store, tmp_path: Path) -> None:
    for name in ("broken", "poor"):
        store.forget(name, Settings.read(home=tmp_path, mlruns=tmp_path))
    watched = watch(store, DAY)
    assert {one.kind for one in watched.alarms} == {"stuck"}
    assert isinstance(considered(store, watched, Settings.read(home=tmp_path)), Quiet)


def test_few_of_many_series_ask_for_no_retraining(store: Store, tmp_path: Path) -> None:
    watched = watch(store, DAY)
    limits = LIMITS.model_copy(update={"retrain_share": 0.9})
    said = considered(store, watched, Settings.read(home=tmp_path), limits)
    assert isinstance(said, Quiet)
    assert "2 series broke, and 4 of 4 must" in said.text
    assert series_needed(1) == 1


def test_late_inputs_are_told_and_others_are_not(store: Store) -> None:
    late = NOW + pd.Timedelta(days=1)
    with clock.using(late):
        fresh = measured("sound", np.full((1, 24), 80.0), DAYS)
        store.add(Batch(fresh.assign(temperature=1.0), Columns(known=("temperature",))), "by hand")
        told = staleness(store)
        rows = told.table.set_index(["unique_id", "input"])["late_hours"]
        assert rows["sound", "y"] == pytest.approx(11.0)
        assert rows["broken", "y"] == pytest.approx(35.0)
        assert ("broken", "temperature") not in rows.index
        assert len(told.breaches()) == 0
    with clock.using(late + pd.Timedelta("2h")):
        assert sorted(staleness(store).breaches()["unique_id"]) == ["broken", "dead", "poor"]
        kinds = {one.unique_id for one in watch(store, DAY).alarms if one.kind == "stale"}
        assert kinds == {"broken", "dead", "poor"}
    # As of a moment before they came there is none.
    with clock.using(NOW - pd.Timedelta(days=400)):
        before = staleness(store, ["sound"]).table.set_index("input")["newest"]
        assert before.isna()["y"]


def test_drift_is_beside_the_same_season(tmp_path: Path) -> None:
    """Demand that swings by a third between summer and winter does not drift; a street that grew by 40 % does."""
    with Store.open(f"sqlite:///{tmp_path}/drift.db") as store:
        for name in ("same", "grown"):
            y = demand(430, 5, lambda y, at, name=name: y * (1.4 if name == "grown" and at > 200 else 1.0))
            info = SeriesInfo(unique_id=name, zone="UTC", step="1h", unit="MW")
            store.add(Batch(measured(name, y, 0), Columns(), (info,)), "by hand", history=True)
        moved = drift(store, ["same", "grown"], "UTC", day(429))
        assert moved.share_S == pytest.approx([0.0, 0.4], abs=0.08)
        assert moved.breaches() == ["grown"]
        # From summer to winter: the year before had a winter, too.
        assert abs(drift(store, ["same"], "UTC", day(400)).share_S[0]) < 0.08
        assert np.isnan(drift(store, ["same"], "UTC", day(300)).share_S).all()  # no year before


def test_the_page_says_what_happened(store: Store) -> None:
    watched = watch(store, DAY)
    told = report(store, watched, Quiet("no retraining is due"))
    assert told.headline == headline(watched, told.figures)
    assert told.headline.startswith("4 series: error ")
    assert "Alarms: " in told.headline
    assert told.html.count("<img ") >= 3
    assert "http" not in told.html.replace("data:image", "")  # all of it is inside
    assert 'href="https://mlflow/run?a=1&amp;b=2"' in told.linked("https://mlflow/run?a=1&b=2").html
    assert told.figures["series"] == 4
    assert day_figures([]).keys() == {"mae", "bias", "skill_vs_naive", "coverage_80"}


def test_a_store_without_scores_is_no_mistake(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/empty.db") as store:
        watched = watch(store, DAY)
        told = report(store, watched, Quiet("no retraining is due"))
    assert told.headline == f"No forecast of {DAY} can be judged yet."
