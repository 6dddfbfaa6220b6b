"""A real server on loopback, asked over real sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from forecast.errors import RequestError
from forecast.forecaster import Forecaster
from forecast.settings import Settings
from serving import run, running
from serving.server import address

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def url(settings: Settings, plain: Forecaster) -> Iterator[str]:
    """The address of a running service."""
    with running(settings, plain) as where:
        yield where


def test_a_real_request(url: str) -> None:
    history = {"start": "2014-06-01T00:00+10:00", "step": "PT30M", "y": [float(n % 48) for n in range(480)]}
    content = json.dumps({"series": [{"unique_id": "town", "history": history}], "horizon": 4}).encode()
    asked = urllib.request.Request(f"{url}/v1/forecasts", content, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        said = json.load(answer)
    assert said["forecasts"][0]["mean"] == pytest.approx([0, 1, 2, 3], abs=2)
    assert said["forecasts"][0]["ds"][0] == "2014-06-10T14:00:00Z"


def test_it_does_not_name_its_server(url: str) -> None:
    with urllib.request.urlopen(f"{url}/livez", timeout=30) as answer:
        assert "server" not in {name.lower() for name in answer.headers}


def _spaces(size: int) -> Iterator[bytes]:
    for _ in range(size // 65536):
        yield b" " * 65536


@pytest.mark.parametrize("declared", [True, False])
def test_200_mb_are_refused_within_a_moment(url: str, declared: bool) -> None:
    size = 65536 * 3052
    headers: dict[str, str] = {"content-type": "application/json"}
    if declared:
        headers["content-length"] = str(size)
    began = time.monotonic()
    answer = httpx.post(f"{url}/v1/forecasts", content=_spaces(size), headers=headers, timeout=30)
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")
    assert time.monotonic() - began < 10
    assert httpx.get(f"{url}/livez").status_code == 200, "it goes on"


def test_a_taken_port_is_a_clear_message(url: str) -> None:
    port = int(url.rsplit(":", 1)[1])
    with pytest.raises(RequestError, match=f"port {port} cannot be listened on"):
        run(Settings.read(port=port))


def test_the_command_promises_nothing_before_the_port_is_its_own(url: str) -> None:
    port = url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "forecast", "serve", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "Serving on" not in done.stdout + done.stderr
    assert f"port {port} cannot be listened on" in " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(
    ("host", "seen"),
    [("127.0.0.1", "http://127.0.0.1:1"), ("0.0.0.0", "http://127.0.0.1:1"), ("::1", "http://[::1]:1")],
)
def test_addresses(host: str, seen: str) -> None:
    assert address(host, 1) == seen


def test_run_serves_until_it_is_interrupted_without_loading_torch(tmp_path: Path, plain: Forecaster) -> None:
    plain.save(tmp_path / "model")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = (
        "import sys, serving; from forecast.settings import Settings; serving.run(Settings.read()); "
        "print('loaded', *(name for name in ('torch', 'mlflow', 'prefect') if name in sys.modules))"
    )
    environment = {**os.environ, "FORECAST_PORT": str(port), "FORECAST_MODEL": str(tmp_path / "model")}
    environment["PYTHONPATH"] = f"{ROOT}/src:{ROOT}"
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        said = _when_ready(f"http://127.0.0.1:{port}", process)
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert said["model"]["name"] == "last-week"
    assert (process.returncode, told.splitlines()[-1]) == (0, "loaded"), told
    assert "Traceback" not in told


def _when_ready(url: str, process: subprocess.Popen[str]) -> dict[str, Any]:
    patience = time.monotonic() + 60
    while time.monotonic() < patience and process.poll() is None:
        try:
            said: dict[str, Any] = httpx.get(f"{url}/readyz").json()
            return said
        except httpx.ConnectError:
            time.sleep(0.05)
    pytest.fail("the service did not start")
