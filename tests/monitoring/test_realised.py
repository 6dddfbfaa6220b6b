"""Errors of a ledger that was written by hand, calculated by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast import clock
from forecast.errors import DataError, StoreError
from forecast.monitoring import realised, together
from forecast.sources.contract import Batch
from forecast.store import Store
from forecast.tables import Columns, Forecast, SeriesInfo

ZONE = "Europe/Lisbon"
DAY = "2024-10-27"  # of 25 hours there
BEGIN = pd.Timestamp("2024-10-26T23:00Z")
EVENING = BEGIN - pd.Timedelta("3h")
HOURS = 25
NOW = BEGIN + pd.Timedelta(hours=HOURS + 2)


def measured(store: Store, ds: pd.DatetimeIndex, y: float | np.ndarray, name: str = "north", unit: str = "MW") -> None:
    frame = pd.DataFrame({"unique_id": name, "ds": ds, "y": y})
    info = SeriesInfo(unique_id=name, zone=ZONE, unit=unit, step="1h")
    store.add(Batch(frame, Columns(), (info,)), "by hand", history=True)


def say(
    store: Store, id: str, middle: float, *, first: pd.Timestamp = BEGIN, hours: int = HOURS, unit: str = "MW",
    cutoff: pd.Timestamp = EVENING, issued_at: pd.Timestamp | None = None, name: str = "north",
    rung: str = "champion",
) -> None:  # fmt: skip
    ds = pd.date_range(first, periods=hours, freq="1h")
    numbers = {"mean": -1.0, "q0.1": middle - 5.0, "q0.5": middle, "q0.9": middle + 5.0}
    frame = pd.DataFrame({"unique_id": name, "cutoff": cutoff.as_unit("ns"), "ds": ds, **numbers})
    store.record(Forecast(frame, unit, "lstm"), id=id, rung=rung, issued_at=issued_at or cutoff)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A week at 90, the day at 100 but for two hours at 120 and one that is missing."""
    with Store.open(f"sqlite:///{tmp_path}/store.db") as opened, clock.using(NOW):
        week = pd.date_range(BEGIN - pd.Timedelta(days=8), BEGIN, freq="1h", inclusive="left")
        measured(opened, week, 90.0)
        y = np.full(HOURS, 100.0)
        y[:2], y[7] = 120.0, np.nan
        measured(opened, pd.date_range(BEGIN, periods=HOURS, freq="1h"), y)
        yield opened


def test_the_errors_of_a_day_of_25_hours(store: Store) -> None:
    say(store, "a", 104.0)
    told = realised(store, "north", DAY)
    score = told.score
    assert score is not None
    assert (told.zone, told.unit, str(told.day), score.issued.id) == (ZONE, "MW", DAY, "a")
    assert (score.periods, score.scored, score.naive_scored) == (25, 24, 24)
    # 22 hours at 100 (4 too much), 2 at 120 (16 too little, outside the band).
    assert score.mae == pytest.approx((22 * 4 + 2 * 16) / 24)
    assert score.bias == pytest.approx((22 * 4 - 2 * 16) / 24)
    assert score.mape == pytest.approx(100 * (22 * 4 / 100 + 2 * 16 / 120) / 24)
    assert score.coverage == pytest.approx(22 / 24)
    assert score.naive_mae == pytest.approx((22 * 10 + 2 * 30) / 24)
    assert score.skill == pytest.approx(1 - 120 / 280)


def test_the_last_forecast_before_the_day_counts(store: Store) -> None:
    say(store, "early", 90.0, issued_at=BEGIN - pd.Timedelta("9h"))
    say(store, "last", 101.0, issued_at=BEGIN - pd.Timedelta("1min"))
    # Made when the day was half over, whatever its cutoff says; half a day only; given to nobody.
    say(store, "after", 100.0, issued_at=BEGIN + pd.Timedelta("12h"))
    say(store, "half", 100.0, hours=12, issued_at=BEGIN - pd.Timedelta("1s"))
    say(store, "shadow", 100.0, issued_at=BEGIN - pd.Timedelta("1s"), rung="challenger")
    score = realised(store, "north", DAY).score
    assert score is not None
    assert score.issued.id == "last"


