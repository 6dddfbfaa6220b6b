from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import create_engine, text

from forecast.addresses import shown
from forecast.errors import DataError
from forecast.sources import Declaration, check, read

LISBON = Declaration(zone="Europe/Lisbon", target="load")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/demand.db"
    run(url, "CREATE TABLE demand (ds TEXT, load REAL)")
    run(url, "INSERT INTO demand VALUES ('2014-01-01 00:00', 1.5), ('2014-01-01 01:00', NULL), ('2014-01-01 02:00', 3)")
    return url


def run(url: str, *statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_sqlite_keeps_dates_as_text(sqlite_url: str) -> None:
    demand = read(sqlite_url, LISBON, "SELECT * FROM demand WHERE ds LIKE '%:00' ORDER BY ds")
    one = demand.series[0]
    assert (one.unique_id, one.start, len(one)) == ("load", pd.Timestamp("2014-01-01T00:00Z"), 3)
    assert demand.to_frame()["y"].dropna().tolist() == [1.5, 3.0]


def test_a_query_changes_nothing(sqlite_url: str) -> None:
    with pytest.raises(DataError, match="returned no table"):
        read(sqlite_url, LISBON, "DELETE FROM demand")
    assert len(read(sqlite_url, LISBON, "SELECT * FROM demand").series[0]) == 3


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT * FROM nowhere", r"did not answer \(no such table: nowhere\)"),
        ("SELEKT", r"syntax error"),
        ("SELECT * FROM demand WHERE load > 99", r"returned no rows"),
        ("SELECT ds FROM demand", r"no column 'load'; expected it among ds"),
        ("SELECT ds, load, load FROM demand", r"2 columns are called 'load'"),
        ("SELECT ds, 'x' AS load FROM demand", r"'load': 3 values are not numbers \(row 1: 'x'"),
        ("SELECT 1388534400 AS ds, load FROM demand", r"'ds': the stamps are numbers \(row 1"),
        ("SELECT * FROM demand ORDER BY ds DESC", r"not in time order \(row 2"),
    ],
)
def test_bad_queries(sqlite_url: str, query: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        read(sqlite_url, LISBON, query)


def test_no_database_is_made_by_reading_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no database file .*new\.db"):
        read(f"sqlite:///{tmp_path}/new.db", LISBON, "SELECT 1")
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql+psycopg://me:hush@127.0.0.1:1/x", r"me:\*\*\*@127.0.0.1:1/x did not answer .*check host"),
        ("postgresql+psycopg://me@127.0.0.1:1/x?password=hush", r"password=\*\*\* did not answer"),
        ("postgresql+psycopg://me:hush@127.0.0.1:port/x", r"//\*\*\*@127.0.0.1:port/x is not a database URL.*%40"),
        ("nosuch://me:hush@host/x", r"nosuch://me:\*\*\*@host/x names an unknown dialect 'nosuch'"),
    ],
)
def test_no_message_holds_the_password(url: str, told: str) -> None:
    with pytest.raises(DataError, match=f"(?i){told}") as caught:
        read(url, LISBON, "SELECT 1")
    assert caught.value.__cause__ is None
    report = check(url, LISBON, "SELECT 1")
    assert "hush" not in f"{caught.value}{report}"
    assert not report.ok


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DataError, match=r"driver 'psycopg' .* not installed.*demand-forecast\[postgres\]"):
        read("postgresql+psycopg://me:hush@127.0.0.1:1/x", LISBON, "SELECT 1")


def test_secrets_are_hidden() -> None:
    assert shown("mysql://a:b@c/d?charset=f&ssl_key=e") == "mysql://a:***@c/d?charset=f&ssl_key=***"


def test_postgres(postgres_url: str) -> None:
    run(
        postgres_url,
        "SET TIME ZONE 'Europe/Lisbon'",
        "CREATE TABLE demand (at timestamptz, local timestamp, city text, load numeric, holiday boolean)",
        "INSERT INTO demand SELECT t, t AT TIME ZONE 'Europe/Lisbon', city, 100 + extract(hour FROM t), false FROM "
        "generate_series('2014-10-25'::timestamptz, '2014-10-28'::timestamptz, '1 hour') AS t, "
        "(VALUES ('a'), ('b')) AS cities (city)",
    )
    declared = Declaration(time="at", target="load", series="city", known="holiday", zone="Europe/Lisbon")
    query = "SELECT * FROM demand WHERE city LIKE '%' AND at::time >= '00:00' ORDER BY city, at"
    aware = read(postgres_url, declared, query)
    assert [(one.unique_id, len(one)) for one in aware.series] == [("a", 74), ("b", 74)]
    assert aware.series[0].start == pd.Timestamp("2014-10-24T23:00Z")
    naive = read(postgres_url, declared.model_copy(update={"time": "local"}), query)
    assert naive.digest == aware.digest
    with pytest.raises(DataError, match=r"refused the query \(relation \"nothing\" does not exist"):
        read(postgres_url, declared, "SELECT * FROM nothing")
    report = check(postgres_url, declared, query)
    assert report.ok
    assert "--query" in report.suggestion
