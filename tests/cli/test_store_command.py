"""`forecast store`, `forget`, `backup` and `restore` as a person types them, on SQLite and on PostgreSQL."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.sources import Batch
from forecast.store import Store
from forecast.tables import Columns, SeriesInfo

Forecast = Callable[..., tuple[int, str]]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store with two series."""
    url = f"sqlite:///{tmp_path}/store.db"
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgres_url"))
    ds = pd.date_range("2024-03-01", periods=72, freq="30min", tz="UTC")
    info = SeriesInfo(unique_id="school", zone="Europe/Lisbon", parent="town", capacity=40)
    with Store.open(url) as store:
        for name in ("town", "school"):
            frame = pd.DataFrame({"unique_id": name, "ds": ds, "y": np.arange(72.0), "warmth": 1.5})
            series = (info,) if name == "school" else ()
            store.add(Batch(frame, Columns(known=("warmth",)), series, mark={"row": 72}), "inbox")
    return url


def test_what_is_in_the_store(forecast: Forecast, url: str) -> None:
    code, told = forecast("store", "--store", url)
    assert code == 0
    assert "288 values of 2 series, 0 rows in the ledger" in told
    assert "schema 0003, 0." in told
    words = told.split()
    for word in ("Europe/Lisbon", "town", "00:30:00", "40", "2024-03-02T11:30Z", "warmth", "known", "72", "inbox"):
        assert word in words
    assert '{"row": 72}' in told
    assert "never" in words


def test_a_long_list_is_cut(forecast: Forecast, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forecast.cli.store.SHOWN", 1)
    _, told = forecast("store", "--store", url)
    assert "series (the first 1 of 2; --all shows them)" in told
    assert "town" not in told.split("values (the first")[1]
    assert "the first" not in forecast("store", "--store", url, "--all")[1]


def test_a_series_is_forgotten_when_asked(forecast: Forecast, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    code, told = forecast("forget", "town", "--store", url)
    assert code == 1
    assert "Remove series 'town' from" in told
    assert "288 values" in forecast("store", "--store", url)[1]
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    code, told = forecast("forget", "town", "--store", url)
    assert code == 0
    assert "'town': 144 values and 0 rows of the ledger removed" in told
    assert "without a parent now: school" in told
    assert "- the source inbox gave it: take it out there" in told
    assert "144 values of 1 series" in forecast("store", "--store", url)[1]
    assert "forgotten: 1" in forecast("store", "--store", url)[1]


def test_an_unknown_series_is_named(forecast: Forecast, url: str) -> None:
    code, told = forecast("forget", "tonw", "--store", url, "--yes")
    assert code == 2
    assert "holds no series 'tonw'; expected one of school, town" in told


def test_a_store_is_copied_and_comes_back(forecast: Forecast, url: str, tmp_path: Path) -> None:
    code, told = forecast("backup", tmp_path / "copy.zip", "--store", url)
    assert (code, told[:31]) == (0, "288 values, 0 rows of the ledge")
    fresh = f"sqlite:///{tmp_path}/moved.db"
    code, told = forecast("restore", tmp_path / "copy.zip", "--store", fresh)
    assert code == 0
    assert "288 values, 0 rows of the ledger of 20" in told
    with Store.open(url) as one, Store.open(fresh) as other:
        assert one.demand().digest == other.demand().digest
    code, told = forecast("restore", tmp_path / "copy.zip", "--store", url)
    assert code == 2
    assert "--replace" in told
    forecast("forget", "town", "--store", url, "--yes")
    code, told = forecast("restore", tmp_path / "copy.zip", "--store", url, "--replace")
    assert code == 0
    assert "1 series left out: the store had forgotten them" in told


@pytest.mark.parametrize("words", [("store",), ("forget", "town", "--yes"), ("backup", "copy.zip")])
def test_no_store_is_made_where_there_is_none(forecast: Forecast, tmp_path: Path, words: tuple[str, ...]) -> None:
    code, told = forecast(*words, "--store", f"sqlite:///{tmp_path}/none.db")
    assert code == 2
    assert "there is no store at" in told
    assert list(tmp_path.glob("none*")) == []
    assert not (tmp_path / "copy.zip").exists()


def test_an_empty_database_is_no_store(forecast: Forecast, postgres_url: str) -> None:
    code, told = forecast("store", "--store", postgres_url)
    assert code == 2
    assert "there is no store at" in told
