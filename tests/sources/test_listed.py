"""The list of sources: every option of a source by its name, secrets from outside, mistakes named."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from forecast.errors import DeclarationError
from forecast.settings import Settings
from forecast.sources.drop import DropFolder
from forecast.sources.listed import read_listed
from forecast.sources.sqlfeed import SqlFeed

WHOLE = """
[[source]]
name = "meters"
data = "inbox"
zone = "Europe/Lisbon"
settle = "2s"
renamed = { Load = "MW" }
history = true

[[source]]
data = "sqlite:///${PLACE}/scada.db"
query = "SELECT time, load FROM demand WHERE time >= :since"
time = "time"
target = "load"
look_back = "1D"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "sources.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_sources_are_as_they_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inbox").mkdir()
    meters, scada = read_listed(written(tmp_path, WHOLE))
    settings = Settings.read(home=tmp_path)
    folder = meters.open(settings, [])
    assert isinstance(folder, DropFolder)
    # Where the settings say home is, not where the process happens to run.
    assert folder.name == str(tmp_path / "inbox")
    assert (meters.history, folder.settle, folder.declaration.zone) == (True, pd.Timedelta("2s"), "Europe/Lisbon")
    assert folder.renamed == {"Load": "MW"}
    assert scada.name.endswith("${PLACE}/scada.db")
    with pytest.raises(DeclarationError, match="the variable PLACE, which is not set"):
        scada.open(settings, [])
    monkeypatch.setenv("PLACE", str(tmp_path))
    feed = scada.open(settings, [])
    assert isinstance(feed, SqlFeed)
    assert feed.url == f"sqlite:///{tmp_path}/scada.db"
    assert feed.look_back == pd.Timedelta("1D")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "names no source"),
        ("[[source]\n", "is no TOML"),
        ("[[sources]]\ndata = 'a'\n", "holds sources"),
        ("[[source]]\nname = 'a'\n", "a source of .* without data"),
        ("[[source]]\ndata = 'a'\nzome = 'UTC'\n", "option 'zome' is not known"),
        ("[[source]]\ndata = 'a'\nline_end = 'yes'\n", "'line_end' .* is 'yes'"),
        ("[[source]]\ndata = 'a'\nsettle = '10'\n", "without a unit"),
        ("[[source]]\ndata = 'a'\n[[source]]\ndata = 'a'\n", "names the source 'a' twice"),
    ],
)
def test_mistakes_are_named(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=told):
        read_listed(written(tmp_path, text))


def test_a_missing_list_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="FORECAST_SOURCES_FILE"):
        read_listed(tmp_path / "nosuch.toml")
