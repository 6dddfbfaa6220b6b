"""Daily tables of local midnights, end to end: read, learned, walked, forecast and answered by civil days."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from forecast import clock
from forecast.backtest import Plan, walk
from forecast.calendars import delivery_day, gate_cutoff, moment_inside
from forecast.cli import main
from forecast.errors import DataError
from forecast.forecaster import Forecaster
from forecast.metrics import sliced
from forecast.recipe import FeatureConfig, Recipe, RidgeModel, Task
from forecast.settings import Settings
from forecast.sources import Declaration
from forecast.sources.opening import read
from forecast.tables import Demand
from forecast.training import fit
from serving import create_app
from serving.examples import examples
from tests.console import at_console

ZONE, GATE = "Australia/Melbourne", "D-1T10:00"
SPRING, AUTUMN = "2023-10-01", "2023-04-02"
DAYS = pd.date_range("2022-01-01", "2023-10-31")
Y = 300.0 + 30.0 * (DAYS.dayofweek >= 5) + np.random.default_rng(3).normal(0, 1, len(DAYS))
RECIPE = Recipe(name="daily-ridge", model=RidgeModel(), context="14d", features=FeatureConfig(reach_days=17))


def midnights(days: pd.DatetimeIndex = DAYS) -> list[str]:
    """Local midnights as stamps with their offset."""
    return [delivery_day(day.date(), ZONE)[0].tz_convert(clock.zone(ZONE)).isoformat() for day in days]


def written(path: Path, stamps: list[str], **more: Any) -> Path:
    pd.DataFrame({"date": stamps, "demand": Y[: len(stamps)], **more}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def demand(tmp_path_factory: pytest.TempPathFactory) -> Demand:
    path = written(tmp_path_factory.mktemp("daily") / "town.csv", midnights())
    return read(path, Declaration(zone=ZONE))


@pytest.fixture(scope="module")
def model(demand: Demand) -> Forecaster:
    return fit(demand.as_of("2023-03-01T00:00Z"), RECIPE, Task(horizon=1, every="delivery-day", gate=GATE)).forecaster


def test_the_same_days_however_they_are_written(demand: Demand, tmp_path: Path) -> None:
    assert demand.zones == {"demand": "days:Australia/Melbourne"}
    assert demand.stamps(demand.series[0]).equals(DAYS.tz_localize("UTC").as_unit("ns"))
    dates = written(tmp_path / "dates.csv", DAYS.strftime("%Y-%m-%d").tolist())
    ends = written(tmp_path / "ends.csv", midnights(DAYS + pd.Timedelta(days=1)))
    utc = written(tmp_path / "utc.csv", [pd.Timestamp(one).tz_convert("UTC").isoformat() for one in midnights()])
    for path, options in ((dates, {}), (ends, {"stamp": "end"}), (utc, {}), (utc, {"freq": "1D"})):
        assert read(path, Declaration(zone=ZONE, **options)).digest == demand.digest, path


def test_what_is_known_when_follows_the_days(tmp_path: Path) -> None:
    late = [(delivery_day(day.date(), ZONE)[1] + pd.Timedelta("6h")).isoformat() for day in DAYS]
    table = read(written(tmp_path / "late.csv", midnights(), available_at=late), Declaration(zone=ZONE))
    for day in (AUTUMN, SPRING, "2023-06-15"):
        for hours, known in ((5.9, False), (6, True)):
            moment = delivery_day(day, ZONE)[1] + pd.Timedelta(hours=hours)
            shown = table.as_of(moment_inside(moment, "days:" + ZONE)).to_frame().set_index("ds")["y"]
            assert bool(np.isfinite(shown[pd.Timestamp(day, tz="UTC")])) is known


def test_days_of_one_table_are_those_of_one_zone(tmp_path: Path) -> None:
    frame = pd.DataFrame({"ds": DAYS.strftime("%Y-%m-%d"), "a": Y, "b": Y})
    frame.to_csv(tmp_path / "two.csv", index=False)
    with pytest.raises(DataError, match="daily series of several zones"):
        read(tmp_path / "two.csv", Declaration(target="a,b", zone=ZONE, zones={"b": "Europe/Lisbon"}))


@pytest.mark.parametrize(("first", "last"), [("2023-03-30", "2023-04-05"), ("2023-09-28", "2023-10-04")])
def test_a_walk_across_a_clock_change_scores_every_day_once(
    first: str, last: str, demand: Demand, model: Forecaster
) -> None:
    zone = demand.series[0].zone
    plan = Plan.of(first, last, "delivery-day", zone, demand.step, gate=GATE)
    walked = walk(demand, {"ridge": lambda known: fit(known, RECIPE, model.spec.task)}, plan).table
    by_day = sliced(walked, "delivery_day", zones=demand.zones)
    assert by_day["slice"].tolist() == [str(day.date()) for day in pd.date_range(first, last)]
    assert by_day["n"].tolist() == [1] * 7
    assert by_day["mae"].mean() < 5, "the week's pattern is kept across the change; a weekend differs by 30"


def test_the_same_day_from_command_line_and_service(
    demand: Demand, model: Forecaster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    model.save(tmp_path / "model")
    written(tmp_path / "town.csv", midnights())
    run = at_console(monkeypatch, capsys, tmp_path, main)
    with TestClient(create_app(Settings.read(home=tmp_path, port=0), model)) as client:
        assert client.get("/v1/models").json()["models"][0]["zone"] == ZONE
        for day in (AUTUMN, SPRING):
            start, due = delivery_day(day, ZONE)[0], gate_cutoff(day, GATE, ZONE)
            words = ("--model", "model", "--delivery-day", day, "--gate", GATE, "--out", "day.parquet")
            code, out, error = run("forecast", "predict", "town.csv", *words)
            assert code == 0, out + error
            told = pd.read_parquet(tmp_path / "day.parquet")
            assert told["ds"].tolist() == [start]
            assert told["cutoff"].tolist() == [due]
            asked = {"series": [history(day)], "delivery_day": day, "gate": GATE}
            answer = client.post("/v1/forecasts", json=asked)
            assert answer.status_code == 200, answer.text
            said = answer.json()
            assert said["cutoff"] == f"{due:%Y-%m-%dT%H:%M:%SZ}"
            assert said["forecasts"][0]["ds"] == [f"{start:%Y-%m-%dT%H:%M:%SZ}"]
            assert said["forecasts"][0]["quantiles"]["q0.5"] == pytest.approx(told["q0.5"].tolist(), rel=1e-6)


def test_the_walk_of_the_command_line_is_told_as_it_was_lived(
    demand: Demand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    written(tmp_path / "town.csv", midnights())
    words = ("--start", "2023-09-30", "--end", "2023-10-03", "--recipe", "seasonal_naive_week", "--out", "walk.parquet")
    run = at_console(monkeypatch, capsys, tmp_path, main)
    code, out, error = run("forecast", "backtest", "town.csv", "--zone", ZONE, *words)
    assert code == 0, out + error
    walked = pd.read_parquet(tmp_path / "walk.parquet")
    starts = [delivery_day(f"2023-{day}", ZONE)[0] for day in ("09-30", "10-01", "10-02", "10-03")]
    assert walked["ds"].tolist() == walked["cutoff"].tolist() == starts
    code, out, error = run("forecast", "check", "town.csv", "--zone", ZONE)
    assert code == 0, out + error
    assert "every stamp is a midnight in Australia/Melbourne" in " ".join((out + error).split())


def history(day: str) -> dict[str, Any]:
    """The days before one, as a request holds them."""
    before = DAYS[: DAYS.get_loc(pd.Timestamp(day)) - 1][-200:]
    y = Y[np.searchsorted(DAYS, before)]
    return {"unique_id": "demand", "history": {"ds": midnights(before), "y": y.tolist()}}


def test_the_service_counts_days_and_refuses_what_is_none(model: Forecaster, tmp_path: Path) -> None:
    body = history(SPRING)
    counted = {**body, "history": {"start": body["history"]["ds"][0], "step": "P1D", "y": body["history"]["y"]}}
    with TestClient(create_app(Settings.read(home=tmp_path, port=0), model)) as client:
        answers = [client.post("/v1/forecasts", json={"series": [one], "horizon": 3}).json() for one in (body, counted)]
        assert answers[0]["forecasts"] == answers[1]["forecasts"]
        local = pd.DatetimeIndex(answers[0]["forecasts"][0]["ds"]).tz_convert(clock.zone(ZONE))
        assert local.strftime("%Y-%m-%dT%H").tolist() == ["2023-09-30T00", "2023-10-01T00", "2023-10-02T00"]
        body["history"]["ds"][5] = body["history"]["ds"][5].replace("T00:00", "T01:00")
        refused = client.post("/v1/forecasts", json={"series": [body]})
        assert refused.status_code == 422
        assert "1 stamps are no midnight in Australia/Melbourne" in refused.json()["detail"]
        for one in examples(model.spec).values():
            assert client.post("/v1/forecasts", json=one["value"]).status_code == 200, one["summary"]
