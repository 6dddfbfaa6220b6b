"""The store as DATA of every command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DeclarationError, StoreError
from forecast.sources import Batch, Declaration, check, open_source, read
from forecast.store import Store
from forecast.tables import Columns, SeriesInfo

START = pd.Timestamp("2024-03-01T00:00Z")


@pytest.fixture
def place(tmp_path: Path) -> str:
    """A store with two series in kWh per quarter-hour, one covariate ahead, one up to the cutoff."""
    url = f"sqlite:///{tmp_path}/store.db"
    stamps = pd.date_range(START, periods=4 * 24 * 20, freq="15min")
    rng = np.random.default_rng(1)
    frame = pd.concat(
        pd.DataFrame(
            {"unique_id": name, "ds": stamps, "y": rng.uniform(5, 9, len(stamps)), "wind": 3.0, "temperature": 9.0}
        )
        for name in ("north", "south")
    )
    told = tuple(
        SeriesInfo(unique_id=name, zone="Europe/Lisbon", unit="kWh", delay="2h") for name in ("north", "south")
    )
    with Store.open(url) as store:
        store.add(Batch(frame, Columns(past=("wind",), known=("temperature",)), told), "test")
    return f"store:{url}"


def test_it_is_read_with_what_it_tells_of_itself(place: str) -> None:
    demand = read(place)
    assert [one.unique_id for one in demand.series] == ["north", "south"]
    assert (demand.unit, demand.delay, demand.step) == ("kWh", pd.Timedelta("2h"), pd.Timedelta("15min"))
    assert set(demand.zones.values()) == {"Europe/Lisbon"}
    assert demand.columns == Columns(past=("wind",), known=("temperature",))


def test_series_and_covariates_can_be_chosen(place: str) -> None:
    demand = read(place, Declaration(only=("south",), known=("temperature",)))
    assert [one.unique_id for one in demand.series] == ["south"]
    assert demand.columns == Columns(known=("temperature",))


def test_the_check_speaks_the_unit_of_the_source(place: str) -> None:
    report = check(place)
    rows = dict(report.rows)
    assert report.ok, report.findings
    assert rows["demand"] == "y in kWh"
    assert rows["civil zone"] == "Europe/Lisbon"
    low, _, high = rows["min / median / max"].removesuffix(" kWh").split(" / ")
    assert 5 <= float(low) < float(high) <= 9
    assert report.suggestion == f"forecast train {place} --recipe default --out model"


def test_the_check_knows_what_can_flow(place: str) -> None:
    with Store.open(place.removeprefix("store:")) as store:
        store.describe(SeriesInfo(unique_id="north", capacity=30.0))
    found = check(place).quality.findings
    impossible = [one for one in found if one.rule == "impossible value"]
    assert impossible
    assert {one.series for one in impossible} == {"north"}


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (Declaration(zone="Europe/Paris"), "--zone is given"),
        (Declaration(unit="MW", delay="3h"), "--delay is given"),
        (Declaration(known=("wind",)), "no known covariate wind"),
    ],
)
def test_what_the_store_knows_better_is_refused(place: str, declared: Declaration, words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        read(place, declared)


def test_an_empty_store_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="forecast ingest"):
        read(f"store:sqlite:///{tmp_path}/new.db")


def test_the_word_alone_is_the_store_of_the_settings(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FORECAST_STORE", place.removeprefix("store:"))
    assert open_source("store").read().digest == read(place).digest
