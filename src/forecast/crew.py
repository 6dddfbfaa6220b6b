"""Who works side by side: this process alone, fresh processes of this machine, or the workers of a Dask scheduler."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from forecast.errors import DeclarationError, ForecastError

PATIENCE_S = 10
TRIES = 3
"""So often a piece of work is given to another worker when the one that had it is lost."""


@contextmanager
def crew(
    workers: int, scheduler: str | None = None, begin: Callable[[], None] | None = None
) -> Iterator[Executor | None]:
    """An executor, or None: this process works alone.

    What is submitted must not mind being done twice: a worker of a scheduler that is lost has its work done by another.

    Args:
        workers: processes on this machine; 1: this one.
        scheduler: address of a Dask scheduler, such as tcp://10.0.0.1:8786, whose workers do everything then, however
            many they are. A worker of Dask that gets here itself works alone: it would wait for its own place.
        begin: what a process of this machine does first.

    Raises:
        DeclarationError: the packages of Dask are not installed.
        ForecastError: no scheduler answers at the address.
    """
    if scheduler is not None and not _is_worker():
        with _client(scheduler) as client:
            yield client.get_executor(pure=False, retries=TRIES)
        return
    if workers <= 1 or scheduler is not None:
        yield None
        return
    # Not forked: threads and locks of this process would be copied with it.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=begin)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _client(scheduler: str) -> Iterator[Any]:
    """A connection to a scheduler; what was not done when it is closed is called off."""
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise DeclarationError(
            f"FORECAST_DASK_SCHEDULER without the package '{error.name}'", "Dask, here and on every worker",
            'run pip install "demand-forecast[dask]", or leave the setting away',
        ) from None  # fmt: skip
    try:
        client = Client(scheduler, timeout=PATIENCE_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ForecastError(
            f"no Dask scheduler answers at {scheduler} ({str(error).splitlines()[0]})", "a scheduler with workers",
            "start `dask scheduler` there and `dask worker ADDRESS --nthreads 1` beside it, or leave "
            "FORECAST_DASK_SCHEDULER away",
        ) from None  # fmt: skip
    try:
        yield client
    finally:
        client.close()


def _is_worker() -> bool:
    """Whether this is a worker of Dask at work."""
    if sys.modules.get("distributed") is None:
        return False
    from distributed import get_worker

    try:
        get_worker()
    except ValueError:
        return False
    return True
