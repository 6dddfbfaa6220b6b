"""A process that has imported everything, and forks a child for each flow run: `python -m flows.warm SOCKET`.

An interpreter that imports Prefect and the library costs five seconds of a core for each run; a child of this one costs
a hundredth of it. Each run still has a process, an environment and a folder of its own and may be killed by itself.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import json
import os
import random
import runpy
import selectors
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from flows.asking import WIDTH

KNOWN_AHEAD = (
    "prefect.engine", "prefect.flow_engine", "prefect.task_engine", "prefect.artifacts", "flows.deployed", "mlflow",
    "forecast.retraining", "forecast.registry", "forecast.store", "forecast.monitoring",
)  # fmt: skip
_TELL_CHILD = 1  # PR_SET_PDEATHSIG of prctl(2)


@dataclass
class Shadowed:
    """A child, and the process that asked for it.

    Attributes:
        link: to who asked.
        pid: of the child, which leads a group.
        ended: becomes readable when the child ends.
    """

    link: socket.socket
    pid: int
    ended: int


class Warm:
    """Listens, forks, and tells how each child ended.

    Args:
        path: of the socket, which only its owner may use.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._selector = selectors.DefaultSelector()
        self._children: list[Shadowed] = []
        self._over = False

    def serve(self) -> None:
        """Until SIGTERM; children that run then are killed."""
        self._listen()
        signal.signal(signal.SIGTERM, self._hear)
        signal.signal(signal.SIGINT, self._hear)
        try:
            while not self._over:
                for key, _ in self._selector.select(timeout=0.5):
                    key.data(key)
        finally:
            for one in list(self._children):
                self._kill(one)
            self._path.unlink(missing_ok=True)

    def _listen(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        place = os.open(self._path.parent, os.O_PATH)
        before = os.umask(0o177)
        try:
            self._listener.bind(f"/proc/self/fd/{place}/{self._path.name}")
        finally:
            os.umask(before)
            os.close(place)
        self._listener.listen(16)
        self._selector.register(self._listener, selectors.EVENT_READ, lambda _: self._accept())

    def _hear(self, _signal: int, _frame: object) -> None:
        self._over = True

    def _accept(self) -> None:
        link, _ = self._listener.accept()
        link.settimeout(5)
        asked, streams = None, []
        with contextlib.suppress(OSError, ValueError):
            asked, streams = _received(link)
        if asked is None:
            # Somebody who only wanted to know whether anybody listens.
            link.close()
            return
        link.settimeout(None)
        pid = os.fork()
        if pid == 0:
            self._become(asked, streams)
        for one in streams:
            os.close(one)
        child = Shadowed(link, pid, os.pidfd_open(pid))
        self._children.append(child)
        self._selector.register(child.ended, selectors.EVENT_READ, lambda _: self._ended(child))
        self._selector.register(link, selectors.EVENT_READ, lambda _: self._told(child))

    def _ended(self, child: Shadowed) -> None:
        _, status = os.waitpid(child.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        with contextlib.suppress(OSError):
            child.link.sendall(code.to_bytes(WIDTH, "big", signed=True))
        self._forget(child)

    def _told(self, child: Shadowed) -> None:
        """A signal to pass on; or its shadow is gone, and so is the worker that watched it."""
        numbers = child.link.recv(16)
        for number in numbers:
            os.kill(child.pid, number)
        if not numbers:
            self._kill(child)

    def _kill(self, child: Shadowed) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
        self._ended(child)

    def _forget(self, child: Shadowed) -> None:
        self._selector.unregister(child.link)
        self._selector.unregister(child.ended)
        child.link.close()
        os.close(child.ended)
        self._children.remove(child)

    def _become(self, asked: dict[str, object], streams: list[int]) -> None:
        """In the child: the engine, as if it had just been started; never returns."""
        code = 1
        try:
            self._leave()
            for number, one in zip((1, 2), streams, strict=True):
                os.dup2(one, number)
                os.close(one)
            os.environ.clear()
            os.environ.update(asked["environment"])  # type: ignore[call-overload]
            os.chdir(str(asked["folder"]))
            code = engine()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _leave(self) -> None:
        """What was the parent's is let go; where the parent is killed, so is the child."""
        os.setsid()
        ctypes.CDLL(None).prctl(_TELL_CHILD, signal.SIGKILL)
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, signal.SIG_DFL if one == signal.SIGTERM else signal.default_int_handler)
        self._selector.close()
        self._listener.close()
        for child in self._children:
            child.link.close()
            os.close(child.ended)
        random.seed()


def engine() -> int:
    """Runs Prefect's engine for the run that the environment names; returns its exit status."""
    sys.argv = ["prefect.engine"]
    try:
        # The worker starts `python -m prefect.engine`, which is the same.
        sys.modules.pop("prefect.engine", None)
        runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0


def _received(link: socket.socket) -> tuple[dict[str, object] | None, list[int]]:
    """What was asked, with the streams that came along; None where nothing was."""
    streams = array.array("i")
    head, rights, _, _ = link.recvmsg(WIDTH, socket.CMSG_SPACE(2 * streams.itemsize))
    for level, kind, data in rights:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            streams.frombytes(data[: len(data) - len(data) % streams.itemsize])
    if not head:
        return None, []
    size, said = int.from_bytes(head, "big"), b""
    while len(said) < size and (more := link.recv(size - len(said))):
        said += more
    return json.loads(said), list(streams)


def warm_up() -> None:
    """Imports what runs need; nothing here may start a thread, for a fork takes none along."""
    for name in KNOWN_AHEAD:
        import_module(name)
    from flows.deployed import DEPLOYMENTS

    for one in DEPLOYMENTS:
        import_module(f"flows.{one.name}")
    if threading.active_count() > 1:
        told = ", ".join(one.name for one in threading.enumerate())
        raise RuntimeError(f"imports have started threads: {told}")
    # What is there now is shared for good.
    gc.collect()
    gc.freeze()


def main() -> None:
    """Runs `python -m flows.warm SOCKET`."""
    warm_up()
    Warm(Path(sys.argv[1])).serve()


if __name__ == "__main__":
    main()
