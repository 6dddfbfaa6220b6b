"""A killed process, a full disk, a lock, a server that goes: nothing lost, nothing doubled, the next run goes on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from forecast.errors import StoreError
from forecast.settings import Settings
from forecast.store import Store, backup, restore
from forecast.tables import SeriesInfo
from tests.promises.conftest import Server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a store that is not there yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    return str(request.getfixturevalue("postgres_url"))


MOMENTS = [
    ("CREATE VIEW", 1),  # the schema is being made
    ("INSERT INTO series", 2),  # one series of the first batch is registered
    ("INSERT INTO observation", 2),  # the values of one variable are written
    ("UPDATE source", 1),  # all values of the first batch are written, and not its mark
    ("COMMIT", 2),  # the mark, too, and nothing is committed
    ("SELECT source", 3),  # the first batch is done, the second begins
    ("UPDATE source", 2),
]


def test_killed_again_and_again_ends_as_if_nothing_had_been(
    feeding: ModuleType, url: str, undisturbed: list[tuple[Any, ...]]
) -> None:
    codes, marks = [], []
    for words, times in MOMENTS:
        codes.append(feeding.run(feeding.feed_and_die, url, words, times))
        if len(codes) > 1:
            with Store.open(url) as store:
                marks.append((store.mark("feed") or {}).get("at", 0))
    assert codes == [-signal.SIGKILL] * len(MOMENTS)
    assert marks == [0, 0, 0, 0, 1, 2]
    for number in range(1, 4):
        feeding.run(feeding.feed_and_die, url, "", 1, 0.02 * number)
    with Store.open(url) as store:
        feeding.feed(store)
        assert feeding.rows(store) == undisturbed


def test_a_restoring_that_is_killed_leaves_what_was_there(feeding: ModuleType, url: str, tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/other.db") as other:
        feeding.feed(other)
        copy = backup(other, tmp_path / "copy.zip").path
    with Store.open(url) as store:
        store.describe(SeriesInfo(unique_id="mine", step="1h"))
        assert feeding.run(feeding.restore_and_die, copy, url) == -signal.SIGKILL
        assert list(store.series()) == ["mine"]
        restore(copy, url, replace=True)
        assert list(store.series()) == ["north", "south"]


@pytest.fixture
def holder(feeding: ModuleType, url: str) -> Iterator[Callable[[], None]]:
    """Another process is the writer; called, it goes."""
    with Store.open(url):
        pass
    holds, release = feeding.PROCESSES.Event(), feeding.PROCESSES.Event()
    process = feeding.PROCESSES.Process(target=feeding.hold, args=(url, holds, release))
    process.start()
    assert holds.wait(60)
    yield release.set
    release.set()
    process.join(60)


def test_who_waits_for_another_writer_goes_on_when_it_goes(
    feeding: ModuleType, url: str, holder: Callable[[], None], undisturbed: list[tuple[Any, ...]]
) -> None:
    with Store.open(url) as store:
        done: list[int] = []
        waiting = threading.Thread(target=lambda: done.append(feeding.feed(store)))
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
        assert store.series() == {}, "readers do not wait"
        holder()
        waiting.join(60)
        assert done == [feeding.BATCHES]
        assert feeding.rows(store) == undisturbed


def test_who_waits_too_long_is_told_so(
    feeding: ModuleType, url: str, holder: Callable[[], None], undisturbed: list[tuple[Any, ...]]
) -> None:
    with Store.open(url, Settings.read(store_patience_s=0.2)) as store:
        with pytest.raises(StoreError) as told:
            feeding.feed(store)
        assert "is being written by another process" in str(told.value)
        assert "expected it free within 0.2 s. Wait until the other one is done and run this again" in str(told.value)
        holder()
        with Store.open(url) as patient:
            feeding.feed(patient)
        assert feeding.rows(store) == undisturbed


def test_a_connection_that_is_cut_is_said_and_the_next_run_goes_on(
    feeding: ModuleType, postgres_url: str, undisturbed: list[tuple[Any, ...]]
) -> None:
    with Store.open(postgres_url) as store:
        feeding.at_statement(store.engine, "UPDATE source", 3, lambda: cut(postgres_url))
        with pytest.raises(StoreError, match=r"does not answer \(.*run this again; nothing of this step was stored"):
            feeding.feed(store)
        assert store.mark("feed") == {"at": 2}
        assert feeding.feed(store) == feeding.BATCHES - 2
        assert feeding.rows(store) == undisturbed


def test_a_connection_that_is_cut_among_the_rows_is_said(
    feeding: ModuleType, postgres_url: str, undisturbed: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    write, written = psycopg.Copy.write_row, list[object]()

    def write_and_cut(self: Any, row: Any) -> None:
        written.append(row)
        if len(written) == 700:
            cut(postgres_url)
        write(self, row)

    with Store.open(postgres_url) as store:
        monkeypatch.setattr(psycopg.Copy, "write_row", write_and_cut)
        with pytest.raises(StoreError, match=r"does not answer \("):
            feeding.feed(store)
        assert store.mark("feed") is None
        feeding.feed(store)
        assert feeding.rows(store) == undisturbed


def cut(url: str) -> None:
    """Ends all other connections to a database."""
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.execute(text(others)).all()
    engine.dispose()


def test_a_server_that_crashes_is_said_and_the_next_run_goes_on(
    feeding: ModuleType, server: Server, undisturbed: list[tuple[Any, ...]]
) -> None:
    with Store.open(server.url) as store:
        feeding.at_statement(store.engine, "UPDATE source", 4, server.crash)
        with pytest.raises(StoreError, match=r"does not answer \(.*run this again; nothing of this step was stored"):
            feeding.feed(store)
        with pytest.raises(StoreError, match=r"does not answer .*; expected a reachable database\. Check host, port"):
            feeding.feed(store)
        with pytest.raises(StoreError, match="does not answer"):
            Store.open(server.url)
        server.start()
        assert store.mark("feed") == {"at": 3}
        assert feeding.feed(store) == feeding.BATCHES - 3
        assert feeding.rows(store) == undisturbed
