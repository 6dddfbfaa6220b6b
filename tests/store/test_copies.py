"""A backup holds everything, and comes back whole or not at all, into whichever of the two databases."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Connection, Table, select

from forecast import clock
from forecast.errors import StoreError
from forecast.settings import Settings
from forecast.sources import Batch
from forecast.store import Alarm, DayScore, Store, backup, copies, parts, restore
from forecast.store.schema import METADATA
from forecast.tables import Columns, Forecast, SeriesInfo

START = pd.Timestamp("2024-03-01T00:00Z")
WEATHER = Columns(known=("temperature",))


def metered(name: str, hours: int = 300, first: pd.Timestamp = START) -> pd.DataFrame:
    rng = np.random.default_rng(len(name))
    ds = pd.date_range(first, periods=hours, freq="1h")
    return pd.DataFrame({"unique_id": name, "ds": ds, "y": rng.random(hours), "temperature": rng.normal(size=hours)})


def fill(store: Store) -> None:
    """Two series with revisions and vintages, a source with a mark, forecasts, a forgotten series."""
    info = SeriesInfo(unique_id="north", zone="Europe/Lisbon", parent="all", static={"people": 3.0}, delay="6h")
    store.add(Batch(metered("north"), WEATHER, (info,), mark={"at": "ö"}), "feed")
    store.add(Batch(metered("all"), WEATHER), "feed")
    with clock.using("2024-05-01T00:00Z"):
        store.add(Batch(metered("all").iloc[:9].assign(y=7.0), WEATHER), "other feed")
    ds = pd.date_range(START, periods=24, freq="1h")
    numbers = {"mean": np.random.default_rng(1).random(24), "q0.5": 0.0, "q0.9": 1.0}
    parts = [pd.DataFrame({"unique_id": name, "cutoff": START, "ds": ds, **numbers}) for name in ("north", "all")]
    forecast = Forecast(pd.concat(parts, ignore_index=True), "MW", "lstm", ("so it is",))
    store.record(forecast, id="a", delivery_day="2024-03-01", issued_at=START)
    store.keep_scores([scored("north"), scored("all")])
    store.raise_alarms([Alarm("north", "level", "2024-03-01", {"shift": 0.2}), Alarm(None, "error", "2024-03-01")])
    store.answer_alarms([store.alarms(series="north")[0].id], "retrain-1")
    store.mark_done("score", "2024-03-01", {"series": 2})


def scored(name: str) -> DayScore:
    return DayScore(
        name, "2024-03-01", "a", 0, 0, "lstm", "3", "champion", "MW", 1709251200, 3600, 24, 24, 0, 1.0, -0.5, 2.0, 0.8,
        50.0, np.nan, np.nan, np.random.default_rng(3).random((24, 5), dtype=np.float32),
    )  # fmt: skip


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url) as opened:
        fill(opened)
        yield opened


@pytest.fixture
def copy(store: Store, tmp_path: Path) -> Path:
    return backup(store, tmp_path / "copy.zip").path


def state(store: Store) -> dict[str, Any]:
    """All rows of all tables, but for the lines of audit on restoring."""
    with store.snapshot() as connection:
        rows = {name: sorted(map(tuple, connection.execute(select(t)).all())) for name, t in METADATA.tables.items()}
    rows["audit"] = [line for line in rows["audit"] if line[2] != "restore"]
    del rows["changed"]
    return rows


def same(one: Store, other: Store) -> bool:
    moment = "2024-03-07T00:00Z"
    digests = [(store.demand().digest, store.demand(as_of=moment).digest) for store in (one, other)]
    numbers = [store.forecast("a").frame.to_numpy().tolist() for store in (one, other)]
    return digests[0] == digests[1] and numbers[0] == numbers[1] and state(one) == state(other)


@pytest.mark.parametrize("into", ["sqlite", "postgresql"])
@pytest.mark.parametrize("size", [parts.PART, 100])
def test_what_comes_back_is_what_was_there(
    tmp_path: Path, postgres_url: str, into: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From SQLite into both, and from PostgreSQL back into SQLite."""
    monkeypatch.setattr(parts, "PART", size)
    with Store.open(f"sqlite:///{tmp_path}/first.db") as first:
        fill(first)
        done = backup(first, tmp_path / "copy.zip")
        assert done.rows["observation"] == 1209
        url = postgres_url if into == "postgresql" else f"sqlite:///{tmp_path}/second.db"
        assert restore(tmp_path / "copy.zip", url).rows == done.rows
        with Store.open(url) as second:
            assert same(first, second)
            again = backup(second, tmp_path / "again.zip").path
            # Keys go on where they stood.
            second.add(Batch(metered("east"), WEATHER), "third feed")
            assert sorted(second.series()) == ["all", "east", "north"]
        restore(again, f"sqlite:///{tmp_path}/third.db")
        with Store.open(f"sqlite:///{tmp_path}/third.db") as third:
            assert same(first, third)


def test_a_store_that_holds_something_is_refused_or_replaced(store: Store, copy: Path, store_url: str) -> None:
    before = state(store)
    with pytest.raises(StoreError, match=r"is not empty .* --replace"):
        restore(copy, store_url)
    store.add(Batch(metered("east"), WEATHER), "third feed")
    with pytest.raises(StoreError, match="is not empty"):
        restore(copy, store_url)
    restore(copy, store_url, replace=True)
    assert state(store) == before


