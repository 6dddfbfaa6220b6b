"""Fingerprints: whether a file, a table or what is declared about it is the same as last time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from forecast.sources.declaration import Declaration
from forecast.sources.files import opening

LENGTH = 16  # hexadecimal digits: 64 bits, of which two files in four thousand million may share one by chance


def file_digest(path: Path) -> str:
    """The fingerprint of a file's content, whatever it is called.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    with opening(path), path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:LENGTH]


def text_digest(text: str) -> str:
    """The fingerprint of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def frame_digest(frame: pd.DataFrame) -> str:
    """The fingerprint of a table's columns and rows in their order."""
    rows = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return hashlib.sha256(repr(tuple(frame.columns)).encode() + rows.tobytes()).hexdigest()[:LENGTH]


def declared_digest(declaration: Declaration, since: pd.Timestamp | None) -> str:
    """The fingerprint of how a table is read: with another one the same file means other rows."""
    # Defaults are left out, so that an option that is yet to be invented changes no fingerprint.
    told = declaration.model_dump_json(exclude_defaults=True, exclude={"forecast_only", "events", "event_names"})
    return text_digest(f"{told} {since}")
