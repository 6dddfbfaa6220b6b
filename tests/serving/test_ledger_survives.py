"""kill -9 of a real service under load: whatever a client was answered stands in the ledger."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from forecast.forecaster import Forecaster
from forecast.store import Store

ROOT = Path(__file__).resolve().parents[2]
CLIENTS, LEAST = 8, 60
HISTORY = {"start": "2014-06-01T00:00+10:00", "step": "PT30M", "y": [float(n % 48) for n in range(480)]}


def asking(url: str, ids: list[str], stop: threading.Event) -> None:
    body = {"series": [{"unique_id": "town", "history": HISTORY}], "horizon": 4}
    with httpx.Client() as client:
        while not stop.is_set():
            try:
                answer = client.post(f"{url}/v1/forecasts", json=body)
            except httpx.HTTPError:
                return
            told: dict[str, Any] = answer.json()
            assert told["recorded"] is True, told
            ids.append(told["id"])


def test_no_answered_forecast_is_lost(store_url: str, plain: Forecaster, tmp_path: Path) -> None:
    # Each way once: a commit that waits for the disk, and one that does not.
    flush = store_url.startswith("postgresql")
    plain.save(tmp_path / "model")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ, "FORECAST_PORT": str(port), "FORECAST_MODEL": str(tmp_path / "model"),
        "FORECAST_STORE": store_url, "FORECAST_LEDGER_FLUSH": str(flush), "PYTHONPATH": f"{ROOT}/src:{ROOT}",
    }  # fmt: skip
    program = "import serving; from forecast.settings import Settings; serving.run(Settings.read())"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", program], env=environment, cwd=tmp_path, stdout=log, stderr=log
        )
    ids: list[str] = []
    stop = threading.Event()
    url = f"http://127.0.0.1:{port}"
    clients = [threading.Thread(target=asking, args=(url, ids, stop)) for _ in range(CLIENTS)]
    try:
        _wait(url, process, tmp_path / "log")
        for one in clients:
            one.start()
        patience = time.monotonic() + 60
        while len(ids) < LEAST and time.monotonic() < patience and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    finally:
        stop.set()
        process.kill()
        for one in clients:
            if one.ident is not None:
                one.join(timeout=30)
    assert len(ids) >= LEAST
    with Store.open(store_url) as store, store.snapshot() as connection:
        kept = set(connection.execute(text("SELECT id FROM forecast")).scalars())
    assert set(ids) <= kept, f"{len(set(ids) - kept)} of {len(ids)} answers are lost"
    assert len(kept) - len(ids) <= CLIENTS, "what was committed and not answered any more"


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    patience = time.monotonic() + 60
    while time.monotonic() < patience and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.ConnectError:
            pass
        time.sleep(0.05)
    pytest.fail(f"the service did not start: {log.read_text()[-2000:]}")
