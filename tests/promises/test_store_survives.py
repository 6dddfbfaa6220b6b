"""A killed process, a full disk, a lock, a server that goes: nothing lost, nothing doubled, the next run goes on."""

from __future__ import annotations

import importlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text

from forecast.errors import StoreError
from forecast.settings import Settings
from forecast.store import Store, backup
from tests import conftest

# By its own name, as the processes find it: elsewhere a package is called tests, too.
sys.path.append(str(Path(__file__).parent))
feeding = importlib.import_module("feeding")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a store that is not there yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    """What stands in a store that nobody disturbs."""
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('undisturbed')}/store.db") as store:
        assert feeding.feed(store) == feeding.BATCHES
        told = feeding.rows(store)
    assert len({row[:3] for row in told}) == 2 * 2 * feeding.BATCHES * feeding.HOURS
    assert sum(row[4] > 0 for row in told) > 10, "nothing was revised"
    return told


MOMENTS = [
    ("CREATE VIEW", 1),  # the schema is being made
    ("INSERT INTO series", 2),  # one series of the first batch is registered
    ("INSERT INTO observation", 2),  # the values of one variable are written
    ("UPDATE source", 1),  # all values of the first batch are written, and not its mark
    ("COMMIT", 2),  # the mark, too, and nothing is committed
    ("SELECT source", 3),  # the first batch is done, the second begins
    ("UPDATE source", 2),
]


def test_killed_again_and_again_ends_as_if_nothing_had_been(url: str, undisturbed: list[tuple[Any, ...]]) -> None:
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


PAGES = 60
"""Of SQLite; the whole feed takes about fifty."""


def test_a_full_disk_is_said_and_the_next_run_goes_on(tmp_path: Path, undisturbed: list[tuple[Any, ...]]) -> None:
    most = [PAGES // 2]
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        event.listen(store.engine, "connect", lambda raw, _: raw.execute(f"PRAGMA max_page_count = {most[0]}"))
        store.close()  # so that every connection has the limit
        with pytest.raises(StoreError, match=r"the disk of the store .* is full .*; expected free space\. Free some"):
            feeding.feed(store)
        done = store.mark("feed")["at"]
        assert 0 < done < feeding.BATCHES
        assert {row[2] for row in feeding.rows(store)} == {row[2] for row in undisturbed if row[2] < feeding.end(done)}
        most[0] = 2 * PAGES
        store.close()
        assert feeding.feed(store) == feeding.BATCHES - done
        assert feeding.rows(store) == undisturbed


def test_a_disk_without_room_for_the_log_is_said(tmp_path: Path, undisturbed: list[tuple[Any, ...]]) -> None:
    url, told = f"sqlite:///{tmp_path}/store.db", tmp_path / "told"
    assert feeding.run(feeding.feed_small_files, url, 150_000, told) == 0
    assert "the disk of the store" in told.read_text()
    assert "with free space and without a limit on the size of files" in told.read_text()
    assert "nothing of this step was stored" in told.read_text()
    with Store.open(url) as store:
        assert store.mark("feed")["at"] < feeding.BATCHES
        feeding.feed(store)
        assert feeding.rows(store) == undisturbed


def test_a_disk_without_room_for_a_backup_is_said(tmp_path: Path) -> None:
    url, told = f"sqlite:///{tmp_path}/store.db", tmp_path / "told"
    with Store.open(url) as store:
        feeding.feed(store)
    assert feeding.run(feeding.back_up_small_files, url, 9_000, told) == 0
    assert "copy.zip cannot be written (File too large); expected enough free space" in told.read_text()
    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == []


def test_a_small_disk_is_said_and_the_next_run_goes_on(small_disk: Path, undisturbed: list[tuple[Any, ...]]) -> None:
    with Store.open(f"sqlite:///{small_disk}/store.db") as store:
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as file:
            with pytest.raises(OSError, match="No space left"):
                any(file.write(bytes(4096)) == 0 for _ in range(1000))
            file.truncate(file.tell() - 150_000)
        with pytest.raises(StoreError, match=r"the disk of the store .* is full"):
            feeding.feed(store)
        assert (store.mark("feed") or {"at": 0})["at"] < feeding.BATCHES
        with pytest.raises(
            StoreError, match=r"cannot be written \(No space left on device\); expected enough free space"
        ):
            backup(store, small_disk / "copy.zip")
        ballast.unlink()
        feeding.feed(store)
        assert feeding.rows(store) == undisturbed


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def holder(url: str) -> Iterator[Callable[[], None]]:
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
    url: str, holder: Callable[[], None], undisturbed: list[tuple[Any, ...]]
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
    url: str, holder: Callable[[], None], undisturbed: list[tuple[Any, ...]]
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
    postgres_url: str, undisturbed: list[tuple[Any, ...]]
) -> None:
    with Store.open(postgres_url) as store:
        feeding.at_statement(store.engine, "UPDATE source", 3, lambda: cut(postgres_url))
        with pytest.raises(StoreError, match=r"does not answer \(.*run this again; nothing of this step was stored"):
            feeding.feed(store)
        assert store.mark("feed") == {"at": 2}
        assert feeding.feed(store) == feeding.BATCHES - 2
        assert feeding.rows(store) == undisturbed


def test_a_connection_that_is_cut_among_the_rows_is_said(
    postgres_url: str, undisturbed: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
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


@dataclass(frozen=True)
class Server:
    """A PostgreSQL of one's own, which may be stopped."""

    programs: Path
    room: Path
    as_user: list[str]
    port: int

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def crash(self) -> None:
        self._control("-m", "immediate", "stop")

    def start(self) -> None:
        self._control("-l", f"{self.room}/log", "-o", f"-p {self.port} -k {self.room}", "start")

    def _control(self, *words: str) -> None:
        program = f"{self.programs}/pg_ctl"
        conftest._call([*self.as_user, program, "-D", f"{self.room}/data", "-w", *words], self.room)


@pytest.fixture
def server() -> Iterator[Server]:
    programs = conftest._postgres_programs()
    if programs is None:
        conftest._lacking("PostgreSQL", "a server that can be stopped")
    with tempfile.TemporaryDirectory(prefix="forecast-postgres-", ignore_cleanup_errors=True) as folder:
        room = Path(folder)
        as_user = conftest._unprivileged(room)
        one = Server(programs, room, as_user, conftest._start_postgres(programs, room, as_user))
        try:
            yield one
        finally:
            one.crash()


def test_a_server_that_crashes_is_said_and_the_next_run_goes_on(
    server: Server, undisturbed: list[tuple[Any, ...]]
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
