"""A flow on the terminal: our lines and no engine's, a temporary server that keeps to itself, mistakes as sentences."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from flows import report
from forecast.cli.console import console, scores_table
from forecast.settings import Settings

if TYPE_CHECKING:
    from forecast.registry.report import RetrainingLog
    from forecast.retraining import Judgement, Sums

SUMMED = ("mae_parents", "mae_leaves", "pinball_parents", "pinball_leaves")
PATIENCE_S = 180
"""How long a busy machine may take to start the server; Prefect itself gives up after 20 s."""
_HERE = str(Path(__file__).parent)
_ENGINE = ("prefect.flow_runs", "prefect.task_runs", "prefect.engine")


def app_of(command: Callable[..., None]) -> typer.Typer:
    """The command line of a flow's module, which has one command."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")
    app.command()(command)
    return app


def begin(work: Path | None = None) -> None:
    """Before a flow runs from the terminal: our lines only, and a server; its log lies in the work folder."""
    quiet_console()
    start_server((work or Settings.read().mlruns / "work") / "prefect-server.log")


def listed(text: str | None) -> list[str] | None:
    """What commas separate; None where nothing was said.

    >>> listed("north, south,"), listed(None)
    (['north', 'south'], None)
    """
    return [name.strip() for name in text.split(",") if name.strip()] if text else None


def tell(text: str) -> None:
    """One line for a person, as it is."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def quiet_console() -> None:
    """Shows the steps' own lines and others' warnings; what Prefect tells of a failure is told once, at the end."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(_is_shown)
        handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))


def _is_shown(record: logging.LogRecord) -> bool:
    if os.environ.get("FORECAST_DEBUG") or record.pathname.startswith(_HERE):
        return True
    return record.levelno >= logging.WARNING and not record.name.startswith(_ENGINE)


def start_server(log: Path) -> None:
    """Starts Prefect's temporary server where PREFECT_API_URL names none.

    It inherits our stderr and dies of a signal, with a traceback that means nothing: its stderr is `log`.
    """
    from prefect.server.api.server import SubprocessASGIServer
    from prefect.settings import PREFECT_API_URL

    if PREFECT_API_URL.value():
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with _stderr_into(log):
        SubprocessASGIServer().start(timeout=PATIENCE_S)


@contextmanager
def _stderr_into(path: Path) -> Iterator[None]:
    """Processes started inside write their stderr to the file."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with path.open("ab") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def show(judgement: Judgement, log: RetrainingLog, unit: str, refit: str) -> None:
    """The comparison as a table, the verdict and where to look further."""
    table = judgement.table
    console.print(scores_table(table, title=f"Walked forward, refit {refit}", winner=judgement.winner, unit=unit))
    for text in (*judgement.verdict.reasons, report.sentence(judgement, log)):
        tell(text)
    for name, link in log.urls.items():
        tell(f"MLflow, {name}: {link}")


def show_sums(sums: Sums, unit: str) -> None:
    """Parents and leaves, as they were forecast and reconciled; whether it pays."""
    table = Table(title=f"Children that sum to their parents ({unit})", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("forecasts", no_wrap=True)
    for name in SUMMED:
        table.add_column(name.replace("_", " ").replace("mae", "MAE"), justify="right")
    for way, row in sums.scores.items():
        table.add_row(way, *[f"{row[name]:,.4g}" if row.get(name) is not None else "–" for name in SUMMED])
    console.print(table)
    for text in (*sums.warnings, sums.sentence):
        tell(text)
