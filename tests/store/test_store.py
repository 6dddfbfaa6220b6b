"""What goes into the store, and what each moment knows of it: in SQLite and in PostgreSQL alike."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy.exc import OperationalError

from forecast import clock
from forecast.errors import DataError, DeclarationError, PartlyRead, StoreError
from forecast.sources import Batch, Mark
from forecast.store import Store
from forecast.store.engine import asking
from forecast.tables import Columns, Demand, SeriesInfo

HOUR = pd.Timedelta("1h")
START = pd.Timestamp("2024-03-01T00:00Z")
WEATHER = Columns(known=("temperature",))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url) as opened:
        yield opened


def metered(hours: int = 72, name: str = "north", first: pd.Timestamp = START, **columns: object) -> pd.DataFrame:
    stamps = pd.date_range(first, periods=hours, freq=HOUR)
    y = np.random.default_rng(3).uniform(10, 20, hours)
    return pd.DataFrame({"unique_id": name, "ds": stamps, "y": y, **columns})


def issued(at: pd.Timestamp, hours: int = 48) -> pd.DataFrame:
    """A weather forecast issued at a moment."""
    stamps = pd.date_range(at.ceil("1h"), periods=hours, freq=HOUR)
    values = np.random.default_rng(int(at.value) % 1000).normal(size=hours)
    return pd.DataFrame({"unique_id": "north", "ds": stamps, "available_at": at, "temperature": values, "y": np.nan})


def counts(store: Store, batch: Batch) -> tuple[int, int, int]:
    report = store.add(batch, "test")
    return report.new, report.revised, report.known


def test_the_table_is_the_one_of_the_frame(store: Store) -> None:
    frame = metered()
    store.add(Batch(frame, series=(SeriesInfo(unique_id="north", zone="Europe/Lisbon", delay="6h"),)), "test")
    plain = Demand.from_frame(frame, zone="Europe/Lisbon", delay="6h")
    assert store.demand().digest == plain.digest
    moment = START + 40 * HOUR
    assert store.demand(as_of=moment).digest == plain.as_of(moment).digest


def test_vintages_are_those_of_the_frame(store: Store) -> None:
    issues = [issued(START + number * 8 * HOUR) for number in range(6)]
    demand = metered(available_at=pd.date_range(START, periods=72, freq=HOUR) + 7 * HOUR, temperature=np.nan)
    for part in [*reversed(issues), demand]:
        store.add(Batch(part, WEATHER), "test")
    plain = Demand.from_frame(pd.concat([demand, *issues]), columns=WEATHER)
    assert store.demand().digest == plain.digest
    moment = START + 30.5 * HOUR
    assert store.demand(as_of=moment).digest == plain.as_of(moment).digest


def test_rows_that_are_stored_are_no_news(store: Store) -> None:
    frame = metered()
    assert counts(store, Batch(frame)) == (72, 0, 0)
    assert counts(store, Batch(frame)) == (0, 0, 72)
    assert counts(store, Batch(metered(80).assign(y=np.append(frame["y"], np.ones(8))))) == (8, 0, 72)


def test_a_corrected_number_counts_from_when_it_came(store: Store) -> None:
    frame = metered()
    store.add(Batch(frame), "test")
    before = store.demand(as_of=START + 100 * HOUR).digest
    with clock.using(START + 200 * HOUR):
        assert counts(store, Batch(frame.iloc[[5]].assign(y=99.0))) == (0, 1, 0)
        assert counts(store, Batch(frame.iloc[[5]].assign(y=99.0))) == (0, 0, 1)
    assert store.demand(as_of=START + 199 * HOUR).digest == before
    assert store.demand(as_of=START + 200 * HOUR).to_frame()["y"].iloc[5] == 99
    assert store.demand(as_of=START + 199 * HOUR).to_frame()["y"].iloc[5] == np.float32(frame["y"].iloc[5])


def test_a_number_said_otherwise_for_the_same_moment_does_not_change_the_past(store: Store) -> None:
    said = metered(3).assign(available_at=START + 10 * HOUR)
    store.add(Batch(said), "test")
    before = store.demand(as_of=START + 20 * HOUR).digest
    with clock.using(START + 300 * HOUR):
        assert counts(store, Batch(said.assign(y=1.0))) == (0, 3, 0)
    assert store.demand(as_of=START + 20 * HOUR).digest == before
    assert store.demand(as_of=START + 300 * HOUR).to_frame()["y"].tolist() == [1, 1, 1]


def test_a_version_that_arrives_late_takes_its_place(store: Store) -> None:
    for hours, value in ((10, 5.0), (30, 7.0), (20, 6.0)):
        part = metered(1).assign(available_at=START + hours * HOUR, y=value)
        store.add(Batch(part, series=(SeriesInfo(unique_id="north", step="1h"),)), "test")
    shown = [store.demand(as_of=START + hours * HOUR).to_frame()["y"].iloc[0] for hours in (10, 19, 20, 29, 30, 99)]
    assert shown == [5, 5, 6, 6, 7, 7]


class Feed:
    """A source that gives what it has, batch after batch."""

    name = "feed"

    def __init__(self, *frames: pd.DataFrame, breaks: bool = False) -> None:
        self.frames, self.breaks, self.asked = frames, breaks, list[Mark | None]()

    def batches(self, mark: Mark | None) -> Iterator[Batch]:
        self.asked.append(mark)
        for number, frame in enumerate(self.frames, start=int((mark or {}).get("at", 0))):
            yield Batch(frame, mark={"at": number + 1})
        if self.breaks:
            raise DataError("the line broke")


def test_a_reading_goes_on_where_the_last_one_broke(store: Store) -> None:
    broken = Feed(metered(24), breaks=True)
    with pytest.raises(DataError, match="the line broke"):
        store.ingest(broken)
    assert store.mark("feed") == {"at": 1}
    again = Feed(metered(24, first=START + 24 * HOUR))
    report = store.ingest(again)
    assert again.asked == [{"at": 1}]
    assert (report.new, report.batches, report.series) == (24, 1, {"north"})
    assert len(store.demand().series[0]) == 48


class Folder:
    """A source that can do without a part of itself, and says at the end what it left out."""

    name = "folder"

    def batches(self, mark: Mark | None) -> Iterator[Batch]:
        left_out = []
        for number in range(3):
            part = metered(24, first=START + number * 24 * HOUR)
            try:
                yield Batch(part.assign(y=np.inf) if number == 1 else part, mark={"at": number + 1})
            except DataError as error:
                left_out.append(str(error))
        raise PartlyRead(f"{len(left_out)} part is broken ({left_out[0]})")


def test_a_part_that_does_not_fit_does_not_stop_a_source_that_can_do_without(store: Store) -> None:
    with clock.using(START + 80 * HOUR), pytest.raises(PartlyRead, match=r"1 part is broken .*are infinite"):
        store.ingest(Folder())
    assert int(np.isfinite(store.demand().to_frame()["y"]).sum()) == 48
    with clock.using(START + 90 * HOUR):
        store.add(Batch(metered(48).iloc[30:31]), "folder")
    assert store.demand(as_of=START + 89 * HOUR).to_frame()["y"].isna().sum() == 24


def test_what_should_have_been_there_at_the_last_reading_became_known_now(store: Store) -> None:
    with clock.using(START + 30 * HOUR):
        store.ingest(Feed(metered(20)))
    with clock.using(START + 50 * HOUR):
        store.ingest(Feed(metered(48).iloc[20:]))
    table = store.demand()
    (series,) = table.series
    assert series.available_at_T is not None
    late = [int(one) for one in np.flatnonzero(series.available_at_T == (START + 50 * HOUR).value)]
    assert late == list(range(20, 30))


def test_a_history_before_the_stored_one_is_not_late(store: Store) -> None:
    with clock.using(START + 100 * HOUR):
        store.ingest(Feed(metered(24, first=START + 48 * HOUR)))
    with clock.using(START + 200 * HOUR):
        store.ingest(Feed(metered(48)))
    assert store.demand().series[0].available_at_T is None


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (Batch(metered(5).assign(ds=lambda one: one["ds"] + pd.Timedelta("7min"))), "not on its clock"),
        (Batch(metered(5), series=(SeriesInfo(unique_id="north", unit="kW"),)), "says unit kW"),
        (Batch(metered(5), series=(SeriesInfo(unique_id="north", step="30min"),)), "says frequency"),
        (Batch(metered(5, temperature=1.0), Columns(past=("temperature",))), "comes as past and is stored as known"),
        (Batch(metered(5).assign(available_at=START - HOUR)), "before their period began"),
        (Batch(metered(5).assign(y=np.inf)), "are infinite"),
        (Batch(metered(5, first=pd.Timestamp("2199-01-01T00:00Z"))), "in the future"),
        (Batch(metered(1, name="new")), "nothing tells the frequency"),
    ],
)
def test_what_does_not_fit_is_refused_as_a_whole(store: Store, batch: Batch, words: str) -> None:
    store.add(Batch(metered(24, temperature=2.0), WEATHER, mark={"at": 1}), "test")
    before = store.demand().digest
    with pytest.raises(DataError, match=words):
        store.add(Batch(batch.frame, batch.columns, batch.series, mark={"at": 2}), "test")
    assert store.demand().digest == before
    assert store.mark("test") == {"at": 1}


def test_what_a_source_does_not_say_stays(store: Store) -> None:
    told = SeriesInfo(unique_id="north", zone="Europe/Lisbon", latitude=38.7, longitude=-9.1, static={"size": 3})
    store.add(Batch(metered(5), series=(told,)), "test")
    with pytest.raises(DataError, match="parent 'all' is not registered"):
        store.describe(SeriesInfo(unique_id="north", parent="all"))
    all_of_it = SeriesInfo(unique_id="all", step="1h")
    store.describe(SeriesInfo(unique_id="north", parent="all", static={"age": 4}), all_of_it)
    with pytest.raises(DataError, match="part of itself"):
        store.describe(SeriesInfo(unique_id="all", parent="north"))
    with pytest.raises(DeclarationError, match="country 'ZZ'"):
        store.describe(SeriesInfo(unique_id="all", country="ZZ"))
    kept = store.series()["north"]
    assert (kept.zone, kept.latitude, kept.parent) == ("Europe/Lisbon", 38.7, "all")
    assert kept.static == {"size": 3, "age": 4}
    assert kept.step == "0 days 01:00:00"


def test_a_series_may_be_described_before_its_first_value(store: Store) -> None:
    store.describe(
        SeriesInfo(unique_id="north", step="1h", zone="Asia/Kolkata"), SeriesInfo(unique_id="all", step="1h")
    )
    half = metered(5).assign(ds=lambda one: one["ds"] + pd.Timedelta("30min"))
    store.add(Batch(half), "test")
    with pytest.raises(DataError, match="not on its clock"):
        store.add(Batch(metered(5)), "test")
    assert store.series()["north"].zone == "Asia/Kolkata"
    assert len(store.demand(only=["north"]).series[0]) == 5


def test_a_source_does_not_move_a_series_to_another_zone(store: Store) -> None:
    store.add(Batch(metered(24)), "silent")
    store.add(Batch(metered(24), series=(SeriesInfo(unique_id="north", zone="Europe/Lisbon", delay="6h"),)), "a")
    with pytest.raises(DataError, match="says zone UTC, the store holds it in Europe/Lisbon"):
        store.add(Batch(metered(30), series=(SeriesInfo(unique_id="north", zone="UTC"),)), "b")
    store.describe(SeriesInfo(unique_id="north", zone="Europe/Madrid"))
    kept = store.series()["north"]
    assert (kept.zone, kept.delay) == ("Europe/Madrid", "0 days 00:00:00")


def test_the_last_bits_of_a_number_are_no_revision(store: Store) -> None:
    frame = metered(24)
    store.add(Batch(frame), "test")
    assert counts(store, Batch(frame.assign(y=frame["y"] * (1 + 1e-15)))) == (0, 0, 24)
    assert counts(store, Batch(frame.assign(y=frame["y"] * (1 + 1e-9)))) == (0, 24, 0)


def test_a_corrected_history_does_not_move_the_next_cutoff(store: Store) -> None:
    frame = metered()
    store.add(Batch(frame), "test")
    due = store.demand().last_known_end()
    with clock.using(START + 500 * HOUR):
        store.add(Batch(frame.assign(y=1.0)), "test")
    assert store.demand().last_known_end() == due == START + 72 * HOUR


def test_history_that_was_known_in_its_time_may_be_read_later(store: Store) -> None:
    with clock.using(START + 300 * HOUR):
        store.ingest(Feed(metered(24)))
        late = store.add(Batch(metered(30).iloc[24:]), "feed")
        known = store.add(Batch(metered(40).iloc[30:]), "feed", history=True)
    assert (late.late, known.late) == (6, 0)
    stated_T = store.demand().series[0].available_at_T
    assert stated_T is not None
    assert (stated_T[24:30] == (START + 300 * HOUR).value).all()
    assert stated_T[39] == (START + 40 * HOUR).value


def test_series_of_different_frequency_make_no_table(store: Store) -> None:
    store.add(Batch(metered(5)), "test")
    quarter = pd.date_range(START, periods=5, freq="15min")
    store.add(Batch(pd.DataFrame({"unique_id": "quick", "ds": quarter, "y": 1.0})), "test")
    with pytest.raises(DataError, match="differ in frequency"):
        store.demand()
    assert len(store.demand(only=["quick"]).series[0]) == 5
    with pytest.raises(StoreError, match="holds no series south"):
        store.demand(only=["south"])


def test_many_rows_are_read_as_few_are(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("south", "north", "east"):
        store.add(Batch(metered(60, name=name, temperature=1.5), WEATHER), "test")
    store.add(Batch(metered(60, name="north").iloc[:9].assign(y=3.0)), "test")
    few = store.demand()
    monkeypatch.setattr("forecast.store.reading.FEW", 10)
    many = store.demand()
    assert many.digest == few.digest
    assert store.demand(as_of=START + 30 * HOUR).digest == few.as_of(START + 30 * HOUR).digest
    assert many.versions.keys() == {"y"}


def test_energy_is_read_as_mean_power(store: Store) -> None:
    quarter = pd.date_range(START, periods=8, freq="15min")
    frame = pd.DataFrame({"unique_id": "north", "ds": quarter, "y": 2.0})
    store.add(Batch(frame, series=(SeriesInfo(unique_id="north", unit="kWh"),)), "test")
    assert store.demand().to_frame()["y"].tolist() == [8.0] * 8
    assert store.demand().digest == Demand.from_frame(frame, unit="kWh").digest


def test_hourly_weather_holds_over_the_quarters(store: Store) -> None:
    quarter = pd.date_range(START, periods=96, freq="15min")
    store.add(Batch(pd.DataFrame({"unique_id": "north", "ds": quarter, "y": 1.0})), "meter")
    for hours in (0, 6):
        store.add(Batch(issued(START + hours * HOUR, 12).drop(columns="y"), WEATHER), "weather")
    shown = store.demand(as_of=START + 6.5 * HOUR).to_frame().set_index("ds")["temperature"]
    hourly = pd.concat([issued(START, 12).head(6), issued(START + 6 * HOUR, 12)]).set_index("ds")["temperature"]
    assert len(shown) == 72
    for stamp, value in shown.items():
        assert value == np.float32(hourly[stamp.floor("1h")])
    early = store.demand(as_of=START + 5 * HOUR).to_frame().set_index("ds")["temperature"]
    assert early[START + 7.25 * HOUR] == np.float32(issued(START, 12)["temperature"].iloc[7])


def test_a_newer_store_is_left_alone(store: Store, store_url: str) -> None:
    from sqlalchemy import text

    with store.engine.begin() as connection:
        connection.execute(text("UPDATE store_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="revision 9999"):
        Store.open(store_url)


def test_the_migrations_make_what_the_code_expects(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from forecast.store.migrating import VERSION_TABLE
    from forecast.store.schema import METADATA

    with store.snapshot() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, METADATA) == []


def test_a_person_reads_the_view(store: Store) -> None:
    from sqlalchemy import text

    store.add(Batch(metered(2)), "test")
    with store.snapshot() as connection:
        rows = connection.execute(text("SELECT unique_id, variable, ds, source FROM readable ORDER BY ds")).all()
    assert [(row[0], row[1], str(row[2])[:13].replace(" ", "T"), row[3]) for row in rows] == [
        ("north", "y", "2024-03-01T00", "test"),
        ("north", "y", "2024-03-01T01", "test"),
    ]


@pytest.mark.parametrize("text", ["", "store.db", "mysql://host/base", "sqlite://"])
def test_what_is_no_address_is_told(text: str) -> None:
    with pytest.raises(StoreError, match="store"):
        Store.open(text or "nothing")


def test_a_store_on_read_only_media_is_told_what_to_do(tmp_path: Path) -> None:
    """SQLite keeps its log beside the file, so that even a reader writes."""
    told = "copy the file to a place that can be written"
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        for words in ("attempt to write a readonly database", "unable to open database file"):
            refused = OperationalError("PRAGMA", {}, sqlite3.OperationalError(words))
            with pytest.raises(StoreError, match=told), asking(store.engine):
                raise refused
