"""`Part`: one process as it is to be kept; `Running`: that process while it lives."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

SOCKET = "unix:"
ASKED_FOR_S = 4.0
"""How long an answer about health may take."""
LARGE_LOG = 20 * 1024 * 1024
"""A log that is larger is put aside when its process starts, as NAME.log.old."""
_ASK = build_opener(ProxyHandler({}))  # of this machine; a proxy of the user's leads elsewhere
_TELL_CHILD = 1  # PR_SET_PDEATHSIG of prctl(2)


@dataclass(frozen=True)
class Part:
    """One process as it is to be kept.

    Attributes:
        name: as people call it.
        command: with its arguments.
        log: file that its output is added to.
        health: address that answers 2xx while it is well; of a socket's file, as unix:/run/one.sock, that it is
            listened on.
        address: what people open; None where there is nothing to see.
        environment: variables beside those of this process.
        prepare: a command that has to end well before each start.
        folder: it works in; the current one where None.
        stops_within_s: after SIGTERM, before SIGKILL.
    """

    name: str
    command: tuple[str, ...]
    log: Path
    health: str
    address: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: tuple[str, ...] | None = None
    folder: Path | None = None
    stops_within_s: float = 20

    def start(self) -> Running:
        """The process, in a session of its own: Ctrl+C in a terminal reaches its keeper alone."""
        return Running(self, self._popen(self.command))

    def prepared(self) -> Running | None:
        """The command that goes before, under way; None where there is none."""
        return Running(self, self._popen(self.prepare)) if self.prepare else None

    def _popen(self, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LARGE_LOG:
            self.log.replace(self.log.with_name(f"{self.log.name}.old"))
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder,
                env={**os.environ, **self.environment}, start_new_session=True, preexec_fn=_die_with_parent,
            )  # fmt: skip


@dataclass
class Running:
    """A process that was started.

    Attributes:
        part: what it is.
        process: the operating system's.
        since: when it was started, on the monotonic clock.
    """

    part: Part
    process: subprocess.Popen[bytes]
    since: float = field(default_factory=time.monotonic)

    @property
    def over(self) -> bool:
        """Whether it has ended, by itself or not. It stays to be reaped: its number names its group until then."""
        if self.process.returncode is not None:
            return True
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    @property
    def well(self) -> bool:
        """Whether it answers."""
        if self.part.health.startswith(SOCKET):
            return _listened_on(Path(self.part.health.removeprefix(SOCKET)))
        try:
            with _ASK.open(self.part.health, timeout=ASKED_FOR_S) as answer:
                return bool(200 <= answer.status < 300)
        except (URLError, HTTPException, OSError):
            return False

    def ask_to_stop(self) -> None:
        """SIGTERM, to the process alone: it ends its own children in its own way."""
        if not self.over:
            self.process.send_signal(signal.SIGTERM)

    def end(self, patience_s: float) -> int:
        """Waits, kills what is left of its group, and returns its exit status."""
        limit = time.monotonic() + patience_s
        while not self.over and time.monotonic() < limit:
            time.sleep(0.05)
        if self.process.returncode is None:
            _kill_group(self.process.pid)
        return self.process.wait()


def _listened_on(path: Path) -> bool:
    """Whether somebody takes connections there, however long the path is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.settimeout(ASKED_FOR_S)
        try:
            folder = os.open(path.parent, os.O_PATH)
        except OSError:
            return False
        try:
            one.connect(f"/proc/self/fd/{folder}/{path.name}")
        except OSError:
            return False
        finally:
            os.close(folder)
    return True


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:  # pragma: no cover (a leader that is not reaped keeps its group)
        return


def _die_with_parent() -> None:
    """In the child: where its keeper is killed, it is told to stop, so that no port stays taken (Linux only)."""
    try:
        ctypes.CDLL(None).prctl(_TELL_CHILD, signal.SIGTERM)
    except (OSError, AttributeError):
        return
