"""`Arrivals`: which files of a drop folder are complete, and which are left for later."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import pandas as pd

from forecast import clock
from forecast.errors import DataError
from forecast.sources.files import CsvFile, ParquetFile, opening

UNFINISHED = (".part", ".partial", ".filepart", ".crdownload", ".tmp", ".temp", ".swp", "~")
KNOWN = (*CsvFile.endings, *ParquetFile.endings)


class Arrival(NamedTuple):
    """A file as it was found.

    Attributes:
        path: where it is.
        size: bytes.
        modified: nanoseconds since 1970.
    """

    path: Path
    size: int
    modified: int

    @classmethod
    def at(cls, path: Path) -> Self | None:
        """The file as it is now; None where it is gone."""
        try:
            found = path.stat()
        except FileNotFoundError:
            return None
        return cls(path, found.st_size, found.st_mtime_ns)

    @property
    def name(self) -> str:
        """Its name in the folder."""
        return self.path.name


@dataclass(frozen=True)
class Arrivals:
    """The files of a drop folder at one moment.

    Attributes:
        ready: complete files in the order in which they were modified, then by name.
        left: names of files that are left for the next run, each with the reason.
        strange: names of files of no kind that is known.
        present: names of all files.
    """

    ready: tuple[Arrival, ...]
    left: tuple[str, ...]
    strange: tuple[str, ...]
    present: frozenset[str]

    @classmethod
    def of(cls, folder: Path, settle: pd.Timedelta) -> Self:
        """What lies in a folder, without its own folders.

        Args:
            folder: where files are dropped.
            settle: for how long a file must have kept still to be complete.

        Raises:
            DataError: there is no such folder, or it cannot be listed.
        """
        if not folder.is_dir():
            raise DataError(f"no folder {folder}", "a folder into which files are dropped", "check the path")
        with opening(folder):
            files = sorted(path for path in folder.iterdir() if path.is_file())
        ready, left, strange = [], [], []
        for arrival in filter(None, map(Arrival.at, files)):
            reason = _unfinished(arrival, settle)
            if reason is not None:
                left.append(f"{arrival.name} ({reason})")
            elif arrival.name.lower().endswith(KNOWN):
                ready.append(arrival)
            else:
                strange.append(arrival.name)
        ready.sort(key=lambda one: (one.modified, one.name))
        return cls(tuple(ready), tuple(left), tuple(strange), frozenset(path.name for path in files))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was passed over, one sentence a kind."""
        told = []
        if self.left:
            told.append(f"left for the next run: {_listed(self.left)}")
        if self.strange:
            told.append(f"not read, for they are neither {' nor '.join(KNOWN)}: {_listed(self.strange)}")
        return tuple(told)


def _unfinished(arrival: Arrival, settle: pd.Timedelta) -> str | None:
    """Why a file is not taken for complete."""
    if arrival.name.startswith("."):
        return "hidden"
    if arrival.name.lower().endswith(UNFINISHED):
        return "unfinished by its name"
    age = clock.now() - pd.Timestamp(arrival.modified, unit="ns", tz="UTC")
    if age < pd.Timedelta(0):
        return "modified in the future, by the clock of this machine"
    return f"changed {age.total_seconds():.0f} s ago" if age < settle else None


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"{', '.join(names[:10])}{more}"
