"""One keeper for each folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forecast.errors import SupervisingError


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Holds a lock while the block lasts; the operating system lets go of it when its holder dies in whatever way.

    Raises:
        SupervisingError: another process holds it; its number is told.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise SupervisingError(
                f"process {file.read().strip() or 'unknown'} runs everything for {path.parent} already",
                "one at a time in a folder", "stop that one with Ctrl+C, or name another folder by FORECAST_HOME",
            ) from None  # fmt: skip
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
