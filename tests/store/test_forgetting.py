"""A forgotten series is gone from tables, files and caches; what cannot be removed is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select, text

from forecast import clock
from forecast.errors import StoreError
from forecast.settings import Settings
from forecast.sources import Batch
from forecast.store import Alarm, DayScore, Store
from forecast.store.forgetting import name_digest
from forecast.store.schema import AUDIT, METADATA, SERIES
from forecast.tables import Columns, Demand, Forecast, SeriesInfo, save_demand

NAME = "Mrs. Ångström's meter"
OTHER = "the school"
MARK = 271828.18284590452
"""A value that nothing else has."""
START = pd.Timestamp("2024-03-01T00:00Z")
HOME = (SeriesInfo(unique_id=OTHER, parent=NAME), SeriesInfo(unique_id=NAME, step="1h", static={"people": 3.0}))


def metered(name: str, hours: int = 500) -> pd.DataFrame:
    ds = pd.date_range(START, periods=hours, freq="1h")
    return pd.DataFrame({"unique_id": name, "ds": ds, "y": np.linspace(1, 2, hours), "temperature": 20.0})


def said(*names: str) -> Forecast:
    """A forecast that tells the value of the one series only."""
    keys = {"cutoff": START, "ds": pd.date_range(START, periods=24, freq="1h")}
    parts = [
        pd.DataFrame({"unique_id": name, **keys, "mean": MARK if name == NAME else 1.5, "q0.5": 1.0, "q0.9": 2.0})
        for name in names
    ]
    warnings = tuple(f"series '{name}': 2 steps have no known y" for name in names)
    return Forecast(pd.concat(parts, ignore_index=True), "MW", "lstm", warnings)


def scored(name: str) -> DayScore:
    values = np.full((24, 5), MARK if name == NAME else 1.5, dtype=np.float32)
    figures = {"mae": MARK if name == NAME else 1.5, "bias": 0.0, "mape": 1.0, "coverage": 0.8, "demand": 1.0}
    return DayScore(
        name, "2024-03-02", "both", 0, 0, "lstm", None, "champion", "MW", 1709337600, 3600, 24, 24, 24,
        **figures, naive_mae=1.0, compared_mae=1.0, values_P5=values,
    )  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.read(mlruns=tmp_path / "mlruns", home=tmp_path)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """Two series with weather, a revision, and forecasts of both together and of each alone."""
    with Store.open(store_url) as opened:
        opened.add(Batch(metered(OTHER), Columns(known=("temperature",)), HOME), "feed")
        opened.add(Batch(metered(NAME).assign(y=MARK), Columns(known=("temperature",))), "feed")
        opened.add(Batch(metered(NAME).iloc[:5].assign(y=MARK + 1)), "feed")
        for id, names in {"both": (NAME, OTHER), "hers": (NAME,), "its": (OTHER,)}.items():
            opened.record(said(*names), id=id, issued_at=START, reason=f"asked for {', '.join(names)}")
        opened.keep_scores([scored(NAME), scored(OTHER)])
        opened.raise_alarms([Alarm(name, "level", "2024-03-02", {"beside": [NAME]}) for name in (NAME, OTHER)])
        opened.mark_done("score", "2024-03-02", {NAME: 1.5, "worst": f"{NAME}, {OTHER}"})
        yield opened


def test_nothing_of_it_is_left_in_any_table(store: Store, settings: Settings) -> None:
    kept = store.demand(only=[OTHER]).digest
    with clock.using("2024-06-01T00:00Z"):
        done = store.forget(NAME, settings)
    assert (done.observations, done.forecasts, done.children) == (1005, 2, (OTHER,))
    assert list(store.series()) == [OTHER]
    assert store.demand().digest == kept
    with store.snapshot() as connection:
        rows = {name: connection.execute(select(table)).all() for name, table in METADATA.tables.items()}
        assert connection.execute(text("SELECT DISTINCT unique_id FROM readable")).scalars().all() == [OTHER]
    assert "ngström" not in json.dumps(rows, default=str, ensure_ascii=False)
    assert str(MARK)[:8] not in json.dumps(rows["observation"], default=str)
    assert rows["erasing"] == []
    assert [one.unique_id for one in store.scores()] == [one.unique_id for one in store.alarms()] == [OTHER]
    (run,) = rows["run"]
    assert json.loads(run.detail) == {"(forgotten)": 1.5, "worst": f"(forgotten), {OTHER}"}
    with pytest.raises(StoreError, match="no series Mrs"):
        store.demand(only=[NAME])


def test_what_was_said_of_others_stays_without_the_name(store: Store, settings: Settings) -> None:
    before = store.forecast("its").frame
    store.forget(NAME, settings)
    both = store.forecast("both")
    assert set(both.frame["unique_id"]) == {OTHER}
    assert both.warnings == tuple(f"series '{name}': 2 steps have no known y" for name in ("(forgotten)", OTHER))
    assert [one.reason for one in store.forecasts(OTHER)] == [f"asked for (forgotten), {OTHER}", f"asked for {OTHER}"]
    pd.testing.assert_frame_equal(store.forecast("its").frame, before, check_exact=True)
    with pytest.raises(StoreError, match="no forecast 'hers'"):
        store.forecast("hers")


def test_the_audit_says_that_and_not_whom(store: Store, settings: Settings) -> None:
    with clock.using("2024-06-01T00:00Z"):
        store.forget(NAME, settings)
    with store.snapshot() as connection:
        (line,) = connection.execute(select(AUDIT)).all()
    assert (line.action, line.at) == ("forget", pd.Timestamp("2024-06-01T00:00Z").timestamp())
    assert json.loads(line.detail) == {
        "series_sha256": name_digest(NAME), "caches": 0, "observations": 1005, "forecasts": 2, "children": 1,
    }  # fmt: skip
    assert store.contents().forgotten == 1


def test_a_child_stays_without_a_parent(store: Store, settings: Settings) -> None:
    assert store.series()[OTHER].parent == NAME
    store.forget(NAME, settings)
    assert store.series()[OTHER].parent is None


def test_a_source_that_would_bring_it_back_is_named(store: Store, settings: Settings) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("INSERT INTO source (id, name) VALUES (77, 'unread')"))
    left = " ".join(store.forget(NAME, settings).left)
    assert "the source feed gave it" in left
    assert "unread" not in left


def test_an_unknown_series_is_refused_and_a_forgotten_one_is_finished(store: Store, settings: Settings) -> None:
    with pytest.raises(StoreError, match="holds no series 'nobody'"):
        store.forget("nobody", settings)
    store.forget(NAME, settings)
    copy = cached(settings.mlruns / "work" / "table-0.parquet", NAME)
    again = store.forget(NAME, settings)
    assert (again.observations, again.forecasts, again.caches) == (0, 0, (copy,))


def test_the_bytes_are_gone_from_the_files_of_the_database(store: Store, settings: Settings) -> None:
    # A float in a row: SQLite turns it round, PostgreSQL does not. In the ledger it is packed as the ledger says.
    wanted = {NAME.encode(), *(np.array(MARK, dtype=order).tobytes() for order in ("<f8", ">f8"))}
    before = files_of(store)
    assert sum(one in before for one in wanted) == (3 if "sqlite" in store.place else 2)
    done = store.forget(NAME, settings)
    assert "their bytes" not in " ".join(done.left)
    after = files_of(store)
    assert OTHER.encode() in after
    assert not any(one in after for one in wanted)


def files_of(store: Store) -> bytes:
    """Everything that the database keeps in files for the store, its statistics too."""
    file = store.engine.url.database
    if "sqlite" in store.place:
        return b"".join(path.read_bytes() for path in sorted(Path(str(file)).parent.glob("store.db*")))
    statement = (
        "SELECT pg_read_binary_file(pg_relation_filepath(c.oid)) FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'forecast' AND c.relkind IN ('r', 'i', 't')"
    )
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CHECKPOINT"))
        parts = connection.execute(text(statement)).scalars().all()
        told = connection.execute(text("SELECT * FROM pg_stats WHERE schemaname = 'forecast'")).all()
    return b"".join(parts) + repr(told).encode()


def test_a_reader_in_the_way_is_said(tmp_path: Path, settings: Settings) -> None:
    hasty = Settings.read(mlruns=settings.mlruns, home=tmp_path, store_patience_s=0.1)
    with Store.open(f"sqlite:///{tmp_path}/store.db", hasty) as store:
        store.add(Batch(metered(NAME)), "feed")
        with store.snapshot() as connection:
            connection.execute(select(SERIES)).all()
            done = store.forget(NAME, settings)
        assert any("their bytes still in the files" in one for one in done.left)
        again = store.forget(NAME, settings)
        assert not any("their bytes still in the files" in one for one in again.left)
        assert NAME.encode() not in files_of(store)


def test_a_snapshot_in_the_way_is_waited_for_and_said(postgres_url: str, tmp_path: Path, settings: Settings) -> None:
    hasty = Settings.read(mlruns=settings.mlruns, home=tmp_path, store_patience_s=0.1)
    with Store.open(postgres_url) as store:
        store.add(Batch(metered(NAME)), "feed")
        with store.snapshot() as connection:
            connection.execute(select(AUDIT)).all()
            (left,) = [one for one in store.forget(NAME, hasty).left if "their bytes still in the files" in one]
            assert "500 deleted rows of observation" in left
            closing = Timer(1, connection.rollback)
            closing.start()
            again = store.forget(NAME, settings)
            closing.join()
        assert not any("their bytes still in the files" in one for one in again.left)
        assert NAME.encode() not in files_of(store)


def test_caches_that_name_it_are_removed(store: Store, settings: Settings) -> None:
    work = settings.mlruns / "work"
    gone = [
        cached(work / "table-0.parquet", NAME, OTHER),
        cached(work / "walks" / "a" / "gru" / "walk.parquet", NAME),
        model(work / "walks" / "a" / "gru" / "fold-000", NAME),
        model(settings.cache / "demand" / "3-abc", OTHER, NAME),
        note(work / "results" / "walk-1", f"missing: {NAME!r}"),
    ]
    kept = [
        cached(work / "table-1.parquet", OTHER, NAME + " too"),
        model(settings.cache / "demand" / "4-abc", OTHER),
        note(work / "results" / "walk-2", "done"),
    ]
    assert set(store.forget(NAME, settings).caches) == set(gone)
    assert [path.exists() for path in gone] == [False] * 5
    assert all(path.exists() for path in kept)


def test_what_is_not_removed_is_named(store: Store, settings: Settings) -> None:
    artifact = cached(settings.artifacts / "1" / "run" / "walk.parquet", NAME)
    foreign = cached(settings.artifacts / "1" / "run" / "other.parquet", OTHER)
    left = " ".join(store.forget(NAME, settings).left)
    assert artifact.exists()
    assert f"{artifact} names it: delete its run in MLflow" in left
    assert str(foreign) not in left
    for word in ("backups", "MLflow", "weights hold no values", "Prefect"):
        assert word in left


def cached(path: Path, *names: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.concat([metered(name, 48) for name in names]).drop(columns="temperature")
    if path.name.startswith("table-"):
        save_demand(Demand.from_frame(frame), path)
    else:
        frame.to_parquet(path, index=False)
    return path


def model(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    note(folder / "forecaster.json", json.dumps({"series": names}))
    note(folder / "manifest.json", "{}")
    note(folder / "weights.safetensors", "")
    return folder


def note(path: Path, words: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(words, encoding="utf-8")
    return path
