"""When a step is tried again."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from sqlalchemy.exc import OperationalError

from flows import steps
from forecast import retraining
from forecast.errors import DataError, ForecastError
from forecast.sources import CsvFile, Declaration
from forecast.tables import load_demand


def _told(behind: BaseException) -> DataError:
    """A reader's sentence on a failure."""
    try:
        try:
            raise behind
        except type(behind):
            raise DataError("it cannot be read") from None
    except DataError as error:
        return error


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (OSError(5, "Input/output error"), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (_told(OSError(5, "Input/output error")), True),
        (_told(OperationalError(None, None, Exception("connection refused"))), True),
        (_told(OperationalError("SELECT 1", None, Exception("no such table"))), False),
        (_told(FileNotFoundError(2, "no file")), False),
        (_told(PermissionError(13, "denied")), False),
        (_told(gzip.BadGzipFile("not gzipped")), False),
        (DataError("column 'y' is missing"), False),
        (ValueError("a bug"), False),
        (None, False),
    ],
)
def test_only_failures_that_pass_by_themselves_are_worth_another_try(error: BaseException | None, passes: bool) -> None:
    assert steps.passing(error) is passes


def _load(table: Path, work: Path) -> tuple[Path, str]:
    task = steps.load.with_options(retry_delay_seconds=0)
    done: tuple[Path, str] = flow(name="load only")(lambda: task(str(table), Declaration(zone="UTC"), None, work))()
    return done


def test_flaky_load_is_tried_again(
    table: Path, tmp_path: Path, prefect_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, calls = Path.read_bytes, []

    def flaky(path: Path) -> bytes:
        if path == table:
            calls.append(path)
            if len(calls) <= 2:
                raise OSError(5, "Input/output error")
        return really(path)

    monkeypatch.setattr(Path, "read_bytes", flaky)
    with pytest.raises(DataError, match="Input/output error"):
        CsvFile(table, Declaration()).raw()
    calls.clear()
    stored, digest = _load(table, tmp_path)
    assert len(calls) == 3
    assert load_demand(stored).digest == digest


def test_mistake_is_not_tried_again(tmp_path: Path, prefect_server: None, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def mistaken(*asked: Any, **more: Any) -> None:
        calls.append(asked)
        raise DataError("column 'y' is missing")

    monkeypatch.setattr(retraining, "take_table", mistaken)
    with pytest.raises(ForecastError, match="is missing"):
        _load(tmp_path / "any.csv", tmp_path)
    assert len(calls) == 1


def test_backoff_grows() -> None:
    assert steps.load.retries == 3
    assert steps.load.retry_delay_seconds == [1, 2, 4]
    assert steps.register.retries == 2
