"""A folder of Parquet files: the same table as in one file, read by column and row group."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError
from forecast.sources import Declaration, open_source, read

HOURS = pd.date_range("2024-01-01", periods=48, freq="1h", tz="UTC")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two groups in two months; 007 and 008 in the north, 9 in the south."""
    for group, names in (("north", ("007", "008")), ("south", ("9",))):
        for month, stamps in (("2024-01", HOURS[:24]), ("2024-02", HOURS[24:])):
            place = tmp_path / "meters" / f"group={group}" / f"month={month}"
            place.mkdir(parents=True)
            parts = [
                pd.DataFrame(
                    {"unique_id": name, "ds": stamps, "y": np.arange(24.0) + int(name), "note": "x", "size": 2.0}
                )
                for name in names
            ]
            pd.concat(parts).to_parquet(place / "part.parquet", index=False)
    return tmp_path / "meters"


def test_it_is_the_table_that_one_file_would_hold(folder: Path, tmp_path: Path) -> None:
    declared = Declaration(static="size", zone="Europe/Lisbon")
    whole = pd.concat([pd.read_parquet(one) for one in sorted(folder.rglob("*.parquet"))])
    whole.to_parquet(tmp_path / "one.parquet", index=False)
    assert read(folder, declared).digest == read(tmp_path / "one.parquet", declared).digest


def test_names_of_folders_are_columns_and_one_folder_is_a_table(folder: Path) -> None:
    assert open_source(folder).headers()[-2:] == ("group", "month")  # type: ignore[attr-defined]
    assert [one.unique_id for one in read(folder / "group=north").series] == ["007", "008"]
    groups = read(folder, Declaration(series="group", only="south"))
    assert [one.unique_id for one in groups.series] == ["south"]


def test_what_is_asked_for_and_is_not_there(folder: Path, tmp_path: Path) -> None:
    assert [one.unique_id for one in read(folder, Declaration(only="008")).series] == ["008"]
    with pytest.raises(DataError, match="holds no rows of 010"):
        read(folder, Declaration(only="010"))
    (folder / "group=north" / "broken.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match="no readable folder of Parquet files"):
        read(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"of no known kind; expected .* a folder of Parquet files"):
        read(tmp_path / "empty")


LARGE = """
import resource, sys
from forecast.sources import Declaration, read
read(sys.argv[1], Declaration(only="meter 3"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
demand = read(sys.argv[2], Declaration(only="meter 3"))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024, len(demand.series[0]))
"""


@pytest.mark.long
def test_memory_stays_far_under_the_size_of_the_data(tmp_path: Path) -> None:
    """400 MB of columns, of which a hundredth is asked for; a small folder first pays for the libraries."""
    size = 0
    for rows, meters, name in ((100, 4, "small"), (125_000, 10, "large")):
        stamps = pd.date_range("2010-01-01", periods=rows, freq="1h", tz="UTC")
        others = {f"column {number}": np.random.default_rng(number).normal(size=rows) for number in range(36)}
        for meter in range(meters):
            place = tmp_path / name / f"group={meter}"
            place.mkdir(parents=True)
            frame = pd.DataFrame({"unique_id": f"meter {meter}", "ds": stamps, "y": 1.0 + meter, **others})
            frame.to_parquet(place / "part.parquet", index=False, row_group_size=25_000, compression=None)
            size += frame.memory_usage().sum()
    done = subprocess.run(
        [sys.executable, "-c", LARGE, tmp_path / "small", tmp_path / "large"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    grown, length = (int(one) for one in done.stdout.split())
    assert length == 125_000
    assert size > 380e6
    assert grown < size / 5, f"{grown / 1e6:.0f} MB for a hundredth of {size / 1e6:.0f} MB"
