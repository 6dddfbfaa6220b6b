"""The command of a flow run on one machine: asks the warm process for a child of its, and is its shadow until it ends.

Runs by its path, with nothing but the standard library: it is there in 20 ms, where an interpreter that has imported
everything takes seconds. Where no warm process answers it becomes Prefect's engine itself.
"""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import sys

SOCKET = "FORECAST_WARM_SOCKET"
WIDTH = 4
"""Bytes of a message's length, and of a status."""


def main() -> None:
    """Ends as the child ends, by the same signal where it was one."""
    path = os.environ.get(SOCKET)
    link = connected(path) if path else None
    if link is None:
        os.execv(sys.executable, [sys.executable, "-m", "prefect.engine"])
    said = json.dumps({"environment": dict(os.environ), "folder": os.getcwd()}).encode()
    streams = array.array("i", [1, 2])
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)]
    link.sendmsg([len(said).to_bytes(WIDTH, "big")], rights)
    link.sendall(said)
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda number, _: link.sendall(bytes([number])))
    _end(link.recv(WIDTH, socket.MSG_WAITALL))


def connected(path: str) -> socket.socket | None:
    """A connection to a socket's file, however long its path; None where nobody listens."""
    folder, name = os.path.split(path)
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        place = os.open(folder, os.O_PATH)
        try:
            link.connect(f"/proc/self/fd/{place}/{name}")
        finally:
            os.close(place)
    except OSError:
        link.close()
        return None
    return link


def _end(told: bytes) -> None:
    """An answer that does not come means that the warm process was killed, and its children with it."""
    status = int.from_bytes(told, "big", signed=True) if len(told) == WIDTH else -int(signal.SIGKILL)
    if status < 0:
        signal.signal(-status, signal.SIG_DFL) if -status != signal.SIGKILL else None
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main()
