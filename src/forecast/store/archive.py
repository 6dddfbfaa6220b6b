"""The file of a backup: a ZIP archive of Parquet parts and, written last, the manifest with their SHA-256."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from forecast import __version__
from forecast.errors import StoreError

MANIFEST, KIND, FORMAT = "manifest.json", "forecast store", 1
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Part:
    """Some rows of a table.

    Attributes:
        table: which.
        number: from 0.
        rows: how many.
        sha256: of the file.
    """

    table: str
    number: int
    rows: int
    sha256: str

    @property
    def name(self) -> str:
        """Of the file within the archive."""
        return f"{self.table}-{self.number:05d}.parquet"


@dataclass(frozen=True)
class Archive:
    """A whole archive, as its manifest describes it.

    Attributes:
        path: of the file.
        revision: of the schema.
        taken_at: when it was begun (ISO 8601, UTC).
        rows: by table.
        parts: in the order in which they were written.
    """

    path: Path
    revision: str
    taken_at: str
    rows: dict[str, int]
    parts: tuple[Part, ...]

    @classmethod
    def open(cls, path: Path) -> Self:
        """The archive of a file.

        Raises:
            StoreError: the file cannot be read, is no backup, or broke off.
        """
        text = _member(path, MANIFEST)
        try:
            told = json.loads(text)
            if (told["kind"], told["format"]) != (KIND, FORMAT):
                raise StoreError(f"{path} is no backup that this version reads", f"one of format {FORMAT}")
            parts = tuple(Part(**one) for one in told["parts"])
            return cls(path, told["revision"], told["taken_at"], told["rows"], parts)
        except (ValueError, TypeError, KeyError) as error:
            raise _broken(path, f"its manifest cannot be read: {error}") from error

    def verify(self) -> None:
        """Reads all parts; raises a StoreError where one is not as it was written."""
        for part in self.parts:
            self._bytes(part)

    def read(self, part: Part) -> pa.Table:
        """The rows of a part.

        Raises:
            StoreError: it is not as it was written.
        """
        return pq.read_table(io.BytesIO(self._bytes(part)))

    def _bytes(self, part: Part) -> bytes:
        data = _member(self.path, part.name)
        if hashlib.sha256(data).hexdigest() != part.sha256:
            raise _broken(self.path, f"{part.name} has another SHA-256 than its manifest")
        return data


class ArchiveWriter:
    """Takes parts, then the manifest."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self.file = file
        self.parts: list[Part] = []

    def add(self, table: str, rows: pa.Table) -> None:
        """Writes the next rows of a table."""
        data = io.BytesIO()
        pq.write_table(rows, data, compression="zstd")
        number = sum(part.table == table for part in self.parts)
        part = Part(table, number, rows.num_rows, hashlib.sha256(data.getbuffer()).hexdigest())
        self.file.writestr(part.name, data.getvalue())
        self.parts.append(part)

    def finish(self, **words: Any) -> None:
        """Writes the manifest."""
        told = {"kind": KIND, "format": FORMAT, "made_with": __version__, **words}
        text = json.dumps({**told, "parts": [asdict(part) for part in self.parts]}, indent=1)
        self.file.writestr(MANIFEST, text)


@contextmanager
def writing_archive(path: Path) -> Iterator[ArchiveWriter]:
    """A new archive, which stands under its name once the block is done; readable by its owner alone.

    Raises:
        StoreError: the file cannot be written; what stood there before stays.
    """
    fresh = path.absolute().with_name(f".{path.name}.new-{os.getpid()}")
    try:
        with open(fresh, "xb", opener=_private) as file:
            with zipfile.ZipFile(file, "w") as archive:
                yield ArchiveWriter(archive)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        full = error.errno in _FULL
        raise StoreError(
            f"the backup {path} cannot be written ({error.strerror or error})",
            "enough free space" if full else "a folder that exists and may be written",
            "free some or name another place, and run this again; what stood there before is as it was",
        ) from error  # fmt: skip
    finally:
        fresh.unlink(missing_ok=True)


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _member(path: Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as file:
            return file.read(name)
    except OSError as error:
        raise StoreError(f"the backup {path} cannot be read ({error.strerror})", "a file of forecast backup") from error
    except (zipfile.BadZipFile, EOFError, KeyError) as error:
        raise _broken(path, str(error).strip("\"'")) from error


def _broken(path: Path, why: str) -> StoreError:
    return StoreError(
        f"{path} is no whole backup ({why})", "a file that forecast backup finished", "take another one"
    )  # fmt: skip
