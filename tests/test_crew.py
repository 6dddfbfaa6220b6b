"""Who works side by side, and what is said where nobody answers."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from forecast.crew import crew
from forecast.errors import DeclarationError, ForecastError


def test_one_worker_is_this_process() -> None:
    with crew(1) as pool:
        assert pool is None


def test_several_workers_are_other_processes() -> None:
    with crew(2) as pool:
        assert pool is not None
        assert pool.submit(os.getpid).result() != os.getpid()


def test_an_address_without_a_scheduler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forecast.crew.PATIENCE_S", 1)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{one.getsockname()[1]}"
    with pytest.raises(ForecastError, match=r"no Dask scheduler answers at .*Start `dask scheduler`"), crew(1, address):
        pass


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(DeclarationError, match=r"pip install \"demand-forecast\[dask\]\""), crew(1, "tcp://10.0.0.1:1"):
        pass
