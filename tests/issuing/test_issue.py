"""Every series gets one official forecast of a day, whoever can say it, and however often it is asked for."""

from __future__ import annotations

import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Connection

from forecast import clock
from forecast.errors import RegistryError, RequestError, StoreError
from forecast.forecaster import Forecaster
from forecast.issuing import Issuance, Question, Speakers, block, issue
from forecast.issuing import speakers as speaking
from forecast.monitoring import realised
from forecast.recipe import FeatureConfig, Task
from forecast.registry.reader import Pointer, resolve
from forecast.settings import Settings
from forecast.store import Batch, Packed, Store
from forecast.store.forgetting import erase_rows
from forecast.store.purposes import BACKFILL, ISSUE, SHADOW, purpose_of
from forecast.tables import Demand, SeriesInfo
from forecast.training import fit
from tests.issuing.conftest import BEGIN, DAY, GATE, ZONES, fill, measured

ASKED = Question(DAY, GATE)


def said(store: Store, name: str, purpose: str = ISSUE) -> list[pd.DataFrame]:
    """What the ledger holds of a series, for a purpose."""
    return [one.forecast.frame for one in store.forecasts(name, delivery_day=DAY) if purpose_of(one.id) == purpose]


def test_what_is_issued_is_what_the_model_says_at_each_zones_gate(
    store: Store, settings: Settings, forecaster: Forecaster, now: pd.Timestamp
) -> None:
    done = issue(store, settings, ASKED, batch=2)
    assert (done.written, done.known, done.rungs) == (3, 0, {("champion", None): 3})
    for name in ZONES:
        # The store holds what came later, too: nothing of it is used.
        known = store.demand(only=[name], as_of=now)
        expected = forecaster.predict_days(known, [DAY], gate=GATE).frame
        (told,) = said(store, name)
        assert len(told) == 24
        np.testing.assert_allclose(told["q0.5"], expected["q0.5"], rtol=1e-5)
        assert (told["ds"] == expected["ds"]).all()


def test_a_second_run_and_one_with_newer_data_write_nothing(store: Store, settings: Settings) -> None:
    with clock.using("2024-02-20T08:00Z"):
        assert issue(store, settings, ASKED).written == 3
    first = {name: said(store, name) for name in ZONES}
    with clock.using("2024-02-20T09:59Z"):
        again = issue(store, settings, ASKED)
    assert (again.written, again.known, again.late_s) == (0, 3, None)
    for name in ZONES:
        pd.testing.assert_frame_equal(said(store, name)[0], first[name][0])


