"""Many series of one day are judged as one series is, kept in the store, and judged again when values come late."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast import clock
from forecast.errors import DataError, StoreError
from forecast.monitoring import realised, score_day
from forecast.monitoring.realised import Score
from forecast.sources.contract import Batch
from forecast.store import DayScore, Packed, Said, Store
from forecast.tables import Columns, Forecast, SeriesInfo

DAY = "2024-10-27"  # of 25 hours in Lisbon
ZONES = {
    "lisbon": ("Europe/Lisbon", "1h", "MW"), "lisbon kW": ("Europe/Lisbon", "1h", "kWh"),
    "kolkata": ("Asia/Kolkata", "30min", "MW"), "nobody": ("Europe/Lisbon", "1h", "MW"),
    "unmeasured": ("UTC", "1h", "MW"), "late": ("America/New_York", "1h", "GW"),
}  # fmt: skip
EXACT = ("periods", "scored", "naive_scored")
NEAR = ("mae", "bias", "mape", "coverage", "demand", "naive_mae", "compared_mae", "skill")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Three weeks of several series with gaps and revisions, forecasts early and late, whole and in part."""
    random = np.random.default_rng(7)
    with Store.open(f"sqlite:///{tmp_path}/store.db") as opened, clock.using("2024-10-29T12:00Z"):
        for place, (name, (zone, step, unit)) in enumerate(ZONES.items()):
            begin = pd.Timestamp(DAY, tz=zone).tz_convert("UTC")
            ds = pd.date_range(begin - pd.Timedelta("20D"), begin + pd.Timedelta("25h"), freq=step, inclusive="left")
            frame = pd.DataFrame({"unique_id": name, "ds": ds, "y": random.uniform(50, 100, len(ds))})
            kept = frame[(random.random(len(ds)) > 0.1) & ((name != "unmeasured") | (ds < begin))]
            info = SeriesInfo(unique_id=name, zone=zone, step=step, unit=unit)
            opened.add(Batch(kept, Columns(), (info,)), "by hand", history=True)
            opened.add(Batch(kept.iloc[::17].assign(y=1.0), Columns(), (info,)), "again")  # revised now
            if name != "nobody":
                say(opened, name, begin, step, 100 * place)
        yield opened


def say(store: Store, name: str, begin: pd.Timestamp, step: str, seed: int) -> None:
    """A whole forecast of the eve, an older one, half a day at the last moment, one in shadow, one afterwards."""
    random, hour = np.random.default_rng(seed), pd.Timedelta("1h")
    told = {"old": (-40, 0, 60), "eve": (-14, -10, 48), "half": (-1, 0, 12), "challenger": (-1, 0, 48)}
    told["after"] = (1, 0, 48)
    for rung, (issued, first, hours) in told.items():
        ds = pd.date_range(begin + first * hour, begin + (first + hours) * hour, freq=step, inclusive="left")
        values = np.sort(random.uniform(40, 110, (3, len(ds))), axis=0)
        numbers = {"mean": values[1] + 1, **dict(zip(("q0.1", "q0.5", "q0.9"), values, strict=True))}
        cutoff = (begin + issued * hour).as_unit("ns")
        frame = pd.DataFrame({"unique_id": name, "cutoff": cutoff, "ds": ds, **numbers})
        store.record(Forecast(frame, "MW", "lstm"), id=f"{rung}-{seed}", rung=rung, issued_at=cutoff)


def as_told(one: DayScore) -> dict[str, float]:
    return {name: getattr(one, name) for name in (*EXACT, *NEAR)}


def test_every_figure_is_that_of_the_series_alone(store: Store) -> None:
    done = score_day(store, DAY, batch=2)
    assert [one.unique_id for one in done.scores] == ["kolkata", "late", "lisbon", "lisbon kW"]
    assert (done.unforecast, done.unmeasured, done.changed) == (("nobody",), ("unmeasured",), 4)
    for one in done.scores:
        alone = realised(store, one.unique_id, DAY).score
        assert isinstance(alone, Score)
        assert one.forecast_id == alone.issued.id
        assert one.forecast_id.startswith("eve")
        for name in EXACT:
            assert getattr(one, name) == getattr(alone, name)
        for name in NEAR:
            assert getattr(one, name) == pytest.approx(getattr(alone, name), rel=1e-5, nan_ok=True), name
    assert {one.unique_id: one.periods for one in done.scores}["lisbon"] == 25


