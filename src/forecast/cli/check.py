"""`forecast check`: what was understood of a file, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from forecast.cli.console import console
from forecast.cli.options import Data, with_data

if TYPE_CHECKING:
    from forecast.quality import QualityReport
    from forecast.sources import Report

SHOWN = 20
# The table above says how much is missing, and where most.
SAID = ("gap",)


@with_data
def check(
    data: Data,
    findings: Annotated[
        Path | None, typer.Option(help="Also write what is wrong with the values: .csv or .parquet.")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="Also draw the worst of it: .png, .svg or .pdf.")] = None,
) -> None:
    """Say what was understood of DATA and what is wrong with it, with line numbers and stamps.

    Example: `forecast check demand.csv --time timestamp --target demand --zone Europe/Lisbon`
    """
    from forecast.sources import check as examine

    _check_files(findings, picture)
    report = examine(data.data, data.declaration, query=data.query)
    table = Table(title="Understood", title_justify="left", show_header=False)
    for name, value in report.rows:
        table.add_row(str(name), str(value))
    if report.rows:
        console.print(table)
    for finding in report.findings:
        console.print(f"[{'red' if finding.severity == 'error' else 'yellow'}]{finding.severity}[/] ", end="")
        console.print(finding.text, markup=False, highlight=False, soft_wrap=True)
    _show(report.quality)
    _write(report, findings, picture)
    console.print(
        "[green]Nothing stands in the way of training.[/]" if report.ok else "[red]Correct the errors first.[/]"
    )
    learned = [one for one in report.quality.findings if one.severity == "error"]
    if report.ok and learned:
        told = ", ".join(dict.fromkeys(one.rule for one in learned))
        console.print(
            f"But {len(learned):,} findings cannot be true ({told}), and a training learns them as they are unless "
            "--quality mask is given to train, backtest or the retraining flow.", highlight=False, soft_wrap=True,
        )  # fmt: skip
    if report.ok and report.suggestion:
        console.print(f"Next: {report.suggestion}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if report.ok else 1)


def _show(quality: QualityReport) -> None:
    """The findings in the values, worst first; the rest is counted by rule."""
    told = [one for one in quality.findings if one.rule not in SAID]
    order = ("error", "warning", "note")
    told.sort(key=lambda one: order.index(one.severity))
    if not told:
        return
    table = Table(title=f"Found in the values ({len(told):,})", title_justify="left")
    for heading in ("series", "rule", "from (UTC)", "to", "what"):
        table.add_column(heading)
    for one in told[:SHOWN]:
        table.add_row(one.series, one.rule, f"{one.first:%Y-%m-%d %H:%M}", f"{one.last:%Y-%m-%d %H:%M}", one.size)
    console.print(table)
    rest = [one.rule for one in told[SHOWN:]]
    if rest:
        counts = ", ".join(f"{rest.count(rule):,} of {rule}" for rule in dict.fromkeys(rest))
        console.print(f"and {len(rest):,} more: {counts}; --findings FILE writes all", highlight=False, soft_wrap=True)


def _check_files(findings: Path | None, picture: Path | None) -> None:
    """Asks before anything long begins whether both files can be written."""
    from forecast.cli.predict import check_folder, check_out
    from forecast.errors import DeclarationError

    if findings is not None:
        check_out(findings, "--findings")
    if picture is not None:
        if picture.suffix not in (".png", ".svg", ".pdf"):
            raise DeclarationError(f"--picture {picture}", "a name that ends in .png, .svg or .pdf")
        check_folder(picture, "--picture")


def _write(report: Report, findings: Path | None, picture: Path | None) -> None:
    """Writes the table of findings and the picture, where they are asked for."""
    if findings is not None:
        frame = report.quality.frame()
        if findings.suffix == ".csv":
            frame.to_csv(findings, index=False)
        else:
            frame.to_parquet(findings, index=False)
    if picture is not None and report.demand is not None:
        from forecast.plots.quality import quality_closeups, quality_overview, worst

        draw = quality_closeups if worst(report.demand, report.quality) else quality_overview
        draw(report.demand, report.quality).savefig(picture, dpi=130)
