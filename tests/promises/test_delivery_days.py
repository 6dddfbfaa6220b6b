"""Whole delivery days, the same from library, command line and service: nothing missing, nothing doubled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from forecast import clock
from forecast.backtest import Plan, walk
from forecast.calendars import delivery_day, gate_cutoff, longest_reach, periods
from forecast.cli import main
from forecast.errors import DataError, DeclarationError, RequestError
from forecast.forecaster import Forecaster
from forecast.metrics import score, sliced
from forecast.recipe import FeatureConfig, Recipe, RidgeModel, SeasonalNaiveModel, Task
from forecast.settings import Settings
from forecast.tables import Demand
from forecast.training import fit
from forecast.training.span import Span
from serving import create_app
from tests.console import at_console

GATE = "D-1T10:00"
LISBON, HOWE, APIA = "Europe/Lisbon", "Australia/Lord_Howe", "Pacific/Apia"
SPRING, AUTUMN, PLAIN = "2023-03-26", "2023-10-29", "2023-06-15"
NAIVE = Recipe(name="week", model=SeasonalNaiveModel())
RIDGE = Recipe(name="tiny-ridge", model=RidgeModel(), context="1d", features=FeatureConfig(reach_days=8))


def wave(start: str, end: str, step: str, zone: str, names: tuple[str, ...] = ("town",)) -> pd.DataFrame:
    """Demand that follows the local clock: its hour and whether it is a weekend."""
    ds = pd.date_range(start, end, freq=step, tz="UTC", inclusive="left")
    local = ds.tz_convert(clock.zone(zone))
    turn = (local.hour + local.minute / 60) / 24
    y = 100 + 20 * np.sin(2 * np.pi * turn) - 10 * (local.weekday >= 5)
    noise = np.random.default_rng(5).normal(0, 1, len(ds))
    return pd.concat([pd.DataFrame({"unique_id": name, "ds": ds, "y": y + noise}) for name in names], ignore_index=True)


def table(start: str, end: str, step: str, zone: str) -> Demand:
    return Demand.from_frame(wave(start, end, step, zone), zone=zone)


def task(step: str, zone: str = LISBON) -> Task:
    return Task(horizon=longest_reach(GATE, pd.Timedelta(step), zone), every="delivery-day", gate=GATE)


@pytest.fixture(scope="module")
def year() -> Demand:
    """A year of quarters of an hour in Lisbon."""
    return table("2023-01-01", "2023-11-05", "15min", LISBON)


@pytest.fixture(scope="module")
def model(year: Demand) -> Forecaster:
    """A model that learned before the spring change, for days that are due at their gate."""
    return fit(year.as_of("2023-03-20T00:00Z"), RIDGE, task("15min")).forecaster


# ---- one question, three doors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "quarters"), [(SPRING, 92), (PLAIN, 96), (AUTUMN, 100)])
def test_the_same_day_from_library_command_line_and_service(
    day: str, quarters: int, year: Demand, model: Forecaster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    said = model.predict_days(year, [day], gate=GATE).frame
    assert said["ds"].tolist() == periods(day, LISBON, "15min").tolist()
    assert len(said) == quarters
    assert set(said["cutoff"]) == {gate_cutoff(day, GATE, LISBON)}
    model.save(tmp_path / "model")
    frame = year.to_frame()
    frame[["ds", "y"]].to_csv(tmp_path / "town.csv", index=False)
    words = ("--model", "model", "--delivery-day", day, "--gate", GATE, "--out", "day.parquet")
    run = at_console(monkeypatch, capsys, tmp_path, main)
    code, out, error = run("forecast", "predict", "town.csv", "--zone", LISBON, *words)
    assert code == 0, out + error
    told = pd.read_parquet(tmp_path / "day.parquet")
    assert told["ds"].tolist() == said["ds"].tolist()
    np.testing.assert_allclose(told["q0.5"], said["q0.5"], rtol=1e-12)
    answer = ask(model, frame, tmp_path, day, gate=GATE)
    (one,) = answer["forecasts"]
    assert pd.to_datetime(one["ds"]).tolist() == said["ds"].tolist()
    assert one["quantiles"]["q0.5"] == pytest.approx(said["q0.5"].tolist(), rel=1e-6)
    assert answer["cutoff"] == f"{gate_cutoff(day, GATE, LISBON):%Y-%m-%dT%H:%M:%SZ}"


def ask(model: Forecaster, frame: pd.DataFrame, home: Path, day: str, **more: str) -> dict[str, Any]:
    """The service's answer to forty days of history before a day."""
    start = delivery_day(day, LISBON)[0]
    near = frame[(frame["ds"] >= start - pd.Timedelta(days=40)) & (frame["ds"] < start)]
    history = {"ds": near["ds"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").tolist(), "y": near["y"].tolist()}
    body = {"series": [{"unique_id": "town", "zone": LISBON, "history": history}], "delivery_day": day, **more}
    with TestClient(create_app(Settings.read(home=home, port=0, max_body_bytes=5_000_000), model)) as client:
        answer = client.post("/v1/forecasts", json=body)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def test_many_days_from_their_own_gates(year: Demand, model: Forecaster) -> None:
    days = [str(day.date()) for day in pd.date_range("2023-10-27", "2023-10-31")]
    said = model.predict_days(year, days, gate=GATE).frame
    assert said["ds"].tolist() == [ds for day in days for ds in periods(day, LISBON, "15min")]
    assert said["cutoff"].nunique() == 5
    assert (said["cutoff"].dt.tz_convert(clock.zone(LISBON)).dt.hour == 10).all()
    leads = (said["ds"] - said["cutoff"]).groupby(said["cutoff"]).agg(["min", "max"]) / pd.Timedelta("1h")
    assert leads["min"].tolist() == [14] * 5
    assert leads["max"].tolist() == [37.75, 37.75, 38.75, 37.75, 37.75]


def test_a_day_of_series_in_several_zones_is_each_series_own() -> None:
    frame = pd.concat([
        wave("2023-03-01", "2023-04-02", "1h", LISBON, ("a", "c")),
        wave("2023-03-01", "2023-04-02", "1h", HOWE, ("b",)),
    ])  # fmt: skip
    zones = {"a": LISBON, "b": HOWE, "c": LISBON}
    demand = Demand.from_frame(frame.sort_values(["unique_id", "ds"]), zone=zones)
    said = fit(demand, NAIVE, Task(horizon=48)).forecaster.predict_days(demand, [SPRING], gate=GATE).frame
    assert list(said["unique_id"].unique()) == ["a", "b", "c"]
    for name, part in said.groupby("unique_id"):
        zone = zones[str(name)]
        phase = pd.Timestamp("2023-01-01", tz="UTC")
        assert part["ds"].tolist() == periods(SPRING, zone, "1h", phase).tolist()
        assert set(part["cutoff"]) == {gate_cutoff(SPRING, GATE, zone)}


def test_what_cannot_be_a_delivery_day_is_refused(year: Demand, model: Forecaster) -> None:
    with pytest.raises(RequestError, match="both the gate D-1T10:00 and the cutoff"):
        model.predict_days(year, [PLAIN], gate=GATE, cutoff=pd.Timestamp("2023-06-01T00:00Z"))
    with pytest.raises(RequestError, match="ended at 2023-06-15T23:00Z, before the cutoff"):
        model.predict_days(year, [PLAIN], cutoff=pd.Timestamp("2023-06-16T00:00Z"))
    with pytest.raises(RequestError, match="ends 32 days after the cutoff"):
        model.predict_days(year, [PLAIN], cutoff=pd.Timestamp("2023-05-15T00:00Z"))
    with pytest.raises(RequestError, match=r"'2023-02-30' is not a date"):
        model.predict_days(year, ["2023-02-30"], gate=GATE)
    with pytest.raises(DeclarationError, match="the gate 'noon' cannot be read"):
        model.predict_days(year, [PLAIN], gate="noon")
    with pytest.raises(RequestError, match="no delivery day"):
        model.predict_days(year, [])
    with pytest.raises(RequestError, match="no period of 0 days 00:15:00 starts on the rest of the day"):
        model.predict_days(year, [PLAIN], cutoff=pd.Timestamp("2023-06-15T22:50Z"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--gate", GATE), "--gate D-1T10:00 without --delivery-day"),
        (("--delivery-day", PLAIN, "--gate", GATE, "--cutoff", "2023-06-14"), "one of the two: the gate says"),
        (("--delivery-day", "2011-12-30", "--gate", GATE, "--zone", APIA), "2011-12-30 does not exist"),
        (("--delivery-day", PLAIN, "--gate", "D-1"), "the gate 'D-1' cannot be read"),
    ],
)
def test_the_command_line_says_why_not(
    words: tuple[str, ...], said: str, year: Demand, model: Forecaster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    model.save(tmp_path / "model")
    year.to_frame()[["ds", "y"]].tail(4_000).to_csv(tmp_path / "town.csv", index=False)
    code, out, error = at_console(monkeypatch, capsys, tmp_path, main)("forecast", "predict", "town.csv", *words)
    assert code == 2, out + error
    assert said in " ".join((out + error).split())


# ---- walks, training and scores ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "step", "start", "days", "counts"),
    [
        (LISBON, "5min", "2023-03-01", ("2023-03-25", "2023-03-27"), [288, 276, 288]),
        (LISBON, "5min", "2023-10-10", ("2023-10-28", "2023-10-30"), [288, 300, 288]),
        (LISBON, "10min", "2023-10-10", ("2023-10-28", "2023-10-30"), [144, 150, 144]),
        (LISBON, "3h", "2023-03-01", ("2023-03-25", "2023-03-27"), [8, 8, 8]),
        (HOWE, "1h", "2014-03-01", ("2014-04-05", "2014-04-07"), [24, 25, 24]),
        (HOWE, "30min", "2014-09-01", ("2014-10-04", "2014-10-06"), [48, 47, 48]),
        ("Asia/Kathmandu", "1h", "2023-03-01", ("2023-03-25", "2023-03-26"), [24, 24]),
        (APIA, "1h", "2011-12-01", ("2011-12-28", "2012-01-01"), [24, 24, 24, 24]),
    ],
)
def test_a_walk_reports_and_scores_whole_days(
    zone: str, step: str, start: str, days: tuple[str, str], counts: list[int]
) -> None:
    first, last = days
    demand = table(start, str(pd.Timestamp(last) + pd.Timedelta(days=3)), step, zone)
    plan = Plan.of(first, last, "delivery-day", zone, demand.step, gate=GATE)
    walked = walk(demand, {"week": lambda known: fit(known, NAIVE, task(step, zone))}, plan).table
    assert not walked.duplicated(["ds"]).any()
    assert walked["ds"].diff().dropna().eq(demand.step).all(), "no hole between the days"
    assert (walked["cutoff"] < walked["ds"]).all()
    by_day = sliced(walked, "delivery_day", zones=demand.zones)
    assert by_day["n"].tolist() == counts
    assert by_day["slice"].tolist()[0] == first
    assert by_day["slice"].tolist()[-1] == last
    assert by_day["mae"].notna().all()
    assert np.isfinite(score(walked, zones=demand.zones)["peak_mae"]).all(), "every day counts as whole"


def test_training_cutoffs_are_the_gates_of_the_days(year: Demand) -> None:
    span = Span(year, RIDGE, task("15min"))
    moments = span.moments()
    local = moments.tz_convert(clock.zone(LISBON))
    assert set(local.strftime("%H:%M")) == {"10:00"}
    assert local.normalize().is_unique
    assert len(moments) >= (moments[-1] - moments[0]).days
    windows = span.windows(span.features(year), year)
    rows, ends = windows.origins.rows_N, windows.origins.cutoffs_N
    assert rows is not None
    assert ends is not None
    first = year.starts_S[0] + rows * year.step.value
    assert (first == ends).all(), "a gate on the series' clock is itself the start of the first step"
    assert set(ends.tolist()) <= set(moments.asi8.tolist())


def test_five_minutes_are_learned_and_forecast() -> None:
    demand = table("2023-02-20", "2023-03-28", "5min", LISBON)
    trained = fit(demand.as_of("2023-03-24T00:00Z"), RIDGE, task("5min"))
    said = trained.forecaster.predict_days(demand, [SPRING], gate=GATE).frame
    assert len(said) == 276
    actual = demand.to_frame().merge(said, on=["unique_id", "ds"])
    assert (actual["y"] - actual["q0.5"]).abs().mean() < 5, "of 20 that the day swings"


def test_days_that_the_date_line_took_are_not_walked() -> None:
    plan = Plan.of("2011-12-28", "2012-01-01", "delivery-day", APIA, pd.Timedelta("1h"), gate=GATE)
    assert plan.spans is not None
    assert len(plan.cutoffs) == len(plan.spans) == 4
    assert plan.spans[1][1] == plan.spans[2][0]
    with pytest.raises(DataError, match="no day from 2011-12-30"):
        Plan.of("2011-12-30", "2011-12-30", "delivery-day", APIA, pd.Timedelta("1h"), gate=GATE)
