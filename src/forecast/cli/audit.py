"""`forecast audit`: the tripwire on a user's own data."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from forecast.cli.console import bars, console
from forecast.cli.options import Data, with_data
from forecast.cli.train import aware


@with_data
def audit(
    data: Data,
    cutoff: Annotated[
        str | None, typer.Option(help="Nothing known later may matter [four fifths into the data].")
    ] = None,
    recipe: Annotated[str, typer.Option(help="Recipes to audit, comma-separated.")] = "default",
    horizon: Annotated[int | None, typer.Option(help="Steps of the forecast [one day].")] = None,
    epochs: Annotated[int, typer.Option(help="Epochs at the most: a leak shows in the first.")] = 2,
) -> None:
    """Overwrite everything that became known after the cutoff, and prove that nothing learned or said changes by a bit.

    Example: `forecast audit demand.csv --zone Europe/Lisbon --recipe lstm,ridge`
    """
    from forecast.audit import audit as examine
    from forecast.recipe import NetworkModel, Task
    from forecast.recipes import named

    demand = data.demand()
    if cutoff is not None:
        moment = aware(cutoff, "--cutoff", demand.series[0].zone)
    else:
        begin, end = min(one.start for one in demand.series), demand.last_known_end()
        moment = (begin + 0.8 * (end - begin)).floor(demand.step)
    task = Task(horizon=horizon if horizon is not None else demand.steps_per_day, every="1d")
    recipes = []
    for name in recipe.split(","):
        one = named(name)
        if isinstance(one.model, NetworkModel):
            short = one.model.training.model_copy(update={"epochs": min(epochs, one.model.training.epochs)})
            one = one.model_copy(update={"model": one.model.model_copy(update={"training": short})})
        recipes.append(one)
    table = Table(title=f"Tripwire at {moment:%Y-%m-%d %H:%M}Z", title_justify="left")
    for title in ("recipe", "overwritten", "compared", "verdict"):
        table.add_column(title)
    reports = []
    with bars() as shown:
        for number, one in enumerate(recipes):
            reports.append(examine(demand, one, task, moment))
            shown.step("audited", number + 1, len(recipes))
    for report in reports:
        leaks = sorted({finding.part for finding in report.findings if not finding.equal})
        rows = ", ".join(f"{name} {count:,}" for name, count in report.overwritten.items())
        parts = ", ".join(sorted({finding.part for finding in report.findings}))
        table.add_row(
            report.recipe, rows, parts, f"[red]leaks: {', '.join(leaks)}[/]" if leaks else "[green]no bit moved[/]"
        )
    console.print(table)
    raise typer.Exit(0 if all(report.clean for report in reports) else 1)