def test_the_numbers_of_every_period_are_kept(store: Store) -> None:
    (one,) = score_day(store, DAY, ["lisbon"]).scores
    (kept,) = store.scores(["lisbon"])
    assert kept.values_P5.tobytes() == one.values_P5.tobytes()
    y_P, middle_P, low_P, high_P, naive_P = one.values_P5.T.astype(np.float64)
    known = np.isfinite(y_P)
    assert known.sum() == one.scored < 25
    assert np.abs(middle_P - y_P)[known].mean() == pytest.approx(one.mae, rel=1e-5)
    assert ((low_P <= y_P) & (y_P <= high_P))[known].mean() == pytest.approx(one.coverage)
    assert (known & np.isfinite(naive_P)).sum() == one.naive_scored


def test_a_day_is_judged_again_when_values_come_late(store: Store) -> None:
    score_day(store, DAY)
    before = {one.unique_id: as_told(one) for one in store.scores()}
    assert score_day(store, DAY).changed == 0
    begin = pd.Timestamp(DAY, tz="Europe/Lisbon").tz_convert("UTC")
    late = pd.DataFrame({"unique_id": "lisbon", "ds": pd.date_range(begin, periods=25, freq="1h"), "y": 80.0})
    with clock.using("2024-11-02T00:00Z"):
        store.add(Batch(late, Columns()), "late")
        assert score_day(store, DAY).changed == 1
    after = {one.unique_id: as_told(one) for one in store.scores()}
    assert after["lisbon"]["scored"] == 25
    assert {name for name in after if after[name] != pytest.approx(before[name], nan_ok=True)} == {"lisbon"}


def test_a_daily_table_is_judged_by_its_days(tmp_path: Path) -> None:
    zone = "Europe/Lisbon"
    with Store.open(f"sqlite:///{tmp_path}/days.db") as store, clock.using("2024-10-29T12:00Z"):
        stamps = pd.DatetimeIndex([pd.Timestamp(f"2024-10-{day}", tz="UTC") for day in range(10, 28)])
        frame = pd.DataFrame({"unique_id": "town", "ds": stamps, "y": np.arange(18) + 100.0})
        info = SeriesInfo(unique_id="town", zone=f"days:{zone}", step="1D")
        store.add(Batch(frame, Columns(), (info,)), "by hand", history=True)
        lived = pd.Timestamp(DAY, tz=zone).tz_convert("UTC")
        numbers = {"mean": 110.0, "q0.1": 100.0, "q0.5": 110.0, "q0.9": 115.0}
        rows = pd.DataFrame({"unique_id": "town", "cutoff": lived - pd.Timedelta("1h"), "ds": [lived], **numbers})
        store.record(Forecast(rows, "MW", "lstm"), id="t", issued_at=lived - pd.Timedelta("1h"))
        alone = realised(store, "town", DAY).score
        (one,) = score_day(store, DAY).scores
    assert alone is not None
    assert (one.periods, one.mae, one.naive_mae) == (1, alone.mae, alone.naive_mae) == (1, 7.0, 7.0)


def test_unknown_series_and_days_are_named(store: Store) -> None:
    with pytest.raises(StoreError, match="no series south"):
        score_day(store, DAY, ["south"])
    with pytest.raises(DataError, match="not a date"):
        score_day(store, "yesterday")
    assert score_day(store, "2001-01-01").scores == ()


def test_a_series_that_only_a_request_has_named_is_not_missed(store: Store) -> None:
    ds_H = np.array([0, 3600], dtype=np.int64)
    said = Said.of("stranger", "UTC", ds_H, np.ones(2), np.ones((2, 1)), step_seconds=3600)
    store.record_packed([Packed("x", (said,), 0, 0, "MW", (0.5,), "lstm")])
    assert "stranger" not in score_day(store, DAY).unforecast