@pytest.mark.usefixtures("now")
def test_what_a_broken_off_run_left_is_continued(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def stop(_done: object, _due: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        issue(store, settings, ASKED, batch=1, progress=stop)
    assert sum(len(said(store, name)) for name in ZONES) == 1
    done = issue(store, settings, ASKED, batch=1)
    assert (done.written, done.known) == (2, 1)
    assert {name: len(said(store, name)) for name in ZONES} == dict.fromkeys(ZONES, 1)


def test_it_says_how_late_it_was(store: Store, settings: Settings) -> None:
    with clock.using("2024-02-20T10:30Z"):
        done = issue(store, settings, ASKED, series=["alfama"])
    assert done.late_s == 1800
    (one,) = store.forecasts("alfama", delivery_day=DAY)
    assert one.issued_at == pd.Timestamp("2024-02-20T10:30Z")
    assert one.forecast.frame["cutoff"].iloc[0] == pd.Timestamp("2024-02-20T10:00Z")
    assert "after its gate" in one.forecast.warnings[0]


def test_two_processes_say_what_one_says(store: Store, settings: Settings, tmp_path: Path, now: pd.Timestamp) -> None:
    other = settings.model_copy(update={"store": f"sqlite:///{tmp_path}/other.db"})
    with Store.open(other.store, other) as second:
        fill(second, measured())
        assert issue(second, other, ASKED, batch=1, workers=2).written == 3
        issue(store, settings, ASKED)
        for name in ZONES:
            np.testing.assert_allclose(said(second, name)[0]["mean"], said(store, name)[0]["mean"], rtol=1e-5)
            (one,) = second.forecasts(name, delivery_day=DAY)
            assert one.issued_at == now


@pytest.mark.usefixtures("now")
def test_a_registry_that_is_away_leaves_the_rungs_below_and_says_so(store: Store, settings: Settings) -> None:
    away = settings.model_copy(update={"model": None, "mlflow_uri": "http://127.0.0.1:9"})
    done = issue(store, away, ASKED)
    assert done.rungs == {("seasonal_naive", "no_model"): 3}
    assert done.below == 3
    assert "the registry does not answer" in done.notes[0]
    assert issue(store, settings, ASKED).written == 0


@pytest.mark.usefixtures("now")
def test_while_the_registry_is_away_the_versions_that_it_named_last_are_asked(
    store: Store, settings: Settings, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copied = Path(shutil.copytree(model, tmp_path / "copied"))
    ref = replace(resolve(str(copied), settings), name="demand", version="3")
    named = settings.model_copy(update={"model": None})
    monkeypatch.setattr(speaking, "pointers", lambda *_: {"champion": Pointer("3", ref.digest)})
    monkeypatch.setattr(speaking, "resolve", lambda *_: ref)
    assert Speakers.find(named).champion == ref

    def away(*_: object) -> None:
        raise RegistryError("nobody answers")

    monkeypatch.setattr(speaking, "pointers", away)
    speakers = Speakers.find(named)
    assert (speakers.champion, speakers.away) == (ref, True)
    assert "the versions that it named last are asked: nobody answers" in speakers.notes[0]
    assert issue(store, named, ASKED).rungs == {("champion", None): 3}
    # Another model is not remembered, and none whose files were changed.
    assert Speakers.find(named.model_copy(update={"model_name": "other"})).champion is None
    (copied / "forecaster.json").write_text("{}", encoding="utf-8")
    assert Speakers.find(named).champion is None


@pytest.mark.usefixtures("now")
def test_meters_that_say_nothing_true_and_strangers_have_a_forecast_too(store: Store, settings: Settings) -> None:
    frame = measured(["dead", "new", "quarters"])
    frame = frame[(frame["unique_id"] != "dead") | (frame["ds"] < BEGIN + pd.Timedelta(days=20))]
    frame = frame[(frame["unique_id"] != "new") | (frame["ds"] >= BEGIN + pd.Timedelta(days=48))]
    fill(store, frame[frame["unique_id"] != "quarters"])
    quarters = frame[frame["unique_id"] == "quarters"].set_index("ds").resample("15min").ffill().reset_index()
    with clock.using("2024-06-01T00:00Z"):
        info = SeriesInfo(unique_id="quarters", zone="Europe/Lisbon", step="15min")
        store.add(Batch(quarters, series=(info,)), "quarters")
    done = issue(store, settings, ASKED)
    assert done.written == 6
    assert done.whole
    rungs = {name: store.forecasts(name, delivery_day=DAY)[0] for name in ("dead", "new", "quarters")}
    # A meter that has been dead for a month is told as it was, not as the others are.
    assert (rungs["dead"].rung, rungs["dead"].reason) == ("seasonal_naive", "stale")
    own = frame.loc[frame["unique_id"] == "dead", "y"].mean()
    assert rungs["dead"].forecast.frame["mean"].mean() == pytest.approx(own, rel=0.1)
    assert (rungs["quarters"].rung, rungs["quarters"].reason) == ("seasonal_naive", "misfit")
    assert len(rungs["quarters"].forecast.frame) == 96
    assert rungs["new"].rung in ("champion", "seasonal_naive")
    assert any("every 0 days 01:00:00" in note for note in done.notes)


@pytest.mark.usefixtures("now")
def test_a_model_that_says_no_numbers_of_one_series_is_believed_of_the_others(
    store: Store, settings: Settings, naive: Forecaster, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    naive.save(tmp_path / "naive")
    speakers = Speakers(resolve(str(model), settings), previous=resolve(str(tmp_path / "naive"), settings))
    really = Forecaster.replies

    def spoiled(self: Forecaster, wishes: object, **more: int) -> object:
        told = really(self, wishes, **more)  # type: ignore[arg-type]
        if self.spec.name != "ridge":
            return told
        broken = [replace(one, mean_H=one.mean_H * np.nan) if one.unique_id == "belem" else one for one in told[0].told]  # type: ignore[union-attr]
        return [replace(told[0], told=tuple(broken))]  # type: ignore[type-var]

    monkeypatch.setattr(Forecaster, "replies", spoiled)
    done = issue(store, settings, ASKED, speakers=speakers)
    assert done.rungs == {("champion", None): 2, ("previous", "non_finite"): 1}


@pytest.mark.usefixtures("now")
def test_one_series_that_breaks_the_model_spoils_no_other(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = Forecaster.replies

    def breaks(self: Forecaster, wishes: list[object], **more: int) -> object:
        if "belem" in [one.unique_id for one in wishes[0].demand.series]:  # type: ignore[attr-defined]
            raise ZeroDivisionError
        return really(self, wishes, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Forecaster, "replies", breaks)
    done = issue(store, settings, ASKED)
    assert done.rungs == {("champion", None): 2, ("seasonal_naive", "error"): 1}


@pytest.mark.usefixtures("now")
def test_the_challenger_speaks_in_the_shadow_and_counts_for_nothing(
    store: Store, settings: Settings, naive: Forecaster, model: Path, tmp_path: Path
) -> None:
    naive.save(tmp_path / "naive")
    asked = {"champion": resolve(str(model), settings), "challenger": resolve(str(tmp_path / "naive"), settings)}
    assert issue(store, settings, ASKED, speakers=Speakers(**asked)).shadow == 3
    again = issue(store, settings, ASKED, speakers=Speakers(**asked))
    assert (again.written, again.shadow) == (0, 0)
    (told,) = said(store, "belem", SHADOW)
    assert not np.allclose(told["mean"], said(store, "belem")[0]["mean"])
    with clock.using("2024-02-25T00:00Z"):
        score = realised(store, "belem", DAY).score
    assert score is not None
    assert score.issued.rung == "champion"


def test_a_challenger_that_comes_later_is_asked_about_what_is_issued(
    store: Store, settings: Settings, naive: Forecaster, model: Path, tmp_path: Path, now: pd.Timestamp
) -> None:
    naive.save(tmp_path / "naive")
    champion = resolve(str(model), settings)
    issue(store, settings, ASKED, speakers=Speakers(champion))
    later = Speakers(champion, challenger=resolve(str(tmp_path / "naive"), settings))
    done = issue(store, settings, ASKED, speakers=later)
    assert (done.written, done.shadow) == (0, 3)


def test_a_backfill_knows_what_was_known_and_is_never_taken_for_served(
    store: Store, settings: Settings, forecaster: Forecaster
) -> None:
    with clock.using("2024-02-25T00:00Z"):
        done = issue(store, settings, Question(DAY, GATE, BACKFILL, "ridge"))
        assert done.written == 3
        with pytest.raises(RequestError, match="was over"):
            issue(store, settings, ASKED)
        assert realised(store, "alfama", DAY).score is None
    (told,) = said(store, "alfama", BACKFILL)
    expected = forecaster.predict_days(store.demand(only=["alfama"], as_of="2024-02-20T10:00Z"), [DAY], gate=GATE)
    np.testing.assert_allclose(told["mean"], expected.frame["mean"], rtol=1e-5)
    (one,) = store.forecasts("alfama", delivery_day=DAY)
    assert one.issued_at == pd.Timestamp("2024-02-25T00:00Z")
    assert "nobody was given it" in one.forecast.warnings[0]


def test_a_day_to_come_is_not_backfilled_and_a_distant_gate_is_waited_for(store: Store, settings: Settings) -> None:
    with clock.using("2024-02-19T12:00Z"):
        with pytest.raises(RequestError, match="a day that has begun"):
            issue(store, settings, Question(DAY, GATE, BACKFILL))
        done = issue(store, settings, ASKED)
    # Melbourne's gate is eleven hours away, Lisbon's twenty-two.
    assert (done.written, done.left) == (1, {"Europe/Lisbon": "its gate is at 2024-02-20T10:00Z"})
    assert not done.whole


@pytest.mark.usefixtures("now")
def test_a_series_that_the_store_does_not_hold_is_refused(store: Store, settings: Settings) -> None:
    with pytest.raises(StoreError, match="no series nowhere"):
        issue(store, settings, ASKED, series=["nowhere"])


def test_days_of_23_and_25_hours(store: Store, settings: Settings) -> None:
    frame = measured(["alfama"], days=310)
    fill(store, frame[frame["ds"] >= BEGIN + pd.Timedelta(days=60)])
    for day, hours in (("2024-03-31", 23), ("2024-10-27", 25)):
        with clock.using(pd.Timestamp(day, tz="UTC") - pd.Timedelta(hours=16)):
            issue(store, settings, Question(day, GATE), series=["alfama"])
        (one,) = store.forecasts("alfama", delivery_day=day)
        assert len(one.forecast.frame) == hours


def test_a_network_in_blocks_hears_the_series_of_the_others(
    store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Graphs take long to write; torch itself answers.
    monkeypatch.setattr(speaking, "load_for_serving", lambda ref, _: Forecaster.load(ref.folder))
    from forecast.networks.configs import NeighboursConfig
    from tests.builders import TINY

    network = TINY.model.network.model_copy(update={"neighbours": NeighboursConfig()})  # type: ignore[union-attr]
    model = TINY.model.model_copy(update={"network": network})
    recipe = TINY.model_copy(update={"model": model, "features": FeatureConfig(reach_days=8)})
    demand = Demand.from_frame(measured(), zone=ZONES).as_of("2024-02-19T00:00Z")
    fitted = fit(demand, recipe, Task(horizon=39)).forecaster
    fitted.save(tmp_path / "listening")
    listening = settings.model_copy(update={"model": str(tmp_path / "listening")})
    with clock.using("2024-02-20T10:00Z") as now:
        assert issue(store, listening, ASKED, batch=1).rungs == Counter({("champion", None): 3})
        known = store.demand(as_of=now).select(["alfama", "belem"])
        expected = fitted.predict_days(known, [DAY], gate=GATE).frame.groupby("unique_id")
    for name in ("alfama", "belem"):
        told = said(store, name)[0]
        np.testing.assert_allclose(told["q0.5"], expected.get_group(name)["q0.5"], rtol=2e-5)


def test_two_runs_at_once_write_each_forecast_once(
    settings: Settings, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = Barrier(2)
    really = block.writing

    def together(*asked: object, **more: object) -> object:
        # Each has read what the ledger holds, which is nothing, before the other writes.
        both.wait(timeout=60)
        return really(*asked, **more)  # type: ignore[arg-type]

    with Store.open(store_url) as store:
        fill(store, measured())
    monkeypatch.setattr(block, "writing", together)

    def run(now: str) -> Issuance:
        with clock.using(now), Store.open(store_url) as mine:
            return issue(mine, settings, ASKED, series=["alfama", "belem"])

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(run, ["2024-02-20T09:00Z", "2024-02-20T09:50Z"]))
    assert sorted((one.written, one.known) for one in found) == [(0, 2), (2, 0)]
    with Store.open(store_url) as store:
        assert [len(said(store, name)) for name in ("alfama", "belem")] == [1, 1]


@pytest.mark.usefixtures("now")
def test_a_series_that_is_forgotten_meanwhile_is_not_brought_back(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = block.record_new

    def forgetting(connection: Connection, several: list[Packed]) -> list[bool]:
        erase_rows(connection, "belem")
        return really(connection, several)

    monkeypatch.setattr(block, "record_new", forgetting)
    assert issue(store, settings, ASKED).written == 2
    assert set(store.series()) == {"alfama", "fitzroy"}
