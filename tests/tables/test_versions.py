"""Revisions and vintages: what each moment knew, in the table, in windows and on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.errors import DataError
from forecast.tables import Columns, Demand, load_demand, save_demand
from forecast.tables.versions import Versions, versions_of
from forecast.windows import Origins, WindowSet, origins_at

HOUR = pd.Timedelta("1h")
START = pd.Timestamp("2024-01-01T00:00Z")
COLUMNS = Columns(known=("temperature",))


def long_frame(days: int = 4, issues_per_day: int = 3, ahead: int = 48) -> pd.DataFrame:
    """Demand metered six hours late, temperature issued three times a day for two days ahead, each issue its own."""
    rng = np.random.default_rng(7)
    stamps = pd.date_range(START, periods=24 * days, freq=HOUR)
    metered = pd.DataFrame(
        {"ds": stamps, "available_at": stamps + 7 * HOUR, "y": rng.uniform(50, 100, len(stamps)), "temperature": np.nan}
    )
    issues = []
    for number in range(days * issues_per_day):
        at = START + number * (24 // issues_per_day) * HOUR
        valid = pd.date_range(at, periods=ahead, freq=HOUR)
        issues.append(
            pd.DataFrame({"ds": valid, "available_at": at, "y": np.nan, "temperature": rng.normal(size=ahead)})
        )
    return pd.concat([metered, *issues], ignore_index=True).assign(unique_id="north")


def table(frame: pd.DataFrame) -> Demand:
    return Demand.from_frame(frame, columns=COLUMNS, freq="1h")


def known_by_hand(frame: pd.DataFrame, column: str, stamp: pd.Timestamp, moment: pd.Timestamp) -> float:
    """The last value of a period that had become known, found row by row."""
    mine = frame[(frame["ds"] == stamp) & (frame["available_at"] <= moment) & frame[column].notna()]
    return float(mine.sort_values("available_at")[column].iloc[-1]) if len(mine) else float("nan")


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9), st.floats(-5, 5, width=32)), max_size=40), st.data())
def test_a_row_is_what_its_last_known_version_says(rows: list[tuple[int, int, float]], data: st.DataObject) -> None:
    rows = list({(row, at): (row, at, value) for row, at, value in rows}.values())
    row_N, at_N, value_N = (np.array([one[place] for one in rows]) for place in range(3))
    versions = versions_of(row_N.astype(np.int64), at_N.astype(np.int64), value_N.astype(float), 6)
    asked = data.draw(st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 10)), min_size=1, max_size=30))
    values_M, known_M = versions.at(*(np.array([one[place] for one in asked]) for place in range(2)))
    for place, (row, moment) in enumerate(asked):
        mine = sorted((at, value) for one, at, value in rows if one == row and at <= moment)
        assert known_M[place] == bool(mine)
        assert not mine or values_M[place] == np.float32(mine[-1][1])


def test_as_of_shows_each_hour_as_it_was_known() -> None:
    frame = long_frame()
    demand = table(frame)
    for moment in (START + 30 * HOUR, START + 40 * HOUR, START + 41.5 * HOUR):
        narrowed = demand.as_of(moment)
        for column in ("y", "temperature"):
            shown_T = narrowed.observed(narrowed.series[0], column)
            for stamp, value in zip(narrowed.stamps(narrowed.series[0]), shown_T, strict=True):
                expected = np.float32(known_by_hand(frame, column, stamp, moment))
                assert np.array_equal(value, expected, equal_nan=True), (column, stamp, moment)


def test_windows_resolve_the_vintage_of_their_own_cutoff() -> None:
    frame = long_frame()
    demand = table(frame)
    cutoffs = pd.date_range(START + 30 * HOUR, periods=20, freq="90min")
    windows = WindowSet(demand, origins_at(demand, cutoffs), reach=24, horizon=24)
    batch = windows.gather(np.arange(len(windows)))
    for number, cutoff in enumerate(cutoffs):
        origin = cutoff.ceil("1h")
        for column, name in enumerate(demand.columns.dynamic):
            for step in range(-24, 24):
                expected = known_by_hand(frame, name, origin + step * HOUR, cutoff)
                seen = batch.values_BWC[number, 24 + step, column]
                assert batch.mask_BWC[number, 24 + step, column] == np.isfinite(expected)
                assert seen == np.float32(np.nan_to_num(expected))


def test_narrowing_and_windows_agree() -> None:
    demand = table(long_frame())
    cutoff = START + 50 * HOUR
    wide, narrow = demand, demand.as_of(cutoff)
    seen = [WindowSet(one, origins_at(one, [cutoff]), 30, 24).gather(np.arange(1)) for one in (wide, narrow)]
    assert seen[0].values_BWC.tobytes() == seen[1].values_BWC.tobytes()
    assert seen[0].mask_BWC.tobytes() == seen[1].mask_BWC.tobytes()
    assert not seen[1].target_mask_BH.any()
    assert seen[0].target_mask_BH.all()


def test_a_revised_target_is_the_one_that_the_table_knows() -> None:
    frame = long_frame()
    late = frame.iloc[[30]].assign(y=500.0, available_at=START + 90 * HOUR)
    demand = table(pd.concat([frame, late], ignore_index=True))
    origins = Origins(np.array([24]), 1, np.array([1]))
    first, last = (
        WindowSet(one, origins, 24, 24).gather(np.arange(1)).target_BH[0, 6]
        for one in (demand.as_of(START + 80 * HOUR), demand)
    )
    assert first == np.float32(frame["y"].iloc[30])
    assert last == 500


def test_a_stored_table_keeps_every_version(tmp_path: Path) -> None:
    demand = table(long_frame())
    save_demand(demand, tmp_path / "table.parquet")
    again = load_demand(tmp_path / "table.parquet")
    assert again.digest == demand.digest
    moment = START + 33 * HOUR
    assert again.as_of(moment).digest == demand.as_of(moment).digest
    assert again.as_of(moment).digest != demand.as_of(moment + HOUR).digest


def test_what_comes_later_does_not_move_what_was_known() -> None:
    frame = long_frame()
    moment = START + 60 * HOUR
    early = table(frame[frame["available_at"] <= moment])
    assert table(frame).as_of(moment).digest == early.as_of(moment).digest


def test_one_version_each_is_no_different_from_a_plain_table() -> None:
    frame = long_frame().query("y == y")[["unique_id", "ds", "available_at", "y"]]
    plain = Demand.from_frame(frame, freq="1h")
    twice = pd.concat([frame, frame.iloc[[3]].assign(available_at=START + 90 * HOUR)], ignore_index=True)
    assert not plain.versions
    assert set(Demand.from_frame(twice, freq="1h").versions) == {"y"}


def test_two_numbers_for_one_moment_are_refused() -> None:
    frame = long_frame()
    with pytest.raises(DataError, match="per series and stamp and available_at"):
        table(pd.concat([frame, frame.iloc[[3]]], ignore_index=True))


def test_demand_known_before_its_hour_is_refused() -> None:
    frame = long_frame()
    frame.loc[frame.index[5], "available_at"] = frame["ds"].iloc[5] - HOUR
    with pytest.raises(DataError, match="available before their period"):
        table(frame)


def test_overwriting_the_future_leaves_what_was_known() -> None:
    versions = versions_of(np.array([0, 0, 1]), np.array([1, 5, 9]), np.array([1.0, 2.0, 3.0]), 2)
    poisoned, count = versions.overwritten_after(5, 1e9)
    assert count == 1
    assert poisoned.until(5).values_V.tolist() == [1.0, 2.0]
    assert isinstance(poisoned, Versions)
