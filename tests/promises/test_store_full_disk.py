"""A full disk is said, nothing is lost, and the next run goes on when there is room again."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text

from forecast.errors import StoreError
from forecast.store import Store, backup
from tests.promises.conftest import Server

PAGES = 90
"""Of SQLite; an empty store takes some thirty, the whole feed some seventy."""


def test_a_full_disk_is_said_and_the_next_run_goes_on(
    feeding: ModuleType, tmp_path: Path, undisturbed: list[tuple[Any, ...]]
) -> None:
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


def test_a_disk_without_room_for_the_log_is_said(
    feeding: ModuleType, tmp_path: Path, undisturbed: list[tuple[Any, ...]]
) -> None:
    url, told = f"sqlite:///{tmp_path}/store.db", tmp_path / "told"
    assert feeding.run(feeding.feed_small_files, url, 240_000, told) == 0
    assert "the disk of the store" in told.read_text()
    assert "with free space and without a limit on the size of files" in told.read_text()
    assert "nothing of this step was stored" in told.read_text()
    with Store.open(url) as store:
        assert store.mark("feed")["at"] < feeding.BATCHES
        feeding.feed(store)
        assert feeding.rows(store) == undisturbed


def test_a_disk_without_room_for_a_backup_is_said(feeding: ModuleType, tmp_path: Path) -> None:
    url, told = f"sqlite:///{tmp_path}/store.db", tmp_path / "told"
    with Store.open(url) as store:
        feeding.feed(store)
    assert feeding.run(feeding.back_up_small_files, url, 9_000, told) == 0
    assert "copy.zip cannot be written (File too large); expected enough free space" in told.read_text()
    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    folder = Path(tempfile.mkdtemp(prefix="forecast-disk-"))
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("needs the right to mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def fill_but(room: int, disk: Path) -> Path:
    """A file that takes all of a disk but some bytes."""
    with (disk / "ballast").open("wb", buffering=0) as file:
        with pytest.raises(OSError, match="No space left"):
            any(file.write(bytes(4096)) == 0 for _ in range(10_000))
        file.truncate(file.tell() - room)
    return disk / "ballast"


def test_a_small_disk_is_said_and_the_next_run_goes_on(
    feeding: ModuleType, small_disk: Path, undisturbed: list[tuple[Any, ...]]
) -> None:
    with Store.open(f"sqlite:///{small_disk}/store.db") as store:
        ballast = fill_but(150_000, small_disk)
        with pytest.raises(StoreError, match=r"the disk of the store .* is full"):
            feeding.feed(store)
        assert (store.mark("feed") or {"at": 0})["at"] < feeding.BATCHES
        with pytest.raises(StoreError, match=r"\(No space left on device\); expected enough free space"):
            backup(store, small_disk / "copy.zip")
        ballast.unlink()
        feeding.feed(store)
        assert feeding.rows(store) == undisturbed


def test_a_server_on_a_small_disk_says_so_and_the_next_run_goes_on(
    feeding: ModuleType, server: Server, small_disk: Path, undisturbed: list[tuple[Any, ...]]
) -> None:
    shutil.copystat(server.room, small_disk)
    os.chown(small_disk, server.room.stat().st_uid, server.room.stat().st_gid)
    engine = create_engine(server.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE TABLESPACE small LOCATION '{small_disk}'"))
        connection.execute(text("CREATE DATABASE small TABLESPACE small"))
    engine.dispose()
    with Store.open(server.url.removesuffix("postgres") + "small") as store:
        ballast = fill_but(150_000, small_disk)
        with pytest.raises(StoreError, match=r"the disk of the store .* is full"):
            feeding.feed(store)
        done = (store.mark("feed") or {"at": 0})["at"]
        assert done < feeding.BATCHES
        ballast.unlink()
        assert feeding.feed(store) == feeding.BATCHES - done
        assert feeding.rows(store) == undisturbed