def test_half_a_forecast_is_judged_where_there_is_no_whole_one(store: Store) -> None:
    say(store, "half", 100.0, hours=12)
    score = realised(store, "north", DAY).score
    assert score is not None
    assert (score.periods, score.scored) == (25, 11)
    assert score.mae == pytest.approx(40 / 11)


def test_the_naive_knows_what_the_forecast_could_know(store: Store) -> None:
    # Six days before, of the same hour a week before only what was over then is known.
    say(store, "a", 104.0, cutoff=BEGIN - pd.Timedelta(days=7) + pd.Timedelta("5h"))
    score = realised(store, "north", DAY).score
    assert score is not None
    # Five local hours of a week before were over; the clock is set back in the night of the day, so that one of them
    # (01:00) answers two.
    assert score.naive_scored == 6
    assert score.compared_mae == pytest.approx((2 * 16 + 4 * 4) / 6)


def test_units_are_brought_together(store: Store) -> None:
    say(store, "a", 0.104, unit="GW")
    score = realised(store, "north", DAY).score
    assert score is not None
    assert score.bias == pytest.approx((22 * 4 - 2 * 16) / 24)


def test_the_last_day_is_found(store: Store) -> None:
    assert realised(store, "north").score is None
    assert realised(store, "north").why == f"no forecast of {DAY} was issued before it began"
    say(store, "a", 104.0)
    assert str(realised(store, "north").day) == DAY
    # The day before is complete, this one lacks an hour.
    say(store, "b", 95.0, first=BEGIN - pd.Timedelta("24h"), hours=24, cutoff=BEGIN - pd.Timedelta("30h"))
    told = realised(store, "north")
    assert str(told.day) == "2024-10-26"
    assert told.score is not None
    assert (told.score.mae, told.score.naive_mae, told.score.coverage) == (5.0, 0.0, 1.0)
    assert np.isnan(told.score.skill)


def test_a_day_that_is_not_measured_says_so(store: Store) -> None:
    say(store, "a", 104.0, first=BEGIN + pd.Timedelta("25h"), hours=24)
    told = realised(store, "north", "2024-10-28")
    assert told.score is None
    assert told.why == "nothing that was measured on 2024-10-28 is known yet"


def test_unknown_series_and_days_are_named(store: Store) -> None:
    with pytest.raises(StoreError, match="no series south"):
        realised(store, "south")
    with pytest.raises(DataError, match="not a date"):
        realised(store, "north", "yesterday")


def test_many_series_count_by_their_size(store: Store) -> None:
    say(store, "a", 104.0)
    measured(store, pd.date_range(BEGIN - pd.Timedelta(days=8), NOW, freq="1h"), 1000.0, "house", "kW")
    say(store, "b", 500.0, name="house", unit="kW")
    error, skill, judged = together([realised(store, name, DAY) for name in ("north", "house")])
    # House: 25 hours, half a megawatt wrong each, a megawatt of demand; its naive was right.
    assert judged == 2
    assert error == pytest.approx((120 + 25 * 0.5) / (22 * 100 + 2 * 120 + 25))
    assert skill == pytest.approx(1 - (120 + 12.5) / 280)


def test_a_daily_table(store: Store) -> None:
    stamps = pd.DatetimeIndex([pd.Timestamp(f"2024-10-{day}", tz="UTC") for day in range(15, 28)])
    frame = pd.DataFrame({"unique_id": "town", "ds": stamps, "y": np.arange(13) + 100.0})
    info = SeriesInfo(unique_id="town", zone=f"days:{ZONE}", step="1D")
    store.add(Batch(frame, Columns(), (info,)), "by hand", history=True)
    ds = pd.DatetimeIndex(["2024-10-26T23:00Z"])  # its midnight as it was lived
    numbers = {"mean": 110.0, "q0.1": 100.0, "q0.5": 110.0, "q0.9": 115.0}
    rows = pd.DataFrame({"unique_id": "town", "cutoff": BEGIN - pd.Timedelta("1h"), "ds": ds, **numbers})
    store.record(Forecast(rows, "MW", "lstm"), id="t", issued_at=BEGIN - pd.Timedelta("1h"))
    score = realised(store, "town", DAY).score
    assert score is not None
    assert (score.periods, score.scored, score.mae, score.naive_mae) == (1, 1, 2.0, 7.0)
