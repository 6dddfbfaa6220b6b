"""A query that is asked again: what is new since the mark, in chunks, on SQLite and on PostgreSQL."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import create_engine, text

from forecast.errors import DataError, DeclarationError
from forecast.sources import Declaration
from forecast.sources.sqlfeed import SqlFeed, is_feed
from forecast.sources.watermark import Watermark
from tests.sources.reading import Reader

UTC_HOURLY = Declaration(zone="UTC", freq="1h", series="meter", target="load")
ROWS = "select * from demand where ds >= :since order by meter, ds"
WRITTEN = "select * from demand where written >= :since order by written"


def run(url: str, *statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement.replace(":", r"\:")))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with two hours of two meters."""
    if request.param == "sqlite":
        found = f"sqlite:///{tmp_path}/demand.db"
        run(found, "CREATE TABLE demand (n INTEGER PRIMARY KEY, ds TEXT, meter TEXT, load REAL, written TEXT)")
    else:
        found = str(request.getfixturevalue("postgres_url"))
        run(
            found, "CREATE TABLE demand (n serial, ds timestamptz, meter text, load float8, written timestamptz)",
            f"ALTER DATABASE {found.rsplit('/', 1)[1]} SET timezone TO 'Asia/Tokyo'",
        )  # fmt: skip
    for meter in ("a", "b"):
        add(found, meter, 1, 1.0, written=2)
        add(found, meter, 2, 2.0, written=3)
    return found


def add(url: str, meter: str, hour: int, load: float, written: int) -> None:
    day, hour = 1 + hour // 24, hour % 24
    run(
        url, "INSERT INTO demand (ds, meter, load, written) VALUES "
        f"('2024-01-{day:02d} {hour:02d}:00:00+00:00', '{meter}', {load}, '2024-01-01 {written:02d}:00:00+00:00')",
    )  # fmt: skip


def test_only_what_is_new_since_the_stamps_is_asked_for(url: str) -> None:
    feed = SqlFeed(url, ROWS, UTC_HOURLY, look_back=pd.Timedelta("1h"))
    reader = Reader().read(feed)
    assert reader.error is None
    assert reader.frame[["unique_id", "y"]].to_numpy().tolist() == [["a", 1], ["a", 2], ["b", 1], ["b", 2]]
    assert reader.frame["ds"].min() == pd.Timestamp("2024-01-01T01:00Z")
    assert {one.unique_id for one in reader.batches[0].series} == {"a", "b"}
    add(url, "a", 3, 3.0, written=4)
    assert reader.read(feed).values == [1, 2, 3, 1, 2]
    assert reader.read(feed).values == [2, 3, 2]
    week = SqlFeed(url, ROWS, UTC_HOURLY)
    assert reader.read(week).values == [1, 2, 3, 1, 2]


def test_what_was_written_again_comes_by_its_watermark(url: str) -> None:
    feed = SqlFeed(url, WRITTEN, UTC_HOURLY, watermark="written", look_back=pd.Timedelta("0h"))
    reader = Reader().read(feed)
    assert sorted(reader.values) == [1, 1, 2, 2]
    run(url, "UPDATE demand SET load = 9, written = '2024-01-01 07:00:00+00:00' WHERE meter = 'b' AND load = 1")
    add(url, "b", 12, 4.0, written=6)
    reader.read(feed)
    assert sorted(zip(reader.frame["unique_id"], reader.frame["ds"].dt.hour, reader.values, strict=True)) == [
        ("a", 2, 2), ("b", 1, 9), ("b", 2, 2), ("b", 12, 4),
    ]  # fmt: skip
    assert reader.read(feed).values == [9]


def test_a_counter_is_a_watermark(url: str) -> None:
    feed = SqlFeed(url, ROWS.replace("ds >=", "n >"), UTC_HOURLY, watermark="n", since=0)
    reader = Reader().read(feed)
    assert (sorted(reader.values), reader.mark["watermark"]) == ([1, 1, 2, 2], {"kind": "number", "value": 4})  # type: ignore[index]
    add(url, "a", 5, 5.0, written=6)
    assert reader.read(feed).values == [5]
    assert reader.read(feed).values == []


def test_a_long_answer_comes_in_chunks_and_the_mark_moves_at_its_end(url: str) -> None:
    for hour in range(3, 40):
        add(url, "a", hour, float(hour), written=5)
    feed = SqlFeed(url, ROWS, UTC_HOURLY, look_back=pd.Timedelta("0h"), chunk=10)
    reader = Reader().read(feed, stop_after=3)
    assert [len(batch.frame) for batch in reader.batches] == [10, 10, 10]
    reader.read(feed)
    assert [len(batch.frame) for batch in reader.batches] == [10, 10, 10, 10, 1, 0]
    assert sorted(reader.values) == sorted([1, 1, 2, 2, *range(3, 40)])
    assert reader.read(feed).values == [39]


def test_postgres_reads_with_a_cursor_of_the_server(postgres_url: str) -> None:
    run(
        postgres_url, "CREATE TABLE demand AS SELECT '2024-01-01'::timestamptz + n * '1 hour'::interval AS ds, "
        "n AS load FROM generate_series(0, 999) AS n",
    )  # fmt: skip
    feed = SqlFeed(postgres_url, "select ds, load from demand where ds >= :since order by ds", Declaration(), chunk=100)
    batches = feed.batches(None)
    next(batches)
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        asked = "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        assert any("FETCH FORWARD" in query for query in connection.execute(text(asked)).scalars())
    engine.dispose()
    batches.close()  # type: ignore[attr-defined]


