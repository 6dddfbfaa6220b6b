"""The workers of a real Dask scheduler, each a process of its own: same bits, and nothing lost or twice with one."""

from __future__ import annotations

import importlib
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from forecast.crew import crew
from forecast.issuing import Question, issue
from forecast.settings import Settings
from forecast.store import Store
from tests.issuing.conftest import DAY, GATE


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What they are asked, under the name by which they know it."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("dask_hands")


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one with two workers."""
    from distributed import Client

    room = tmp_path_factory.mktemp("dask")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    boss = ["dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    hand = ["dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(room)]
    with ExitStack() as stack:
        log = stack.enter_context((room / "log").open("wb"))
        for command in (boss, hand, hand):
            words = [sys.executable, "-m", f"distributed.cli.{command[0]}", *command[1:]]
            path = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
            child = subprocess.Popen(words, stdout=log, stderr=log, env=path)
            stack.callback(child.wait)
            stack.callback(child.kill)
        with Client(address, timeout=120, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=120)
        yield address


def test_workers_do_everything_and_work_alone_themselves(scheduler: str, hands: Any) -> None:
    with crew(1, scheduler) as pool:
        assert pool is not None
        done = {pool.submit(hands.where, scheduler).result(timeout=300) for _ in range(4)}
    assert os.getpid() not in {pid for pid, _ in done}
    assert {alone for _, alone in done} == {True}


def test_what_they_issue_is_what_one_process_says_also_when_one_is_killed(
    scheduler: str,
    hands: Any,
    store: Store,
    settings: Settings,
    now: pd.Timestamp,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    question = Question(DAY, GATE)
    assert issue(store, settings, question, batch=1).written == 3
    alone = said(tmp_path)
    forget_forecasts(tmp_path)
    mark = tmp_path / "died"
    monkeypatch.setattr("forecast.issuing.side_by_side._elsewhere", hands.Mortal(mark))
    elsewhere = settings.model_copy(update={"dask_scheduler": scheduler})
    done = issue(store, elsewhere, question, batch=1)
    assert mark.exists()
    # What a lost worker had written is there already when its block is done again.
    assert done.written + done.known == 3
    assert said(tmp_path) == alone


def said(folder: Path) -> list[tuple[object, ...]]:
    """Everything that the ledger holds, but when it was written."""
    with sqlite3.connect(folder / "store.db") as connection:
        wanted = 'id, series_id, cutoff, first_ds, steps, levels, model, rung, reason, "values"'
        rows = connection.execute(f"SELECT {wanted} FROM forecast ORDER BY id, series_id").fetchall()
    connection.close()
    return rows


def forget_forecasts(folder: Path) -> None:
    """Empties the ledger, which lets only those delete who forget a series."""
    with sqlite3.connect(folder / "store.db") as connection:
        for words in ("INSERT INTO erasing SELECT id FROM series", "DELETE FROM forecast", "DELETE FROM erasing"):
            connection.execute(words)
    connection.close()
