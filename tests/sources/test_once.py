"""A table that is read as a whole: news as long as its content or the options are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import create_engine, text

from forecast.errors import DataError, DeclarationError
from forecast.settings import Settings
from forecast.sources import Declaration
from forecast.sources.drop import DropFolder
from forecast.sources.feeds import FeedOptions, open_feed
from forecast.sources.once import Once
from forecast.sources.sqlfeed import SqlFeed
from forecast.store import Store
from tests.sources.reading import Reader

Write = Callable[..., Path]
LISBON = Declaration(zone="Europe/Lisbon")
LINES = ["time;demand", "2024-07-01 00:00;1", "2024-07-01 01:00;2"]


def test_a_file_is_news_once_and_again_when_it_changes(write: Write) -> None:
    path = write(*LINES)
    reader = Reader().read(Once.of(path, LISBON))
    assert reader.values == [1, 2]
    assert reader.frame["ds"].iloc[0] == pd.Timestamp("2024-06-30T23:00Z")
    assert reader.notes == "columns are separated by semicolons"
    reader.read(Once.of(path, LISBON))
    assert (reader.values, "is what it was" in reader.notes) == ([], True)
    write(*LINES, "2024-07-01 02:00;3")
    assert reader.read(Once.of(path, LISBON)).values == [1, 2, 3]
    assert reader.read(Once.of(path, LISBON, since=pd.Timestamp("2024-07-01T01:00Z"))).values == [3]
    assert Once.of(path).name == str(path)


def test_days_of_23_to_25_hours_are_even_steps(write: Write) -> None:
    path = write("date,load", "2024-03-30,1", "2024-03-31,2", "2024-04-01,3")
    reader = Reader().read(Once.of(path, LISBON))
    assert reader.frame["ds"].diff().dropna().unique().tolist() == [pd.Timedelta("1D")]
    assert reader.batches[0].series[0].zone == "days:Europe/Lisbon"


def test_other_options_make_it_news(write: Write) -> None:
    path = write(*LINES)
    reader = Reader().read(Once.of(path, LISBON))
    reader.read(Once.of(path, LISBON.model_copy(update={"unit": "kW", "country": "PT", "delay": "6h"})))
    (info,) = reader.batches[0].series
    assert (reader.values, info.unit, info.country, info.delay) == ([1, 2], "kW", "PT", "0 days 06:00:00")


def test_the_answer_to_a_query_is_known_by_its_rows(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/demand.db"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE demand AS SELECT '2024-07-01 00\\:00Z' AS ds, 1.5 AS y"))
    once = Once.of(url, Declaration(freq="1h"), "select * from demand")
    reader = Reader().read(once)
    assert (reader.values, once.name.startswith(f"{url}#")) == ([1.5], True)
    assert reader.read(once).values == []
    with engine.begin() as connection:
        connection.execute(text("UPDATE demand SET y = 2"))
    engine.dispose()
    assert reader.read(once).values == [2]


def test_nothing_of_a_wrong_file_is_given(write: Write) -> None:
    path = write(*LINES, "2024-07-01 02:30;oops")
    reader = Reader().read(Once.of(path, LISBON))
    assert (reader.batches, reader.mark) == ([], None)
    assert "line 4: 'oops'" in str(reader.error)
    path = write(*LINES, "2024-07-01 02:00;3", "2024-07-01 03:30;3")
    assert "not on the clock" in str(Reader().read(Once.of(path, LISBON)).error)


def test_three_years_of_victoria_come_whole(shared_data: Path) -> None:
    declared = Declaration(known="temperature,holiday", zone="Australia/Melbourne")
    reader = Reader().read(Once.of(shared_data / "victoria_2012_2014_halfhourly.parquet", declared))
    assert reader.error is None
    assert len(reader.values) == 48 * (366 + 365 + 365)
    assert reader.batches[0].columns.known == ("temperature", "holiday")


def test_what_a_user_names_is_opened(tmp_path: Path, write: Write) -> None:
    path, url = write(*LINES), "sqlite:///demand.db"
    asked = "select * from demand where ds >= :since"
    assert isinstance(open_feed(str(path)), Once)
    assert isinstance(open_feed(url, query="select 1"), Once)
    feed = open_feed(url, query=asked, options=FeedOptions(since="12", watermark="n", look_back=pd.Timedelta("2h")))
    assert isinstance(feed, SqlFeed)
    assert (feed.since, feed.watermark, feed.look_back) == (12, "n", pd.Timedelta("2h"))
    folder = open_feed(str(tmp_path), LISBON, options=FeedOptions(since="2024-07-01", renamed={"a": "b"}))
    assert isinstance(folder, DropFolder)
    assert (folder.since, folder.renamed) == (pd.Timestamp("2024-06-30T23:00Z"), {"a": "b"})
    assert open_feed("ons:SE", settings=Settings()).name


@pytest.mark.parametrize(
    ("text", "query", "options", "kind", "told"),
    [
        ("inbox", None, {}, DataError, "nothing is called inbox.*a folder"),
        ("nobody:PT", None, {}, DeclarationError, "no connector is called 'nobody'"),
        ("store", None, {}, DeclarationError, "store is read into a store"),
        ("store:sqlite:///x.db", None, {}, DeclarationError, "is read into a store"),
        ("x.csv", None, {"watermark": "n"}, DeclarationError, "--watermark for what is no query with :since"),
        ("x.csv", None, {"renamed": {"a": "b"}, "line_end": False}, DeclarationError, "--renamed, --no-line-end for"),
        ("sqlite:///x.db", "select :since", {"line_end": False}, DeclarationError, "--no-line-end for a query"),
        ("x.csv", None, {"since": "soon"}, DeclarationError, "--since is 'soon'"),
        ("x.csv", None, {"since": "2024"}, DeclarationError, "--since is '2024'"),
    ],
)  # fmt: skip
def test_what_cannot_be_opened_is_told(
    text: str, query: str | None, options: dict[str, object], kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told):
        open_feed(text, None, query, FeedOptions(**options))  # type: ignore[arg-type]


def test_a_series_behind_the_first_batch_is_known_by_its_step(tmp_path: Path) -> None:
    """Meters one after the other in a file of several batches, one of them with its first row alone in a batch."""
    stamps = pd.date_range("2024-01-01", periods=90_000, freq="1min", tz="UTC")
    names = ("a", "b", "c")
    frame = pd.concat(pd.DataFrame({"unique_id": name, "ds": stamps, "y": 1.0}) for name in names)
    frame.iloc[19_999:].to_parquet(tmp_path / "big.parquet", index=False)
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        report = store.ingest(Once.of(tmp_path / "big.parquet"))
        assert (report.new, report.batches) == (250_001, 2)
        assert {one.step for one in store.series().values()} == {"0 days 00:01:00"}
