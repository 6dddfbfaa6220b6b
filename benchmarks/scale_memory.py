"""The peak of memory of this process and of those that it started, as `benchmarks/scale.py` looks at it (Linux)."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event, Thread
from typing import Self

LOOKS_PER_S = 5


class Watch:
    """Looks at the resident memory while it is open; `peak_gib` is the largest sum seen."""

    def __init__(self) -> None:
        self.peak_gib = 0.0
        self._over = Event()
        self._thread = Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(1 / LOOKS_PER_S):
            self.peak_gib = max(self.peak_gib, sum(map(_resident, _family(os.getpid()))) / 2**30)


def _family(pid: int) -> list[int]:
    """A process and its descendants."""
    found, parents = [pid], {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                told = (entry / "stat").read_text()
            except OSError:
                continue
            parents.setdefault(int(told.rsplit(")", 1)[1].split()[1]), []).append(int(entry.name))
    for one in found:
        found.extend(parents.get(one, ()))
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
