"""How yesterday turned out, over HTTP and for the telemetry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from forecast import clock
from forecast.forecaster import Forecaster
from forecast.settings import Settings
from forecast.sources.contract import Batch
from forecast.store import Store
from forecast.tables import Columns, Forecast, SeriesInfo
from serving import create_app
from serving.judging import Judge
from serving.keeping import Keeper
from serving.realised import SkillAnswer
from serving.telemetry import Telemetry

NAME = "north/7"
TODAY = clock.now().floor("D")
BEGIN = TODAY - pd.Timedelta(days=1)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Nine days at 100, yesterday at 110, its forecast 108."""
    settings = Settings.read(home=tmp_path_factory.mktemp("home"), port=0)
    settings.mlruns.mkdir(parents=True)
    with Store.open(settings=settings) as store:
        ds = pd.date_range(BEGIN - pd.Timedelta(days=9), TODAY, freq="1h", inclusive="left")
        frame = pd.DataFrame({"unique_id": NAME, "ds": ds, "y": np.where(ds >= BEGIN, 110.0, 100.0)})
        store.add(Batch(frame, Columns(), (SeriesInfo(unique_id=NAME, step="1h"),)), "by hand", history=True)
        cutoff = BEGIN - pd.Timedelta("2h")
        said = {"mean": 108.0, "q0.1": 100.0, "q0.5": 108.0, "q0.9": 112.0}
        rows = pd.DataFrame({"unique_id": NAME, "cutoff": cutoff.as_unit("ns"), "ds": ds[-24:], **said})
        store.record(Forecast(rows, "MW", "demand"), id="a", model_version="3", issued_at=cutoff)
    return settings


@pytest.fixture(scope="module")
def asked(stored: Settings, plain: Forecaster) -> Iterator[TestClient]:
    with TestClient(create_app(stored, plain)) as one:
        yield one


def test_yesterday_is_found_and_judged(asked: TestClient) -> None:
    said = asked.get(f"/v1/series/{NAME}/skill").json()
    SkillAnswer.model_validate(said)
    assert (said["unique_id"], said["zone"], said["unit"]) == (NAME, "UTC", "MW")
    assert said["day"] == BEGIN.date().isoformat()
    scored = said["scored"]
    assert (scored["id"], scored["model"], scored["model_version"], scored["rung"]) == ("a", "demand", "3", "champion")
    assert (scored["periods"], scored["scored"], scored["naive_scored"]) == (24, 24, 24)
    assert (scored["mae"], scored["bias"], scored["naive_mae"], scored["coverage"]) == (2.0, -2.0, 10.0, 1.0)
    assert scored["mape"] == pytest.approx(100 * 2 / 110)
    assert scored["skill"] == pytest.approx(0.8)
    assert asked.get(f"/v1/series/north%2F7/skill?day={said['day']}").json() == said


def test_a_day_without_a_forecast_says_so(asked: TestClient) -> None:
    day = (BEGIN - pd.Timedelta(days=1)).date()
    said = asked.get(f"/v1/series/{NAME}/skill?day={day}").json()
    assert (said["day"], said["scored"]) == (str(day), None)
    assert said["why"] == f"no forecast of {day} was issued before it began"


@pytest.mark.parametrize(
    ("path", "status"),
    [(f"{NAME}/skill?day={day}", 422) for day in ("yesterday", "2026-02-30", "9999-12-31", "0")]
    + [("nobody/skill", 404), ("x%00y/skill", 422), (f"{'x' * 300}/skill", 404)],
)
def test_refusals_are_problems(asked: TestClient, path: str, status: int) -> None:
    answer = asked.get(f"/v1/series/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["detail"]


def test_the_judge_tells_the_telemetry(stored: Settings, tmp_path: Path) -> None:
    telemetry, keeper = Telemetry(), Keeper(stored)
    anyio.run(Judge(keeper, telemetry, pause_s=0).once)
    keeper.close()
    page = telemetry.page()[0].decode()
    assert "forecast_realised_series 1.0" in page
    assert f"forecast_realised_error_ratio {2 / 110}"[:40] in page
    assert "forecast_realised_skill_ratio 0.8" in page
