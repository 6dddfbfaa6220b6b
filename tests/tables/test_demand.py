"""`as_of` is the only way to the past: what it shows, and what its digest depends on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.errors import DataError
from forecast.tables import Demand
from forecast.tables.stored import load_demand, save_demand
from tests.builders import long_frame, make_demand, plain, utc


def known(demand: Demand) -> int:
    return int(np.isfinite(demand.observed(demand.series[0])).sum())


def test_a_value_is_known_from_the_end_of_its_period_on() -> None:
    demand = plain(np.arange(10))
    assert known(demand.as_of("2024-01-01T02:59:59.999Z")) == 2
    assert known(demand.as_of("2024-01-01T03:00Z")) == 3
    assert known(demand.as_of("2023-12-31T00:00Z")) == 0


def test_a_delay_moves_that_moment() -> None:
    demand = plain(np.arange(10), delay="90min")
    assert known(demand.as_of("2024-01-01T02:29Z")) == 0
    assert known(demand.as_of("2024-01-01T02:30Z")) == 1


def test_a_stated_moment_wins_over_the_rule_and_equal_is_known() -> None:
    ds = pd.date_range(utc("2024-01-01"), periods=4, freq="1h")
    stated = pd.DatetimeIndex([ds[3] + pd.Timedelta("5h"), pd.NaT, ds[2], ds[3] + pd.Timedelta("1h")])
    frame = pd.DataFrame({"unique_id": "a", "ds": ds, "y": [1.0, 2, 3, 4], "available_at": stated})
    demand = Demand.from_frame(frame, delay="30min")
    shown = {hour: demand.as_of(ds[0] + hour * pd.Timedelta("1h")).to_frame()["y"] for hour in (2, 2.5, 4, 8)}
    np.testing.assert_array_equal(shown[2], [np.nan, np.nan, 3, np.nan])
    np.testing.assert_array_equal(shown[2.5], [np.nan, 2, 3, np.nan])
    np.testing.assert_array_equal(shown[4], [np.nan, 2, 3, 4])
    np.testing.assert_array_equal(shown[8], [1, 2, 3, 4])


def test_known_ahead_columns_are_always_shown_and_past_ones_are_not() -> None:
    narrowed = make_demand(long_frame(days=5)).as_of("2024-01-22T00:00Z").to_frame()
    late = narrowed["ds"] >= utc("2024-01-22")
    assert narrowed.loc[late, ["y", "humidity"]].isna().all(axis=None)
    assert narrowed.loc[late, ["temperature", "holiday"]].notna().all(axis=None)
    assert narrowed.loc[~late].notna().all(axis=None)


def test_a_narrowed_table_never_widens_again() -> None:
    demand = plain(np.arange(10)).as_of("2024-01-01T02:00Z")
    assert known(demand.as_of("2024-01-01T09:00Z")) == 2


def test_a_cutoff_needs_a_zone() -> None:
    with pytest.raises(DataError, match="no zone"):
        plain(np.arange(10)).as_of("2024-01-01")


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("poison", [1e9, np.nan])
def test_the_digest_ignores_what_became_known_later(late: bool, poison: float) -> None:
    frame, cutoff = long_frame(days=6, late=late), utc("2024-01-23 05:00")
    known_at = frame["available_at"] if late else frame["ds"] + pd.Timedelta("1h")
    poisoned = frame.assign(
        y=frame["y"].where(known_at <= cutoff, poison), humidity=frame["humidity"].where(known_at <= cutoff, poison)
    )
    one, other = make_demand(frame), make_demand(poisoned)
    assert one.digest != other.digest
    assert one.as_of(cutoff).digest == other.as_of(cutoff).digest
    assert one.as_of(cutoff).digest != one.as_of(cutoff - pd.Timedelta("9h")).digest


@pytest.mark.parametrize("late", [False, True])
def test_the_digest_ignores_rows_that_were_appended_later(late: bool) -> None:
    frame = long_frame(days=6, late=late)[["unique_id", "ds", "y", *(["available_at"] if late else [])]]
    cutoff = utc("2024-01-23 05:00")
    early = frame[(frame["available_at"] if late else frame["ds"] + pd.Timedelta("1h")) <= cutoff]
    assert Demand.from_frame(early, freq="1h").as_of(cutoff).digest == Demand.from_frame(frame).as_of(cutoff).digest


def test_the_digest_sees_every_shown_value() -> None:
    frame = long_frame(days=3)
    digests = {make_demand(frame).digest, make_demand(frame, unit="GW").digest, make_demand(frame, delay="1h").digest}
    for column in ("y", "humidity", "temperature", "customers"):
        changed = frame.copy()
        changed[column] = changed[column] + 1.0
        digests.add(make_demand(changed).digest)
    assert len(digests) == 7


@settings(max_examples=40)
@given(st.integers(-30, 120), st.booleans())
def test_since_keeps_what_starts_at_or_after_a_moment(half_hours: int, late: bool) -> None:
    frame = long_frame(days=2, late=late, gaps=0.2)
    moment = utc("2024-01-20") + half_hours * pd.Timedelta("30min")
    demand = make_demand(frame)
    kept = demand.since(moment)
    if frame["ds"].max() < moment:
        assert kept.series == ()
        return
    whole = demand.to_frame()
    expected = whole[whole["ds"] >= moment].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept.to_frame(), expected)
    cutoff = utc("2024-01-21 06:00")
    narrowed = demand.as_of(cutoff).to_frame()
    pd.testing.assert_frame_equal(
        kept.as_of(cutoff).to_frame(), narrowed[narrowed["ds"] >= moment].reset_index(drop=True)
    )


def test_the_next_cutoff_is_when_the_last_value_became_known() -> None:
    demand = plain([1.0, 2.0, np.nan], delay="3h")
    assert demand.last_known_end() == utc("2024-01-01 05:00")
    frame = demand.to_frame().assign(available_at=utc("2024-01-09"))
    stated = Demand.from_frame(frame)
    assert stated.last_known_end() == utc("2024-01-09")
    assert known(stated.as_of(stated.last_known_end())) == 2
    with pytest.raises(DataError, match="no value of y is known"):
        stated.as_of("2024-01-08T00:00Z").last_known_end()


def test_select_names_what_it_does_not_have() -> None:
    demand = make_demand(long_frame(days=2))
    assert [one.unique_id for one in demand.select(["south"]).series] == ["south"]
    with pytest.raises(DataError, match=r"no series west; expected one of north, south"):
        demand.select(["west"])


@pytest.mark.parametrize("late", [False, True])
def test_a_stored_table_comes_back_whole(tmp_path, late: bool) -> None:  # type: ignore[no-untyped-def]
    demand = make_demand(
        long_frame(days=4, freq="30min", gaps=0.1, late=late), unit="kWh", delay="2h", country="AU-VIC",
        zone={"north": "Australia/Melbourne", "south": "Europe/Lisbon"},
    )  # fmt: skip
    save_demand(demand, tmp_path / "table.parquet")
    again = load_demand(tmp_path / "table.parquet")
    assert again.digest == demand.digest
    assert (again.unit, again.delay, again.country) == ("kWh", demand.delay, "AU-VIC")
    cutoff = utc("2024-01-22 00:00")
    pd.testing.assert_frame_equal(again.as_of(cutoff).to_frame(), demand.as_of(cutoff).to_frame())
    (tmp_path / "table.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match="no stored table"):
        load_demand(tmp_path / "table.parquet")
