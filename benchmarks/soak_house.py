"""Everything that `forecast up` runs, as the soak drives it: started, asked over HTTP, killed by the piece."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

PORTS = ("FORECAST_PREFECT_PORT", "FORECAST_WORKER_PORT", "FORECAST_MLFLOW_PORT", "FORECAST_PORT")
STARTS_WITHIN_S, RUNS_WITHIN_S, AWAY_S = 900, 1800, 900
OVER = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
WORDS = {
    "Prefect": "prefect\0server\0start", "worker": "prefect\0worker\0start", "MLflow": "mlflow\0server",
    "service": "forecast\0serve", "runner": "flows.warm",
}  # fmt: skip
"""What the command of each process says."""
_AWAY = (urllib.error.URLError, ConnectionError, TimeoutError, json.JSONDecodeError, OSError)


class House:
    """A running `forecast up`.

    Args:
        home: its folder.
        settings: variables beside those of this process.
        options: of `forecast up`.
    """

    def __init__(self, home: Path, settings: dict[str, str], options: list[str]) -> None:
        ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("FORECAST_", "PREFECT_"))}
        self.environment = {**clean, **ports, "FORECAST_HOME": str(home), **settings}
        self.home, self._options = home, options
        self.lines: list[str] = []
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> float:
        """Starts all of it; returns the seconds until all was well."""
        begun, told = time.monotonic(), len(self.lines)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "forecast", "up", *self._options], env=self.environment, cwd=self.home, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        until(lambda: any("Ctrl+C" in line for line in self.lines[told:]) or self._ended(), STARTS_WITHIN_S)
        if self._ended():
            raise RuntimeError("forecast up did not start:\n" + "".join(self.lines[told:]))
        return time.monotonic() - begun

    def stop(self) -> None:
        """One signal stops all of it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(AWAY_S)

    def kill(self, name: str) -> int:
        """kill -9 of one process; returns its number."""
        ours = f"FORECAST_HOME={self.home}\0".encode()
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                said = (place / "cmdline").read_bytes()
                if WORDS[name].encode() in said and ours in (place / "environ").read_bytes() + b"\0":
                    number = int(place.name)
                    if parent(number) == self._number:
                        os.kill(number, signal.SIGKILL)
                        return number
        raise RuntimeError(f"no process of {name}")

    def kill_run(self) -> int:
        """kill -9 of the process of the flow run that is under way; returns its number."""
        (runner,) = [number for number in children(self._number) if "flows.warm" in command(number)]
        until(lambda: children(runner), 60)
        number = children(runner)[0]
        os.kill(number, signal.SIGKILL)
        return number

    def prefect(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Prefect's API; asked again while its server is away."""
        return asked(f"http://127.0.0.1:{self.environment['FORECAST_PREFECT_PORT']}/api/{path}", body)

    def mlflow(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """MLflow's API; asked again while its server is away."""
        return asked(f"http://127.0.0.1:{self.environment['FORECAST_MLFLOW_PORT']}/api/2.0/mlflow/{path}", body)

    def service(self, path: str) -> Any:
        """The service's API; asked again while it is away."""
        return asked(f"http://127.0.0.1:{self.environment['FORECAST_PORT']}/{path}", None)

    def begin(self, name: str, key: str, parameters: dict[str, Any]) -> str:
        """Starts a run of a deployment, once for a key; returns its id."""
        deployment = self.prefect(f"deployments/name/{name}/{name}")["id"]
        body = {"parameters": parameters, "idempotency_key": key, "state": {"type": "SCHEDULED"}, "tags": ["soak"]}
        return str(self.prefect(f"deployments/{deployment}/create_flow_run", body)["id"])

    def state(self, run: str) -> str:
        """The type of a run's state."""
        return str(self.prefect(f"flow_runs/{run}")["state_type"])

    def end(self, run: str) -> dict[str, Any]:
        """Waits for a run; a crashed one is given the time to run once more."""
        crashed = 0.0
        limit = time.monotonic() + RUNS_WITHIN_S
        while time.monotonic() < limit:
            found: dict[str, Any] = self.prefect(f"flow_runs/{run}")
            if found["state_type"] == "CRASHED" and found["run_count"] < 2:
                crashed = crashed or time.monotonic()
                if time.monotonic() < crashed + 150:
                    time.sleep(0.5)
                    continue
            if found["state_type"] in OVER:
                return found
            crashed = 0.0
            time.sleep(0.5)
        raise RuntimeError(f"run {run} has not ended within {RUNS_WITHIN_S} s")

    @property
    def _number(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line)


def asked(url: str, body: dict[str, Any] | None, patience_s: float = AWAY_S) -> Any:
    """The answer to a question that is asked again while nobody answers."""
    limit = time.monotonic() + patience_s
    data = None if body is None else json.dumps(body).encode()
    while True:
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code < 500 or time.monotonic() > limit:
                raise RuntimeError(f"{url}: {error.code} {error.read()[:500]!r}") from error
        except _AWAY:
            if time.monotonic() > limit:
                raise
        time.sleep(0.5)


def until(true: Callable[[], object], seconds: float) -> None:
    """Waits; RuntimeError where it does not come true."""
    limit = time.monotonic() + seconds
    while not true():
        if time.monotonic() > limit:
            raise RuntimeError(f"it did not happen within {seconds} s")
        time.sleep(0.1)


def children(number: int) -> list[int]:
    """The processes that a process has started."""
    return [one for one in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent(one) == number]


def parent(number: int) -> int:
    """Who started a process; 0 where it is gone."""
    try:
        return int(Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except (OSError, IndexError):
        return 0


def command(number: int) -> str:
    """The words of a process."""
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports
