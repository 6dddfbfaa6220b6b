"""`forecast up` as a person has it: one real start, accidents, one stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml

from flows.deployed import DEPLOYMENTS, as_yaml
from forecast.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PORTS = ("FORECAST_PREFECT_PORT", "FORECAST_WORKER_PORT", "FORECAST_MLFLOW_PORT", "FORECAST_PORT")
STARTS_WITHIN_S = 240


@dataclass
class House:
    """Everything, running.

    Attributes:
        home: its folder.
        environment: what it was told.
        process: its keeper.
        lines: what it has printed.
        told: what its webhook was sent.
    """

    home: Path
    environment: dict[str, str]
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)

    def read(self, out: IO[str]) -> None:
        """Until it is closed."""
        self.lines.extend(iter(out.readline, ""))

    def port(self, name: str) -> int:
        return int(self.environment[name])

    def ask(self, path: str, **body: Any) -> Any:
        """Prefect's server."""
        url = f"http://127.0.0.1:{self.port('FORECAST_PREFECT_PORT')}/api/{path}"
        data = json.dumps(body).encode() if body or path.endswith(("filter", "create_flow_run")) else None
        with urlopen(Request(url, data, {"Content-Type": "application/json"}), timeout=30) as answer:
            return json.load(answer)

    def run(self, name: str, **parameters: Any) -> dict[str, Any]:
        """One run of a deployment, to its end."""
        deployment = self.ask(f"deployments/name/{name}/{name}")["id"]
        made = self.ask(f"deployments/{deployment}/create_flow_run", parameters=parameters, state={"type": "SCHEDULED"})
        over = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
        until(lambda: self.ask(f"flow_runs/{made['id']}")["state_type"] in over, 120)
        found: dict[str, Any] = self.ask(f"flow_runs/{made['id']}")
        return found


def until(true: Callable[[], object], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.2)


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Started once for all tests; schedules are off, so that nothing runs by itself."""
    home, told = tmp_path_factory.mktemp("house"), []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    hook = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    ours = ("FORECAST_", "PREFECT_", "MLFLOW_")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
        **{name: str(port) for name, port in zip(PORTS, free_ports(4), strict=True)},
        "FORECAST_HOME": str(home), "FORECAST_NOTIFY_WEBHOOK": f"http://127.0.0.1:{hook.server_port}/told?key=hidden",
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    process = up(environment, "--no-schedules")
    one = House(home, environment, process, told=told)
    assert process.stdout is not None
    reader = threading.Thread(target=one.read, args=(process.stdout,))
    reader.start()
    try:
        until(lambda: any("Ctrl+C" in line for line in one.lines) or process.poll() is not None, STARTS_WITHIN_S)
        yield one
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        reader.join()
        process.stdout.close()
        hook.shutdown()
        hook.server_close()


def up(environment: dict[str, str], *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "forecast", "up", *options]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        cwd=environment["FORECAST_HOME"],
    )  # fmt: skip


def refused(environment: dict[str, str]) -> str:
    """What a keeper says that does not start."""
    told, _ = (process := up(environment)).communicate(timeout=60)
    assert process.returncode == 2
    return " ".join(told.split())


def test_addresses_are_told_when_all_is_well(house: House) -> None:
    text = "".join(house.lines)
    for name, path in (
        ("FORECAST_PREFECT_PORT", "api/health"),
        ("FORECAST_MLFLOW_PORT", "health"),
        ("FORECAST_PORT", "livez"),
    ):
        assert f"http://127.0.0.1:{house.port(name)}" in text
        with urlopen(f"http://127.0.0.1:{house.port(name)}/{path}", timeout=10) as answer:
            assert answer.status == 200


def test_every_flow_is_registered_without_a_schedule(house: House) -> None:
    found = {one["name"]: one for one in house.ask("deployments/filter", limit=50)}
    assert set(found) == {one.name for one in DEPLOYMENTS}
    assert all(one["schedules"] == [] for one in found.values())


def test_state_lies_below_its_folder_and_nothing_beside(house: House) -> None:
    assert {path.name for path in house.home.iterdir()} == {"mlruns"}
    mlruns = house.home / "mlruns"
    with urlopen(f"http://127.0.0.1:{house.port('FORECAST_PORT')}/v1/series", timeout=30) as answer:
        assert json.load(answer)["series"] == []  # who asks first has the store made
    for name in ("mlflow.db", "store.db", "prefect/prefect.db", "logs/prefect.log", "logs/worker.log"):
        assert (mlruns / name).exists(), name


def test_a_second_one_and_busy_ports_are_refused(house: House, tmp_path: Path) -> None:
    assert f"process {house.process.pid} runs everything for {house.home}/mlruns already" in refused(house.environment)
    told = refused(house.environment | {"FORECAST_HOME": str(tmp_path)})
    for name in PORTS:
        assert f"127.0.0.1 port {house.port(name)} ({name})" in told
    assert "http://" not in told


def test_a_schedule_that_does_not_fit_is_told_before_anything_starts(house: House, tmp_path: Path) -> None:
    free = dict(zip(PORTS, map(str, free_ports(4)), strict=True))
    for schedule, why in (('{"isue": "30 8 * * *"}', "names isue"), ("{issue: 8}", "FORECAST_SCHEDULE is no JSON")):
        told = refused(house.environment | free | {"FORECAST_HOME": str(tmp_path), "FORECAST_SCHEDULE": schedule})
        assert why in told
        assert "Starting" not in told


def test_a_run_that_fails_is_told_to_the_webhook(house: House) -> None:
    done = house.run("ingest", sources="nowhere.toml")
    assert done["state_type"] == "FAILED"
    until(lambda: house.told, 30)
    (said,) = house.told
    assert (said["flow"], said["run"], said["state"]) == ("ingest", done["name"], "Failed")
    assert "nowhere.toml" in said["message"]
    assert said["link"].endswith(f"/runs/flow-run/{done['id']}")


def test_what_is_killed_comes_back(house: House) -> None:
    ours = f"FORECAST_HOME={house.home}".encode()
    (service,) = [
        int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline")
        if b"forecast\0serve" in path.read_bytes() and ours in environ(path)
    ]  # fmt: skip
    os.kill(service, signal.SIGKILL)
    until(lambda: any("service is well again" in line for line in house.lines), 120)
    assert any("service ended with SIGKILL; it is started again in 1 s" in line for line in house.lines)


def environ(cmdline: Path) -> bytes:
    try:
        return cmdline.with_name("environ").read_bytes()
    except OSError:
        return b""


def test_one_signal_stops_all_in_order(house: House) -> None:
    house.process.send_signal(signal.SIGINT)
    assert house.process.wait(90) == 0
    until(lambda: "Prefect stopped\n" in house.lines, 5)
    stopped = [line.split()[0] for line in house.lines if line.endswith(" stopped\n")]
    assert stopped == ["worker", "service", "runner", "MLflow", "Prefect"]
    for name in PORTS:
        with pytest.raises((HTTPError, OSError)):
            urlopen(f"http://127.0.0.1:{house.port(name)}/", timeout=2)


def test_prefect_yaml_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    assert text == as_yaml(Settings.read(schedule_zone="UTC", schedule={})), (
        "python -m flows.deployed --yaml > prefect.yaml"
    )
    shown = yaml.safe_load(text)["deployments"]
    assert [one["name"] for one in shown] == [one.name for one in DEPLOYMENTS]
    assert not any(word in text.lower() for word in ("password", "token", "secret"))