def test_naive_and_date_columns_are_compared_in_their_own_clock(postgres_url: str) -> None:
    run(
        postgres_url, "CREATE TABLE demand (ds timestamp, day date, load float8)",
        "INSERT INTO demand SELECT t, t::date, extract(hour FROM t) FROM "
        "generate_series('2024-01-01'::timestamp, '2024-01-03 23:00', '1 hour') AS t",
    )  # fmt: skip
    declared = Declaration(zone="Europe/Lisbon", freq="1h", target="load")
    query = "select ds, day, load from demand where {} >= :since and ds::time >= '00:00' order by ds"
    reader = Reader()
    local = SqlFeed(postgres_url, query.format("ds"), declared, look_back=pd.Timedelta("2h"))
    assert len(reader.read(local).values) == 72
    assert reader.read(local).values == [21, 22, 23]
    dated = SqlFeed(postgres_url, query.format("day"), declared, watermark="day")
    reader = Reader().read(dated)
    assert reader.mark == {**(reader.mark or {}), "watermark": {"kind": "date", "value": "2024-01-03"}}
    assert len(reader.read(dated).values) == 48


@pytest.mark.parametrize(
    ("query", "more", "told"),
    [
        ("select * from nowhere where ds >= :since", {}, "nowhere"),
        ("select * from demand where ds >= :since and load > 99", {}, "returned no rows since 1970-01-01.*--since 0"),
        (ROWS, {"watermark": "changed"}, "no column 'changed' in the answer; expected it among"),
        (ROWS.replace("*", "ds, meter, load, null as gone"), {"watermark": "gone"}, "'gone': no row says how far"),
        (ROWS.replace("*", "ds, meter"), {}, "no column 'load'"),
    ],
)
def test_answers_that_cannot_be_read(url: str, query: str, more: dict[str, str], told: str) -> None:
    with pytest.raises(DataError, match=f"(?s){told}"):
        list(SqlFeed(url, query, UTC_HOURLY, **more).batches(None))  # type: ignore[arg-type]


def test_a_query_changes_nothing(url: str) -> None:
    with pytest.raises(DataError):
        list(SqlFeed(url, "DELETE FROM demand WHERE ds >= :since", UTC_HOURLY).batches(None))
    assert len(Reader().read(SqlFeed(url, ROWS, UTC_HOURLY)).values) == 4


def test_an_answer_without_news_is_none(url: str) -> None:
    feed = SqlFeed(url, ROWS.replace("ds >=", "n >"), UTC_HOURLY, watermark="n", since=0)
    reader = Reader().read(feed)
    mark = reader.mark
    reader.read(feed)
    assert (len(reader.frame), reader.mark, reader.notes) == (0, mark, "")
    reader.read(SqlFeed(url, feed.query, UTC_HOURLY.model_copy(update={"unit": "kW"}), watermark="n", since=0))
    assert (len(reader.frame), reader.batches[0].series[0].unit) == (4, "kW")
    assert "everything is read again" in reader.notes


def test_names_hold_no_password_and_tell_queries_apart() -> None:
    one, other = (SqlFeed("postgresql://me:hush@h/b", query, UTC_HOURLY) for query in (ROWS, WRITTEN))
    assert one.name.startswith("postgresql://me:***@h/b#")
    assert one.name != other.name
    assert "hush" not in f"{one!r}{one.name}"
    with pytest.raises(DataError, match=r"me:\*\*\*@127.0.0.1:1/b did not answer") as caught:
        list(SqlFeed("postgresql+psycopg://me:hush@127.0.0.1:1/b", ROWS, UTC_HOURLY).batches(None))
    assert "hush" not in str(caught.value)


def test_a_query_needs_its_parameter() -> None:
    with pytest.raises(DeclarationError, match="no :since"):
        SqlFeed("sqlite:///x.db", "select * from demand where ds::since > 'a:since'", UTC_HOURLY)
    assert is_feed("select 1 where ds>=:since")


@pytest.mark.parametrize(
    ("value", "earlier"),
    [
        ("2024-03-01 01:30", "2024-02-29 23:30"),
        ("2024-03-01T01:30:05Z", "2024-02-29T23:30:05Z"),
        ("2024-03-01 01:30:05.25+09:00", "2024-02-29 23:30:05.25+09:00"),
        ("2024-03-01", "2024-02-29"),
        (date(2024, 3, 1), date(2024, 2, 29)),
        (datetime(2024, 3, 1, 1, tzinfo=UTC), datetime(2024, 2, 29, 23, tzinfo=UTC)),
        (7, 7),
    ],
)
def test_two_hours_before_a_watermark(value: object, earlier: object) -> None:
    mark = Watermark(value)  # type: ignore[arg-type]
    assert mark.less(pd.Timedelta("2h")) == earlier
    assert Watermark.of(mark.written()) == mark


def test_watermarks_need_an_order() -> None:
    with pytest.raises(DataError, match=r"several kinds \(int, str\)"):
        Watermark.largest(pd.Series(["a", 1], name="n", dtype=object), None)
    with pytest.raises(DataError, match="bytes is no value to go on from"):
        Watermark.largest(pd.Series([b"a"], name="n", dtype=object), None)
    with pytest.raises(DataError, match=r"largest stamp is 'v7'.*--look-back 0h"):
        Watermark("v7").less(pd.Timedelta("1h"))
    assert Watermark("v7").less(pd.Timedelta("0h")) == "v7"


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DataError, match=r"driver 'psycopg' .* not installed"):
        list(SqlFeed("postgresql+psycopg://me@127.0.0.1:1/x", ROWS, UTC_HOURLY).batches(None))
