"""How fast the service answers, as ratios to `mlflow models serve` with the same weights, in one run on this machine.

Run with `make bench BENCH=serving` or `python benchmarks/serving.py [--seconds 8]` on a machine that does nothing else.
Each server has one worker and is bound to the first core, the callers to the second. Requests per second are measured;
beside them stands the processor time that the server spent on one request, which other work on the machine disturbs
less. The peer gets its history as a tensor and everything else prepared; the service checks, works out features,
calibrates, counts, limits and writes its ledger (`--quick` leaves out the single-client, 64-client and loaded runs).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import benchmarks.serving_model as model  # noqa: E402
from forecast.forecaster.exporting import with_graphs  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
QUIET = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "MLFLOW_DISABLE_TELEMETRY": "true"}


@dataclass(frozen=True)
class Measured:
    """One run of a load against one server."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    bad: int


@dataclass(frozen=True)
class Server:
    """A server process that is ready."""

    process: subprocess.Popen[bytes]
    address: str
    ready_s: float

    @property
    def cpu_s(self) -> float:
        """Processor time of the server and its children so far."""
        return sum(_cpu(pid) for pid in _family(self.process.pid))

    @property
    def memory_mb(self) -> float:
        """Resident memory of the server and its children."""
        return sum(_memory(pid) for pid in _family(self.process.pid))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--minutes", type=float, help="instead: 40 requests a second for so long, memory every minute")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        forecaster = model.trained()
        with_graphs(forecaster).save(room / "served")
        model.fill(f"sqlite:///{room}/mlruns/store.db")
        key_of(room)
        if options.minutes:
            lasting(room, options.minutes)
            return
        peer = model.peer(forecaster, room, f"sqlite:///{room}/peer.db")
        measure(room, peer, options.seconds, quick=options.quick)


def measure(room: Path, peer: str, seconds: float, *, quick: bool) -> None:
    """Runs every server after the other."""
    mlflow = [str(Path(sys.executable).with_name("mlflow")), "models", "serve", "-m", peer, "--env-manager", "local"]
    with server([*mlflow, "--workers", "1", "--port"], "/ping", room) as one:
        base = load(one, "/invocations", model.peer_bodies(), room, seconds)
        tell("mlflow models serve (torch, tensor in and out)", base, base)
    with server([sys.executable, "-m", "benchmarks.serving_bare", str(room / "served")], "/docs", room) as one:
        tell("bare handler (ONNX Runtime, tensor in and out)", load(one, "/", model.peer_bodies(), room, seconds), base)
    with service(room) as one:
        print(f"service: ready {one.ready_s:.2f} s after its start, {one.memory_mb:.0f} MB")
        answers(one, room, seconds, base, quick=quick)
        print(f"service: {one.memory_mb:.0f} MB after these runs")


def lasting(room: Path, minutes: float) -> None:
    """A calm load of all kinds for long, and the memory that the service has meanwhile."""
    bodies = model.bodies(store=True) + model.stored_bodies(store=True) + model.stored_bodies(store=False, moments=72)
    ended = threading.Event()
    with service(room) as one:
        print(f"ready: {one.memory_mb:.0f} MB", flush=True)

        def watch() -> None:
            while not ended.wait(60):
                print(f"{time.strftime('%H:%M')}: {one.memory_mb:.0f} MB", flush=True)

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            told = load(one, "/v1/forecasts", bodies, room, 60 * minutes, rate=40)
        finally:
            ended.set()
            watching.join()
        print(
            f"after {minutes:g} minutes: {one.memory_mb:.0f} MB; {told.per_second * 60 * minutes:,.0f} requests, "
            f"{told.bad} refused, p50 {told.p50_ms:.1f} ms, p99 {told.p99_ms:.1f} ms"
        )


