"""Files as people send them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sources.origin import Origin

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes lines (or bytes) as a file and gives its path."""

    def written(*lines: str | bytes, name: str = "demand.csv") -> Path:
        path = tmp_path / name
        texts = [line if isinstance(line, bytes) else line.encode() for line in lines]
        path.write_bytes(b"".join(text + b"\n" for text in texts))
        return path

    return written


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Origin]:
    """An origin of data on loopback, past any proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    served = Origin()
    yield served
    served.close()
