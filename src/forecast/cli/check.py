"""`forecast check`: what was understood of a file, and what is wrong with it."""

from __future__ import annotations

import typer
from rich.table import Table

from forecast.cli.console import console
from forecast.cli.options import Data, with_data


@with_data
def check(data: Data) -> None:
    """Say what was understood of DATA and what is wrong with it, with line numbers and stamps.

    Example: `forecast check demand.csv --time timestamp --target demand --zone Europe/Lisbon`
    """
    from forecast.sources import check as examine

    report = examine(data.data, data.declaration, query=data.query)
    table = Table(title="Understood", title_justify="left", show_header=False)
    for name, value in report.rows:
        table.add_row(str(name), str(value))
    if report.rows:
        console.print(table)
    for finding in report.findings:
        console.print(f"[{'red' if finding.severity == 'error' else 'yellow'}]{finding.severity}[/] ", end="")
        console.print(finding.text, markup=False, highlight=False, soft_wrap=True)
    console.print(
        "[green]Nothing stands in the way of training.[/]" if report.ok else "[red]Correct the errors first.[/]"
    )
    if report.ok and report.suggestion:
        console.print(f"Next: {report.suggestion}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if report.ok else 1)