def answers(one: Server, room: Path, seconds: float, base: Measured, *, quick: bool) -> None:
    """Loads the service in its several ways."""
    ask = "/v1/forecasts"
    kept = load(one, ask, model.bodies(store=True), room, seconds)
    tell("stateless, answers in the ledger (goal 4, stretch 6)", kept, base)
    tell("stateless, store: false", load(one, ask, model.bodies(store=False), room, seconds), base)
    stored = model.stored_bodies(store=True)
    tell("stateful, answers in the ledger (goal 8, stretch 10)", load(one, ask, stored, room, seconds), base)
    tell("stateful, store: false", load(one, ask, model.stored_bodies(store=False), room, seconds), base)
    past = model.stored_bodies(store=False, moments=72)
    tell("stateful, each of 72 moments, store: false", load(one, ask, past, room, seconds), base)
    many = [json.dumps({"series": [{"unique_id": name} for name in model.names()], "store": False,
                        "as_of": "2024-01-22T00:00Z"}).encode()]  # fmt: skip
    told = load(one, ask, many, room, seconds, clients=1)
    print(f"{model.SERIES} series in one request: {told.p50_ms:.1f} ms, {told.p50_ms / model.SERIES:.2f} ms a series")
    if quick:
        return
    for clients in (1, 64):
        tell(
            f"stateless, ledger, {clients} clients",
            load(one, ask, model.bodies(store=True), room, seconds, clients),
            base,
        )
    rate = 0.8 * kept.per_second
    calm = load(one, ask, model.bodies(store=True), room, seconds, 32, rate)
    print(f"at 80 % of capacity ({rate:.0f}/s): p50 {calm.p50_ms:.2f} ms, p99 {calm.p99_ms:.2f} ms, "
          f"{calm.p99_ms / calm.p50_ms:.1f} x (goal: under 4)")  # fmt: skip


def tell(what: str, told: Measured, base: Measured) -> None:
    """One line of the table."""
    bad = f", {told.bad} REFUSED" if told.bad else ""
    print(
        f"{what}: {told.per_second:.0f}/s ({told.per_second / base.per_second:.1f} x), "
        f"p50 {told.p50_ms:.2f} ms, p99 {told.p99_ms:.2f} ms, "
        f"processor {told.cpu_ms:.2f} ms each ({base.cpu_ms / told.cpu_ms:.1f} x){bad}",
        flush=True,
    )


@contextlib.contextmanager
def service(room: Path) -> Iterator[Server]:
    """Our own server, as `forecast serve` starts it, its store in the folder."""
    command = [sys.executable, "-m", "forecast", "serve", "--model", str(room / "served"), "--port"]
    with server(command, "/readyz", room) as one:
        yield one


@contextlib.contextmanager
def server(command: list[str], ready: str, room: Path, **more: str) -> Iterator[Server]:
    """A server on the first core, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # mlflow looks for uvicorn there
    variables = {
        **os.environ,
        **QUIET,
        "PATH": path,
        "FORECAST_HOME": str(room),
        "FORECAST_RATE_PER_MINUTE": "1000000",
        **more,
    }
    begun = time.perf_counter()
    log = (room / "server.log").open("wb")
    process = subprocess.Popen(
        [*command, str(port)], cwd=ROOT, env=variables, stdout=log, stderr=log, start_new_session=True,
        preexec_fn=lambda: bind(0),
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{address}{ready}", process, room / "server.log")
        yield Server(process, address, time.perf_counter() - begun)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def load(
    one: Server, path: str, bodies: list[bytes], room: Path, seconds: float, clients: int = 8, rate: float | None = None
) -> Measured:
    """A warm-up, then a load from the second core."""
    file = room / "bodies"
    file.write_bytes(b"\n".join(bodies))
    command = [sys.executable, str(ROOT / "benchmarks" / "load.py"), f"{one.address}{path}", str(file)]
    command += ["--core", str(min(1, (os.cpu_count() or 1) - 1)), "--clients", str(clients)]
    command += ["--rate", str(rate)] if rate else []
    command += ["--key", key_of(room)]
    subprocess.run([*command, "--seconds", "2"], check=True, capture_output=True)
    before = one.cpu_s
    done = subprocess.run([*command, "--seconds", str(seconds)], check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    if told["bad"]:
        print(told["first_bad"], file=sys.stderr)
    cpu_ms = 1000 * (one.cpu_s - before) / told["requests"]
    return Measured(told["per_second"], told["p50_ms"], told["p99_ms"], cpu_ms, told["bad"])


def key_of(room: Path) -> str:
    """An API key of the service; the servers beside it take no notice of it."""
    kept = room / "key"
    if not kept.exists():
        command = [sys.executable, "-m", "forecast", "keys", "add", "--name", "bench", "--scope", "forecast"]
        here = {**os.environ, "FORECAST_HOME": str(room)}
        done = subprocess.run(command, cwd=ROOT, env=here, check=True, capture_output=True, text=True)
        kept.write_text(next(word for word in done.stdout.split() if word.startswith("fk_")))
    return kept.read_text()


def bind(core: int) -> None:
    """Keeps this process on one core, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(6000):
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(address, timeout=2).close()
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise SystemExit(f"the server did not become ready:\n{log.read_text()[-2000:]}")


def _family(pid: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [pid, *(one for child in children.read_text().split() for one in _family(int(child)))]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _memory(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