def test_a_forgotten_series_does_not_return(store: Store, copy: Path, store_url: str, tmp_path: Path) -> None:
    store.forget("north", Settings.read(mlruns=tmp_path / "mlruns"))
    audit = state(store)["audit"]
    done = restore(copy, store_url, replace=True)
    assert done.forgotten == 1
    assert list(store.series()) == ["all"]
    assert set(store.forecast("a").frame["unique_id"]) == {"all"}
    assert [one.unique_id for one in store.scores()] == ["all"]
    assert [one.kind for one in store.alarms()] == ["error"]
    assert [line[1:] for line in state(store)["audit"]] == [line[1:] for line in audit]


def test_a_series_that_was_stored_again_does(store: Store, copy: Path, store_url: str, tmp_path: Path) -> None:
    store.forget("north", Settings.read(mlruns=tmp_path / "mlruns"))
    store.add(Batch(metered("north"), WEATHER), "feed")
    assert restore(copy, store_url, replace=True).forgotten == 0
    assert sorted(store.series()) == ["all", "north"]


def test_a_backup_shows_one_moment(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, read = state(store), list[str]()

    def read_and_write(connection: Connection, table: Table) -> Iterator[Any]:
        """Somebody writes after the first table was read."""
        yield from parts.read_parts(connection, table)
        read.append(table.name)
        if len(read) == 1:
            store.add(Batch(metered("east"), WEATHER), "third feed")

    monkeypatch.setattr(copies, "read_parts", read_and_write)
    backup(store, tmp_path / "copy.zip")
    assert "east" in store.series()
    restore(tmp_path / "copy.zip", f"sqlite:///{tmp_path}/second.db")
    with Store.open(f"sqlite:///{tmp_path}/second.db") as second:
        assert state(second) == before


def test_a_backup_that_breaks_off_leaves_the_older_one(
    store: Store, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = copy.read_bytes()
    monkeypatch.setattr(copies, "HEAD", object())  # no JSON: the manifest cannot be written
    with pytest.raises(TypeError):
        backup(store, copy)
    assert copy.read_bytes() == before
    assert [path.name for path in copy.parent.glob("*.zip*")] == ["copy.zip"]
    assert not list(copy.parent.glob(".copy*"))


def test_a_backup_replaces_an_older_one_and_nothing_else(store: Store, copy: Path, tmp_path: Path) -> None:
    assert backup(store, copy).path == copy
    assert copy.stat().st_mode & 0o077 == 0
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(StoreError, match=r"letter.txt is no whole backup"):
        backup(store, tmp_path / "letter.txt")
    assert (tmp_path / "letter.txt").read_text() == "dear"
    with pytest.raises(StoreError, match="cannot be written"):
        backup(store, tmp_path / "nowhere" / "copy.zip")


def rewritten(copy: Path, change: dict[str, bytes | None]) -> Path:
    """The same archive with some members exchanged or left out; its own checksums are right."""
    target = copy.with_name("changed.zip")
    with zipfile.ZipFile(copy) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = change.get(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return target


def manifest(copy: Path, **words: Any) -> dict[str, bytes | None]:
    with zipfile.ZipFile(copy) as file:
        return {"manifest.json": json.dumps({**json.loads(file.read("manifest.json")), **words}).encode()}


@pytest.fixture
def lite_copy(tmp_path: Path) -> Path:
    with Store.open(f"sqlite:///{tmp_path}/first.db") as first:
        fill(first)
        return backup(first, tmp_path / "copy.zip").path


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
def test_half_a_file_is_never_taken_for_whole(lite_copy: Path, tmp_path: Path, kept: float) -> None:
    data = lite_copy.read_bytes()
    lite_copy.write_bytes(data[: int(kept * len(data)) if kept < 1 else int(kept)])
    with pytest.raises(StoreError, match="no whole backup"):
        restore(lite_copy, f"sqlite:///{tmp_path}/second.db")
    assert not (tmp_path / "second.db").exists()


def test_a_backup_that_was_changed_is_refused(lite_copy: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(lite_copy) as file:
        series = file.read("series-00000.parquet")
    changes: dict[str, tuple[dict[str, bytes | None], str]] = {
        "other content": ({"observation-00000.parquet": series}, "another SHA-256"),
        "a part is missing": ({"observation-00000.parquet": None}, "observation-00000.parquet"),
        "no manifest": ({"manifest.json": None}, "manifest.json"),
        "a newer schema": (manifest(lite_copy, revision="9999"), "revision 9999"),
        "another format": (manifest(lite_copy, format=2), "no backup that this version reads"),
        "no parts": (manifest(lite_copy, parts=[]), "0 rows of"),
        "no JSON": ({"manifest.json": b"{"}, "no whole backup"),
        "nothing in it": ({"manifest.json": b"[]"}, "no whole backup"),
    }
    for change, told in changes.values():
        with pytest.raises(StoreError, match=told):
            restore(rewritten(lite_copy, change), f"sqlite:///{tmp_path}/second.db")
    with Store.open(f"sqlite:///{tmp_path}/second.db") as second:
        assert not any(state(second).values())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"none.zip cannot be read \(No such file"):
        restore(tmp_path / "none.zip", f"sqlite:///{tmp_path}/second.db")
