"""What a mistake looks like on a terminal: one sentence and an exit code, never a traceback."""

from __future__ import annotations

import os
import sys

import typer
from rich.console import Console

from forecast.errors import ForecastError

_OURS = ("forecast", "flows", "serving", "migrations")


def run(app: typer.Typer) -> None:
    """Runs a command line and exits: 0 done, 1 answer is no, 2 input to correct, 3 our own fault, 130 stopped."""
    stderr = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        app()
    except KeyboardInterrupt:
        stderr.print("Stopped.")
        sys.exit(130)
    except ForecastError as error:
        stderr.print(f"[bold red]{type(error).__name__}[/]: ", end="")
        stderr.print(str(error), markup=False)
        sys.exit(2)
    except OSError as error:
        stderr.print("[bold red]The system refused[/]: ", end="")
        stderr.print(f"{error.strerror or error}: {error.filename or ''}", markup=False)
        sys.exit(2)
    except Exception as error:
        if os.environ.get("FORECAST_DEBUG"):
            raise
        if lacking := _lacking(error):
            stderr.print("[bold red]Not installed[/]: ", end="")
            stderr.print(lacking, markup=False)
            sys.exit(2)
        stderr.print("[bold red]Our fault[/] ", end="")
        stderr.print(f"({type(error).__name__}): {error}", markup=False)
        stderr.print("Set FORECAST_DEBUG=1 to see where, and please report it.")
        sys.exit(3)


def _lacking(error: Exception) -> str | None:
    """What to do where a package is missing, as in an install of the service alone; None for any other error."""
    package = (error.name or "").split(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if not package or package in _OURS:
        return None
    return (
        f"{package}, which this command needs, is not installed here; this may be an install of the service alone. "
        "Install the whole product (pip install demand-forecast), or use its image `work`."
    )
