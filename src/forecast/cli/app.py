"""The commands."""

from __future__ import annotations

import typer

from forecast.cli import (
    audit,
    backtest,
    bench,
    check,
    demo,
    describe,
    explain,
    ingest,
    keys,
    predict,
    rollback,
    search,
    serve,
    store,
    train,
    up,
)
from forecast.cli.mistakes import run

HELP = """Electricity-demand forecasts: train, judge, promote and serve networks on your own meters.

Start with `forecast check FILE`, then `forecast backtest FILE --recipe lstm,ridge,seasonal_naive_week`.
Exit codes: 0 done, 1 the answer is no (a check or an audit found something), 2 an input to correct, 3 our own fault.
"""

app = typer.Typer(
    help=HELP, no_args_is_help=True, rich_markup_mode="markdown", add_completion=False, pretty_exceptions_enable=False
)
app.command("demo")(demo.demo)
app.command("check")(check.check)
app.command("ingest")(ingest.ingest)
app.command("train")(train.train)
app.command("backtest")(backtest.backtest)
app.command("search")(search.search)
app.command("predict")(predict.predict)
app.command("explain")(explain.explain)
app.command("serve")(serve.serve)
app.command("up")(up.up)
app.add_typer(keys.app, name="keys")
app.command("decisions")(rollback.decisions)
app.command("rollback")(rollback.rollback)
app.command("audit")(audit.audit)
app.command("bench")(bench.bench)
app.command("describe")(describe.describe)
app.command("store")(store.store)
app.command("forget")(store.forget)
app.command("backup")(store.backup)
app.command("restore")(store.restore)


def main() -> None:
    """The console script `forecast`."""
    run(app)
