"""A scheduler of Dask and workers with one core each, as processes of their own, for `benchmarks/scale.py`."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

NET = "10.77.{number}.{end}"
QUIET = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


@dataclass(frozen=True)
class Crew:
    """Who is there.

    Attributes:
        address: of the scheduler.
        workers: their processes.
    """

    address: str
    workers: tuple[subprocess.Popen[bytes], ...]

    def kill_after(self, seconds: float) -> None:
        """Kills the first worker with -9 after so long, and does not start it again."""
        Timer(seconds, lambda: self.workers[0].send_signal(signal.SIGKILL)).start()


@contextmanager
def crew(room: Path, count: int, *, namespaces: bool = False) -> Iterator[Crew]:
    """A scheduler and so many workers with one thread on one core each; in networks of their own where asked."""
    cores = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        prefixes = [stack.enter_context(_network(number)) if namespaces else () for number in range(count)]
        port = _free_port()
        hosts = [NET.format(number=number, end=1) if namespaces else "127.0.0.1" for number in range(count)]
        log = stack.enter_context((room / "dask.log").open("ab"))
        base = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", str(port), "--no-dashboard"]
        stack.enter_context(_process([*base, "--host", "0.0.0.0" if namespaces else "127.0.0.1"], log, None))
        workers = []
        how = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0"]
        for number, (prefix, host) in enumerate(zip(prefixes, hosts, strict=True)):
            command = [*prefix, sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://{host}:{port}", *how]
            command += ["--local-directory", str(room / "dask")]
            workers.append(stack.enter_context(_process(command, log, {cores[number % len(cores)]})))
        address = f"tcp://127.0.0.1:{port}"
        _wait_for(address, count)
        yield Crew(address, tuple(workers))


def ledger_of(room: Path) -> str:
    """The digest of everything that the ledger holds, but when it was written."""
    with sqlite3.connect(room / "store.db") as connection:
        rows = connection.execute(
            'SELECT id, series_id, cutoff, first_ds, steps, levels, rung, reason, "values" FROM forecast ORDER BY id'
        )
        total, count = hashlib.sha256(), 0
        for row in rows:
            total.update(repr(row).encode())
            count += 1
    connection.close()
    return f"{count} {total.hexdigest()}"


@contextmanager
def _process(command: Sequence[str], log: object, cores: set[int] | None) -> Iterator[subprocess.Popen[bytes]]:
    def bind() -> None:
        if cores is not None:
            os.sched_setaffinity(0, cores)

    child = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | QUIET, preexec_fn=bind)  # type: ignore[call-overload]
    try:
        yield child
    finally:
        child.kill()
        child.wait()


@contextmanager
def _network(number: int) -> Iterator[tuple[str, ...]]:
    """A network of its own with a wire to ours; gives the words that run a program in it."""
    name, here, there = f"forecast{number}", f"fc{number}h", f"fc{number}t"
    ours, theirs = NET.format(number=number, end=1), NET.format(number=number, end=2)
    for words in (
        f"netns add {name}",
        f"link add {here} type veth peer name {there} netns {name}",
        f"addr add {ours}/24 dev {here}",
        f"link set {here} up",
        f"-n {name} addr add {theirs}/24 dev {there}",
        f"-n {name} link set {there} up",
        f"-n {name} link set lo up",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    try:
        yield ("ip", "netns", "exec", name)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


def _wait_for(address: str, count: int) -> None:
    from distributed import Client

    began = time.monotonic()
    while True:
        try:
            with Client(address, timeout=5, set_as_default=False) as client:
                client.wait_for_workers(count, timeout=60)
            return
        except (OSError, TimeoutError):
            if time.monotonic() - began > 90:
                raise


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
