"""`forecast ingest` as a user meets it: what is new is stored, a second run stores nothing, broken files are named."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import create_engine, text

from forecast.store import Store
from tests.cli.conftest import LISBON, Forecast


def figures(told: str) -> tuple[int, int, int]:
    """New, revised, stored already."""
    found = [re.search(rf"{name}\s+([\d,]+)", told) for name in ("new", "revised", "stored already")]
    new, revised, known = (int(one[1].replace(",", "")) if one else -1 for one in found)
    return new, revised, known


def test_a_file_is_stored_once_and_its_changes_are_revisions(city: Path, forecast: Forecast, tmp_path: Path) -> None:
    rows = 24 * 70
    code, told = forecast("ingest", city, *LISBON, "--delay", "6h", "--store", "sqlite:///own.db")
    assert (code, figures(told)) == (0, (2 * rows, 0, 0)), told
    code, told = forecast("ingest", city, *LISBON, "--delay", "6h", "--store", "sqlite:///own.db")
    assert (code, figures(told)) == (0, (0, 0, 0)), told
    assert "is what it was when it was last read" in told
    lines = city.read_text().splitlines(keepends=True)
    stamp, _, temperature = lines[7].split(",")
    city.write_text("".join([*lines[:7], f"{stamp},1,{temperature}", *lines[8:]]))
    code, told = forecast("ingest", city, *LISBON, "--delay", "6h", "--store", "sqlite:///own.db")
    assert (code, figures(told)) == (0, (0, 1, 2 * rows - 1)), told
    with Store.open(f"sqlite:///{tmp_path}/own.db") as store:
        info = store.series()["demand"]
        demand = store.demand()
    assert (info.zone, info.delay) == ("Europe/Lisbon", "0 days 06:00:00")
    assert demand.series[0].start == pd.Timestamp("2024-02-01T00:00Z")


def test_broken_files_of_a_folder_are_named_with_exit_code_1(forecast: Forecast, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for name, lines in {
        "a.csv": ["ds,y", "2024-01-01 00:00Z,1", "2024-01-01 01:00Z,2", ""],
        "b.csv": ["ds,y", "2024-01-01 02:00Z,oops", ""],
        "c.csv": ["ds,y", "2024-01-01 02:00Z,3"],
        "d.csv": ["ds,Load", "2024-01-01 03:00Z,4", ""],
    }.items():
        (inbox / name).write_text("\n".join(lines))
        os.utime(inbox / name, (time.time() - 60,) * 2)
    words = ("ingest", "inbox", "--zone", "UTC", "--freq", "1h")
    code, told = forecast(*words)
    assert (code, figures(told)) == (1, (2, 0, 0)), told
    assert all(f"{name}.csv: " in told for name in "bcd")
    (inbox / "b.csv").unlink()
    code, told = forecast(*words, "--no-line-end", "--renamed", "Load=y")
    assert (code, figures(told)) == (0, (2, 0, 0)), told
    with Store.open(f"sqlite:///{tmp_path}/mlruns/store.db") as store:
        assert store.demand().to_frame()["y"].tolist() == [1, 2, 3, 4]


def test_a_query_brings_what_is_new(forecast: Forecast, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/meters.db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE load (ds TEXT, meter TEXT, y REAL)"))
        connection.execute(text("INSERT INTO load VALUES ('2024-01-01', 'a', 1), ('2024-01-02', 'a', 2)"))
    words = ("ingest", "sqlite:///meters.db", "--query", "select * from load where ds >= :since order by ds",
             "--series", "meter", "--zone", "UTC", "--freq", "1D", "--look-back", "1D")  # fmt: skip
    code, told = forecast(*words)
    assert (code, figures(told)) == (0, (2, 0, 0)), told
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO load VALUES ('2024-01-03', 'a', 3)"))
        connection.execute(text("UPDATE load SET y = 9 WHERE ds = '2024-01-02'"))
    engine.dispose()
    code, told = forecast(*words)
    assert (code, figures(told)) == (0, (1, 1, 1)), told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nowhere",), "nothing is called nowhere"),
        (("nobody:PT",), "no connector is called 'nobody'"),
        (("CITY", "--renamed", "a"), "--renamed holds 'a'"),
        (("CITY", "--renamed", "a=b"), "--renamed for what is no folder"),
        (("CITY", "--settle", "10"), "--settle is '10'"),
        (("CITY", "--zone", "UTC", "--store", "mysql://me:hush@h/b"), "mysql://me:***@h/b is no address of a store"),
        (("CITY",), "the stamps carry no zone"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_exit_code_2(words: tuple[str, ...], told: str, city: Path, forecast: Forecast) -> None:
    code, said = forecast("ingest", *[str(city) if word == "CITY" else word for word in words])
    assert code == 2, said
    assert told in " ".join(said.split())
    assert "hush" not in said
