from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError
from forecast.sources.stamps import Place, moments

PLACE = Place("time", "line")


def read(stamps: Sequence[object], zone: str | None = "UTC", *, gaps: bool = False) -> list[str]:
    column = pd.Series(stamps, index=range(2, 2 + len(stamps)))
    ids = pd.Series("a", index=column.index)
    found, _ = moments(column, ids, {"a": zone}, PLACE, gaps=gaps)
    return ["" if pd.isna(stamp) else f"{stamp:%Y-%m-%d %H:%M}" for stamp in found]


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2014-01-31T00:30", "2014-01-31 00:30"),
        ("2014-01-31 00:30:00", "2014-01-31 00:30"),
        ("2014-01-31", "2014-01-31 00:00"),
        ("20140131", "2014-01-31 00:00"),
        ("2014/1/31 0:30", "2014-01-31 00:30"),
        ("31/01/2014 00:30", "2014-01-31 00:30"),
        ("31.01.2014 00:30", "2014-01-31 00:30"),
        ("1/31/2014 1:30 PM", "2014-01-31 13:30"),
        ("1/31/2014 12:15 am", "2014-01-31 00:15"),
        ("2014-01-31 24:00", "2014-02-01 00:00"),
        (" 2014-01-31 00:30 ", "2014-01-31 00:30"),
        ("2014-01-31 00:30Z", "2014-01-31 00:30"),
        ("2014-01-31 00:30:00 UTC", "2014-01-31 00:30"),
        ("2014-01-31T10:30+10:00", "2014-01-31 00:30"),
        ("2014-01-31 10:30 +1000", "2014-01-31 00:30"),
        (date(2014, 1, 31), "2014-01-31 00:00"),
        (datetime(2014, 1, 31, 0, 30), "2014-01-31 00:30"),  # noqa: DTZ001 what databases answer
        (datetime(2014, 1, 31, 10, 30, tzinfo=timezone(timedelta(hours=10))), "2014-01-31 00:30"),
    ],
)
def test_ways_to_write_a_moment(written: object, moment: str) -> None:
    assert read([written]) == [moment]


def test_offsets_that_change_with_the_clock_are_followed() -> None:
    stamps = ["2024-03-31T01:00+01:00", "2024-03-31T03:00+02:00", "2024-10-27T02:00+02:00", "2024-10-27T02:00+01:00"]
    assert read(stamps, None) == ["2024-03-31 00:00", "2024-03-31 01:00", "2024-10-27 00:00", "2024-10-27 01:00"]
    mixed = [datetime.fromisoformat(stamp) for stamp in stamps]
    assert read(mixed, None) == read(stamps, None)


def test_aware_times_need_no_zone() -> None:
    assert read(list(pd.date_range("2014-01-01", periods=2, freq="1h", tz="+10:00")), None) == [
        "2013-12-31 14:00", "2013-12-31 15:00",
    ]  # fmt: skip


def test_times_of_coarser_grain_are_read() -> None:
    column = pd.Series(pd.to_datetime(["2014-01-01"])).astype("datetime64[s]")
    assert str(moments(column, pd.Series(["a"]), {"a": "+10:00"}, PLACE)[0].iloc[0]) == "2013-12-31 14:00:00+00:00"


def test_day_first_is_seen_from_the_whole_column() -> None:
    assert read(["12/01/2014", "13/01/2014"]) == ["2014-01-12 00:00", "2014-01-13 00:00"]
    assert read(["1/12/2014", "1/13/2014"]) == ["2014-01-12 00:00", "2014-01-13 00:00"]


@pytest.mark.parametrize(
    ("stamps", "told"),
    [
        (["01/02/2014", "02/02/2014"], r"2 stamps may be read day first or month first \(line 2: .*ISO 8601"),
        (["13/01/2014", "01/14/2014"], r"2 stamps mix day first and month first"),
        (["2014-01-01", "2014-13-01"], r"1 stamps cannot be read \(line 3: '2014-13-01'\); expected ISO 8601"),
        (["2014-01-01 00:00", "noon"], r"cannot be read \(line 3: 'noon'"),
        (["2014-01-01 24:30"], r"cannot be read \(line 2"),
        (["1/31/2014 13:30 PM"], r"cannot be read"),
        (["2014-01-01", "1700-01-01"], r"1 stamps lie outside the years 1920 to 2200 \(line 3: '1700"),
        (["00:30"], r"cannot be read.*date and time in one column"),
        (["2014"], r"cannot be read"),
        (["1388534400"], r"cannot be read"),
        (["2014-01-01 00:00", None, ""], r"2 stamps are missing \(line 3, line 4\)"),
        (["2014-01-01 00:00", "2014-01-01 01:00", "2014-01-01T02:00Z"], r"1 stamps carry a zone .*line 4"),
        ([1388534400, 1388538000], r"the stamps are numbers \(line 2: '1388534400'\)"),
        ([date(2014, 1, 1), "2014-01-02"], r"1 of the stamps are times and the others text"),
        ([datetime(2014, 1, 1, tzinfo=UTC), datetime(2014, 1, 2)], r"1 stamps carry no zone"),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_by_its_line(stamps: list[object], told: str) -> None:
    column = pd.Series(stamps, index=range(2, 2 + len(stamps)), dtype=None if isinstance(stamps[0], int) else object)
    with pytest.raises(DataError, match=f"column 'time': .*{told}"):
        moments(column, pd.Series("a", index=column.index), {"a": "UTC"}, PLACE)


def test_coarse_times_beyond_nanoseconds_are_named() -> None:
    column = pd.Series(np.array(["2014-01-01", "9999-12-31"], dtype="datetime64[s]"))
    with pytest.raises(DataError, match=r"1 stamps lie outside the years 1920 to 2200 \(line 1: '9999-12-31"):
        moments(column, pd.Series(["a", "a"]), {"a": "UTC"}, PLACE)


def test_stamps_without_a_zone_need_one() -> None:
    with pytest.raises(DataError, match=r"column 'time': the stamps carry no zone.*--zone Europe/Lisbon"):
        read(["2014-01-01 00:00"], None)


def test_stamps_may_be_missing_where_gaps_are_allowed() -> None:
    assert read(["2014-01-01 00:00", None], "UTC", gaps=True) == ["2014-01-01 00:00", ""]
    assert read(["2014-01-01 00:00Z", ""], "UTC", gaps=True) == ["2014-01-01 00:00", ""]
