"""`forecast check` shows what is wrong with the values, once, and writes it down."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import LISBON, Forecast


@pytest.fixture
def dirty(city: Path) -> Path:
    """The city's table with a meter that stood still for two days, at zero."""
    frame = pd.read_csv(city)
    frame.loc[500:547, "demand"] = 0.0
    frame.to_csv(city, index=False)
    return city


def test_findings_are_shown_and_written(dirty: Path, forecast: Forecast, tmp_path: Path) -> None:
    code, told = forecast(
        "check", dirty, *LISBON, "--findings", tmp_path / "found.csv", "--picture", tmp_path / "p.png"
    )
    assert code == 0, told
    assert "Found in the values (1)" in told
    assert told.count("stuck meter") == 2
    assert "1 findings cannot be true (stuck meter)" in told
    assert "stands still" not in told
    found = pd.read_csv(tmp_path / "found.csv")
    assert found["size"].tolist() == ["48 equal readings (48 h) of zero"]
    assert found["done"].tolist() == ["masked"]
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_a_clean_table_shows_none(city: Path, forecast: Forecast) -> None:
    code, told = forecast("check", city, *LISBON)
    assert code == 0
    assert "Found in the values" not in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--findings", "found.txt"), "--findings found.txt; expected a name that ends in .csv or .parquet"),
        (("--picture", "p.gif"), "--picture p.gif; expected a name that ends in .png, .svg or .pdf"),
        (("--picture", "no/p.png"), "--picture no/p.png: folder no does not exist"),
    ],
)
def test_files_are_checked_before_data_is_read(arguments: tuple[str, ...], told: str, forecast: Forecast) -> None:
    code, said = forecast("check", "nowhere.csv", *arguments)
    assert code == 2
    assert told in " ".join(said.split())
