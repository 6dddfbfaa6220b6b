"""Commands as the console script runs them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Told = tuple[int, str, str]


def at_console(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path, main: Callable[[], object],
    columns: int = 200,
) -> Callable[..., Told]:  # fmt: skip
    """Runs `main` in a folder that is also its home, on a wide terminal; exit code, stdout and stderr, no traceback.

    Each call takes the words of the command line, the program's name first.
    """
    monkeypatch.chdir(home)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORECAST_HOME", str(home))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def run(*words: object) -> Told:
        monkeypatch.setattr(sys, "argv", [*map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        told = capsys.readouterr()
        assert "Traceback" not in told.out + told.err
        return int(stopped.value.code or 0), told.out, told.err

    return run
