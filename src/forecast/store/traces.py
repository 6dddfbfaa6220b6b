"""Traces of a series in files: in the caches they are removed, elsewhere they are named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from forecast.errors import StoreError

MODEL = "manifest.json"
"""The file that makes a folder a model's: it goes as a whole."""
NUMBERS = (".safetensors", ".png", ".onnx")
"""Files without words."""
PIECE = 1 << 20


def erase_traces(folders: Sequence[Path], name: str) -> tuple[Path, ...]:
    """Removes the files and the model folders that name a series.

    A table with several series goes with all of them: it is a copy, and the next run makes it again.

    Args:
        folders: of caches; everything below them was made by this program.
        name: of the series.

    Returns:
        what was removed.

    Raises:
        StoreError: the system refused.
    """
    removed = [path.parent if (path.parent / MODEL).exists() else path for path in traces(folders, name)]
    for path in dict.fromkeys(removed):
        _remove(path)
    return tuple(dict.fromkeys(removed))


def traces(folders: Sequence[Path], name: str, besides: Collection[Path] = ()) -> list[Path]:
    """The files below some folders that name a series, in the order of their names; `besides` are left out."""
    return [path for folder in folders for path in sorted(_files(folder, besides)) if _names(path, name)]


def _files(folder: Path, besides: Collection[Path]) -> Iterator[Path]:
    for path in folder.rglob("*"):
        inside = any(path.is_relative_to(one) for one in besides)
        if path.is_file() and not path.is_symlink() and not inside and path.suffix not in NUMBERS:
            yield path


def _remove(path: Path) -> None:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be removed ({error.strerror})", "rights to remove it", "remove it, and run this again"
        ) from error


def _names(path: Path, name: str) -> bool:
    """Whether a file speaks of a series: a table by its column, anything else by the bytes of the name in quotes."""
    quoted = {f"'{name}'", f'"{name}"', json.dumps(name), json.dumps(name, ensure_ascii=False)}
    if path.suffix != ".parquet":
        return _holds(path, [one.encode() for one in quoted])
    try:
        held = pq.read_table(path, columns=["unique_id"]).column("unique_id").unique().to_pylist()
    except (OSError, pa.ArrowException, KeyError):
        return _holds(path, [name.encode()])
    return name in map(str, held)


def _holds(path: Path, wanted: Sequence[bytes]) -> bool:
    overlap, tail = max(map(len, wanted)), b""
    try:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                if any(one in tail + piece for one in wanted):
                    return True
                tail = piece[-overlap:]
    except FileNotFoundError:
        return False
    return False
