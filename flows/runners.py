"""Where the tasks of a flow run: in processes of this machine, or, by a setting, on the workers of a Dask scheduler."""

from __future__ import annotations

from typing import Any

from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner

from flows import terminal
from forecast.errors import DeclarationError
from forecast.settings import Settings


def runner_of(workers: int) -> TaskRunner[Any] | None:
    """The task runner of the settings; None: tasks run in this process, one after the other.

    Args:
        workers: processes of this machine, where no scheduler is set.

    Raises:
        DeclarationError: a scheduler is set, and the package of Dask is not installed.
    """
    scheduler = Settings.read().dask_scheduler
    if scheduler is None:
        return None if workers == 1 else ProcessPoolTaskRunner(workers, initializer=terminal.quiet_console)
    try:
        from prefect_dask import DaskTaskRunner
    except ModuleNotFoundError as error:
        raise DeclarationError(
            f"FORECAST_DASK_SCHEDULER without the package '{error.name}'", "Dask, here and on every worker",
            'pip install "demand-forecast[dask]", or leave the setting away',
        ) from None  # fmt: skip
    return DaskTaskRunner(address=scheduler)
