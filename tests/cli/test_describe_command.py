"""`forecast describe`: what the store is told of series."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from forecast.cli.app import app
from forecast.errors import DataError, ForecastError
from forecast.store import Store

LINES = """unique_id,zone,step,latitude,longitude,parent,capacity,rooms
north,Europe/Lisbon,1h,38.7,-9.1,all,250,3
all,,1h,,,,,
"""


def told(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "series.csv"
    file.write_text(text, encoding="utf-8")
    return ["describe", str(file), "--store", f"sqlite:///{tmp_path}/store.db"]


def test_series_are_told_and_told_again(tmp_path: Path) -> None:
    runner = CliRunner()
    first = runner.invoke(app, told(tmp_path, LINES), catch_exceptions=False)
    assert "2 series: 2 new, 0 changed, 0 as before" in first.output
    again = runner.invoke(app, told(tmp_path, "unique_id,parent,capacity\nnorth,,300\nall,,\n"), catch_exceptions=False)
    assert "2 series: 0 new, 1 changed, 1 as before" in again.output
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        north = store.series()["north"]
    assert (north.zone, north.parent, north.capacity, north.static) == ("Europe/Lisbon", "all", 300, {"rooms": 3})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name\nnorth\n", "has the columns name"),
        ("unique_id\nnorth\nnorth\n", "described twice .line 3"),
        ("unique_id,zone\nnorth,Europe/Lisboa\n", "line 2: zone 'Europe/Lisboa' is not known"),
        ("unique_id,latitude\nnorth,95\n", "line 2: latitude is 95"),
        ("unique_id,rooms\nnorth,many\n", "line 2: could not convert"),
        ("unique_id\nnorth\n", "nothing tells the frequency of a new series"),
    ],
)
def test_what_does_not_fit_is_told_by_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ForecastError, match=words) as caught:
        CliRunner().invoke(app, told(tmp_path, text), catch_exceptions=False)
    assert isinstance(caught.value, DataError)
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        assert store.series() == {}


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        CliRunner().invoke(app, ["describe", str(tmp_path / "none.csv")], catch_exceptions=False)
