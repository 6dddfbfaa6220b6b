"""Events of a user's file: what is read, what is refused with its line, and the columns that become of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.calendars import EVENT_DAYS, Event, Events, Region, read_events, with_events
from forecast.errors import DataError, DeclarationError
from forecast.tables import Columns, Demand, load_demand, save_demand
from forecast.tables.extended import without
from tests.builders import EVERYTHING, long_frame, make_demand, plain

LISBON = "Europe/Lisbon"
HEADER = "name,start,end,series,country,subdivision,note"
NARROW = [
    HEADER,
    "school holidays,2024-02-12,2024-02-14,,PT,,half term",
    '"strike, rail",2024-02-13,,north,,,',
    "school holidays,2024-02-13,2024-02-16,south,,,",
    "Fasching,2024-02-13,,,DE,Bayern,",
]


def file(folder: Path, *lines: str, name: str = "events.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def days(*dates: str) -> np.ndarray:
    return np.array([date.fromisoformat(day).toordinal() for day in dates])


def test_a_file_is_read_with_its_lines(tmp_path: Path) -> None:
    events = read_events(file(tmp_path, *NARROW[:3], "", *NARROW[3:]))
    assert events.names == ("Fasching", "school holidays", "strike, rail")
    assert events.spans[1] == Event("strike, rail", date(2024, 2, 13), date(2024, 2, 13), "north", None, 3)
    assert [one.place for one in events.spans] == [2, 3, 5, 6]
    assert events.spans[3].region == Region("DE", "BY")


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_other_separators_a_byte_order_mark_and_fewer_columns(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "events.CSV"
    path.write_bytes(f"\ufeffStart{mark} Name\r\n2024-02-13T00:00{mark} Karneval  in Köln \r\n".encode())
    (one,) = read_events(path).spans
    assert (one.name, one.first, one.last) == ("Karneval in Köln", date(2024, 2, 13), date(2024, 2, 13))


def test_parquet_reads_as_csv_does(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "name": ["a", "b", "c"],
            "start": [date(2024, 2, 12), date(2024, 2, 13), date(2024, 3, 1)],
            "end": pd.to_datetime(["2024-02-14", None, "2024-03-02"]),
            "series": [None, "north", None],
        }
    )
    table.to_parquet(tmp_path / "events.parquet")
    events = read_events(tmp_path / "events.parquet")
    assert [(one.name, str(one.first), str(one.last), one.series, one.place) for one in events.spans] == [
        ("a", "2024-02-12", "2024-02-14", None, 1),
        ("b", "2024-02-13", "2024-02-13", "north", 2),
        ("c", "2024-03-01", "2024-03-02", None, 3),
    ]
    late = table.assign(end=pd.to_datetime(["2024-02-14 10:00", None, None]))
    late.to_parquet(tmp_path / "late.parquet")
    with pytest.raises(DataError, match=r"column 'end': 1 values .* \(row 1: '2024-02-14 10:00:00'\)"):
        read_events(tmp_path / "late.parquet")


BROKEN = {
    "no header": (["a,2024-02-13"], "holds no column name, start; expected name, start, end, series"),
    "an unknown column": (["name,start,ende", "a,2024-01-01,"], "the column 'ende'; expected name, start"),
    "a column twice": (["name,start,name", "a,2024-01-01,b"], "the column 'name' twice"),
    "no rows": (["name,start"], "holds no events"),
    "no name": (["name,start", "a,2024-01-01", ",2024-01-02"], r"column 'name': 1 values .* \(line 3: ''\)"),
    "no start": (["name,start", "a,"], r"column 'start': .* \(line 2: ''\); expected civil dates such as 2024-02-13"),
    "no date": (["name,start", "a,2024-02-30"], r"\(line 2: '2024-02-30'\)"),
    "another order": (["name,start", "a,13.02.2024", "b,02/13/2024"], r"2 values .* \(line 2: '13.02.2024', line 3"),
    "a time of day": (["name,start", "a,2024-02-13 14:00"], r"\(line 2: '2024-02-13 14:00'\)"),
    "another century": (["name,start", "a,0024-02-13"], r"\(line 2: '0024-02-13'\)"),
    "backwards": (
        ["name,start,end", "a,2024-02-13,2024-02-12"],
        r"ends before it starts \(line 2\); expected an end on",
    ),
    "two spellings": (["name,start", "Strike,2024-01-01", "strike,2024-01-02"], r"line 2: 'Strike', line 3: 'strike'"),
    "a country": (["name,start,country", "a,2024-01-01,XX"], "country 'XX' is not known.* Correct line 2 of"),
    "a part": (["name,start,country,subdivision", "a,2024-01-01,PT,ZZ"], "'PT' has no subdivision 'ZZ'.*line 2"),
    "a part of nowhere": (["name,start,subdivision", "a,2024-01-01,BY"], r"subdivision 'BY' of no country \(line 2\)"),
    "too many fields": (["name,start", "rail, bus,2024-01-01"], r"more fields than the 2 of the header \(line 2\)"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_with_its_line(tmp_path: Path, name: str) -> None:
    lines, words = BROKEN[name]
    with pytest.raises(DataError, match=words):
        read_events(file(tmp_path, *lines))


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no events file .*none\.csv"):
        read_events(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"of no known kind; expected a \.csv or \.parquet file with the columns name"):
        read_events(file(tmp_path, "name,start", name="events.xlsx"))
    (tmp_path / "latin.csv").write_bytes("name,start\nFüße,2024-01-01\n".encode("latin-1"))
    with pytest.raises(DataError, match="is not UTF-8 text"):
        read_events(tmp_path / "latin.csv")
    with pytest.raises(DataError, match=r"events file .* cannot be read"):
        read_events(file(tmp_path, "no parquet", name="events.parquet"))
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(DataError, match="holds no column name, start"):
        read_events(tmp_path / "empty.csv")


def test_events_touch_their_series_their_country_and_its_parts(tmp_path: Path) -> None:
    events = read_events(file(tmp_path, *NARROW))
    asked = days("2024-02-12", "2024-02-13", "2024-02-16", "2024-02-17")
    north = events.flags(asked, "north", Region("PT"))
    assert {name: flags.tolist() for name, flags in north.items()} == {
        "Fasching": [False] * 4,
        "school holidays": [True, True, False, False],
        "strike, rail": [False, True, False, False],
    }
    south = events.flags(asked, "south", Region("DE", "BY"))
    assert south["Fasching"].tolist() == [False, True, False, False]
    assert south["school holidays"].tolist() == [False, True, True, False]
    assert not events.flags(asked, "east", Region("DE"))["Fasching"].any()
    assert not events.flags(asked, "east")["school holidays"].any()


spans = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 60), st.integers(0, 20)), min_size=1, max_size=12)


@given(spans)
def test_overlapping_spans_are_the_union_of_their_days(drawn: list[tuple[str, int, int]]) -> None:
    origin = date(2024, 1, 1).toordinal()
    made = [Event(n, date.fromordinal(origin + at), date.fromordinal(origin + at + size)) for n, at, size in drawn]
    flags = Events(tuple(made)).flags(origin + np.arange(-3, 90), "any")
    for name, told in flags.items():
        expected = {at + more for one, at, size in drawn if one == name for more in range(size + 1)}
        assert set((np.flatnonzero(told) - 3).tolist()) == expected


@pytest.mark.parametrize("zone", [LISBON, "Australia/Melbourne", "+05:45"])
def test_columns_follow_the_civil_days_of_each_series_and_reach_ahead(zone: str, tmp_path: Path) -> None:
    demand = make_demand(long_frame(start="2024-03-20", days=20, names=["a"], zone=zone), zone=zone)
    # Over both clock changes: 31 March in Lisbon, 7 April in Melbourne.
    events = read_events(file(tmp_path, "name,start,end", "fair,2024-03-31,2024-04-07", "strike,2024-05-08,2024-06-30"))
    made = with_events(demand, events)
    (one,) = made.series
    assert made.columns == Columns(
        ("humidity",), ("temperature", "holiday", "event fair", "event strike"), ("customers",)
    )
    assert len(one) == len(demand.series[0]) + EVENT_DAYS * 24
    assert not np.isnan(made.observed(one, "event fair")).any()
    from forecast import clock

    local = made.stamps(one).tz_convert(clock.zone(zone))
    fair = made.observed(one, "event fair") > 0
    assert {str(day.date()) for day in local[fair]} == {
        "2024-03-31", "2024-04-01", "2024-04-02", "2024-04-03", "2024-04-04", "2024-04-05", "2024-04-06", "2024-04-07",
    }  # fmt: skip
    assert fair.sum() == 192 + {LISBON: -1, "Australia/Melbourne": 1}.get(zone, 0)
    assert made.observed(one, "event strike")[-1] == 1
    assert np.isnan(made.observed(one)[-EVENT_DAYS * 24 :]).all()


@pytest.mark.parametrize("late", [False, True])
def test_everything_else_stays_as_it_was(late: bool, tmp_path: Path) -> None:
    frame = long_frame(days=10, gaps=0.1, late=late)
    demand = make_demand(frame, delay="2h", zone=LISBON)
    made = with_events(demand, read_events(file(tmp_path, "name,start", "fair,2024-01-25")))
    cutoff = pd.Timestamp("2024-01-28T00:00Z")
    for before, after in ((demand, made), (demand.as_of(cutoff), made.as_of(cutoff))):
        for one in before.series:
            mine = after.by_id[one.unique_id]
            for name in EVERYTHING.dynamic:
                np.testing.assert_array_equal(after.observed(mine, name)[: len(one)], before.observed(one, name))
                assert np.isnan(after.observed(mine, name)[len(one) :]).all()
            assert (mine.static, mine.zone, mine.start) == (one.static, one.zone, one.start)
        assert after.last_known_end() == before.last_known_end()
    for one in made.series:
        assert np.shares_memory(one.values_TC, made.arena_RC)
        np.testing.assert_array_equal(made.arena_RC[one.first_row : one.first_row + len(one)], one.values_TC)
    save_demand(made, tmp_path / "table.parquet")
    assert load_demand(tmp_path / "table.parquet").digest == made.digest


def test_vintages_of_other_columns_are_kept(tmp_path: Path) -> None:
    frame = long_frame(days=6, names=("north", "south"))
    issued = [frame.assign(available_at=frame["ds"] - pd.Timedelta(hours=lead), temperature=lead) for lead in (30, 6)]
    issued = [part.assign(y=np.nan, humidity=np.nan) for part in issued]
    base = frame.assign(available_at=pd.NaT, temperature=np.nan)
    base["available_at"] = pd.to_datetime(base["available_at"], utc=True)
    demand = make_demand(pd.concat([base, *issued], ignore_index=True))
    made = with_events(demand, read_events(file(tmp_path, "name,start", "fair,2024-01-25")))
    assert set(made.versions) == set(demand.versions) == {"temperature", "holiday"}
    cutoff = pd.Timestamp("2024-01-23T12:00Z")
    for name in ("north", "south"):
        before, after = (t.as_of(cutoff).observed(t.as_of(cutoff).by_id[name], "temperature") for t in (demand, made))
        assert {6.0, 30.0} <= set(before[np.isfinite(before)].tolist())
        np.testing.assert_array_equal(after[: len(before)], before)
        # An event is known at every cutoff.
        narrowed = made.as_of(cutoff)
        assert narrowed.observed(narrowed.by_id[name], "event fair").sum() == 24


def test_a_table_can_lose_columns_again(tmp_path: Path) -> None:
    demand = make_demand(long_frame(days=6), zone=LISBON).as_of("2024-01-23T00:00Z").select(["south"])
    bare = without(demand, ["temperature", "event fair"])
    assert bare.columns == Columns(("humidity",), ("holiday",), ("customers",))
    for name in bare.columns.dynamic:
        np.testing.assert_array_equal(bare.observed(bare.series[0], name), demand.observed(demand.series[0], name))
    for one in (*bare.series, *bare.beside):
        assert np.shares_memory(one.values_TC, bare.arena_RC)
    assert [one.unique_id for one in bare.beside] == ["north"]
    assert bare.arena_RC.flags.c_contiguous
    assert without(demand, ["event fair"]) is demand
    frame = long_frame(days=6)
    again = with_events(make_demand(frame), read_events(file(tmp_path, "name,start", "fair,2024-01-25")))
    assert without(again, ["event fair"]).digest == make_demand(frame).digest


def test_rows_that_reach_ahead_already_are_not_doubled(tmp_path: Path) -> None:
    frame = long_frame(days=60, names=["a"])
    frame.loc[frame.index[-40 * 24 :], "y"] = np.nan
    demand = make_demand(frame)
    events = read_events(file(tmp_path, "name,start", "fair,2024-01-25"))
    assert len(with_events(demand, events).series[0]) == len(demand.series[0])
    daily = plain(np.arange(10.0), freq="1D")
    assert len(with_events(daily, events).series[0]) == 10 + EVENT_DAYS


def test_chosen_names_have_columns_also_where_they_never_happen(tmp_path: Path) -> None:
    events = read_events(file(tmp_path, "name,start", "fair,2024-01-02", "new,2024-01-02"))
    demand = plain(np.arange(72.0))
    made = with_events(demand, events, ("gone", "fair"))
    assert made.columns.known == ("event fair", "event gone")
    assert made.observed(made.series[0], "event fair").sum() == 24
    assert not made.observed(made.series[0], "event gone").any()
    assert with_events(demand, events, ()) is demand


def test_events_that_touch_nobody_are_refused(tmp_path: Path) -> None:
    demand = plain(np.arange(72.0))
    stranger = read_events(file(tmp_path, "name,start,series", "fair,2024-01-02,a", "fair,2024-01-03,b"))
    with pytest.raises(DataError, match=r"series that are not in the table \(line 3: 'b'\); expected some of a"):
        with_events(demand, stranger)
    assert with_events(demand, stranger, partial=True).columns.known == ("event fair",)
    abroad = read_events(file(tmp_path, "name,start,country", "fair,2024-01-02,PT"))
    with pytest.raises(DataError, match=r"names countries, and no series has one \(line 2: 'PT'\).* --country"):
        with_events(demand, abroad)
    here = plain(np.arange(72.0), country="PT-11")
    assert with_events(here, abroad).observed(with_events(here, abroad).series[0], "event fair").sum() == 24


def test_a_column_of_that_name_is_not_written_over(tmp_path: Path) -> None:
    frame = long_frame(days=3).assign(**{"event fair": 0.0})
    demand = Demand.from_frame(frame, columns=Columns(known=("event fair",)))
    with pytest.raises(DeclarationError, match="'event fair' twice"):
        with_events(demand, read_events(file(tmp_path, "name,start", "fair,2024-01-25")))
