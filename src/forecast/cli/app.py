"""The commands, and what a mistake looks like: one sentence, never a traceback."""

from __future__ import annotations

import os
import sys

import typer
from rich.console import Console

from forecast.cli import audit, backtest, bench, check, demo, predict, serve, train
from forecast.errors import ForecastError

HELP = """Electricity-demand forecasts: train, judge, promote and serve networks on your own meters.

Start with `forecast check FILE`, then `forecast backtest FILE --recipe lstm,ridge,seasonal_naive_week`.
Exit codes: 0 done, 1 the answer is no (a check or an audit found something), 2 an input to correct, 3 our own fault.
"""

app = typer.Typer(
    help=HELP, no_args_is_help=True, rich_markup_mode="markdown", add_completion=False, pretty_exceptions_enable=False
)
app.command("demo")(demo.demo)
app.command("check")(check.check)
app.command("train")(train.train)
app.command("backtest")(backtest.backtest)
app.command("predict")(predict.predict)
app.command("serve")(serve.serve)
app.command("audit")(audit.audit)
app.command("bench")(bench.bench)


def main() -> None:
    """Runs the command line; the console script `forecast`."""
    stderr = Console(stderr=True, soft_wrap=True)
    try:
        app()
    except ForecastError as error:
        stderr.print(f"[bold red]{type(error).__name__}[/]: ", end="")
        stderr.print(str(error), markup=False, highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        stderr.print("Stopped.")
        sys.exit(130)
    except OSError as error:
        stderr.print(f"[bold red]The system refused[/]: {error.strerror or error}: {error.filename or ''}", markup=True)
        sys.exit(2)
    except Exception as error:
        if os.environ.get("FORECAST_DEBUG"):
            raise
        stderr.print(f"[bold red]Our fault[/] ({type(error).__name__}): {error}", highlight=False)
        stderr.print("Set FORECAST_DEBUG=1 to see where, and please report it.")
        sys.exit(3)
