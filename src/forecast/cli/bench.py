"""`forecast bench`: a published protocol, our figures beside the peers'."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from forecast.cli.console import bars, console, scores_table
from forecast.cli.options import Refit, Workers, parse_refit
from forecast.cli.predict import write_table


def bench(
    protocol: Annotated[str, typer.Argument(help="vic-a or vic-b.")],
    data: Annotated[Path, typer.Option(help="The protocol's data file: tsibbledata's vic_elec as Parquet.")],
    recipe: Annotated[
        str, typer.Option(help="Recipes, comma-separated.")
    ] = "lstm,gru,attention,ridge,seasonal_naive_week",
    refit: Refit = "never",
    workers: Workers = 1,
    out: Annotated[Path | None, typer.Option(help="Write the walk's table: .parquet or .csv.")] = None,
    log: Annotated[bool, typer.Option(help="Log the runs to MLflow.")] = True,
) -> None:
    """Judge recipes under a published PROTOCOL and print our figures beside the peers'.

    Example: `forecast bench vic-a --data victoria_2012_2014_halfhourly.parquet`
    """
    from forecast import protocols, recipes
    from forecast.recipe import Task
    from forecast.training import fit

    chosen = protocols.named(protocol)
    demand = chosen.read(data)
    task = Task(horizon=chosen.plan(demand).horizon, every=chosen.every)
    with bars() as shown:
        fits = {
            name: partial(fit, recipe=recipes.named(name), task=task, progress=shown.of(name) if workers == 1 else None)
            for name in recipe.split(",")
        }
        walked, scores = protocols.judge(
            chosen, demand, fits, refit=parse_refit(refit), workers=workers, progress=shown
        )  # fmt: skip
    weather = next(iter(walked.fitted.values()))[0].forecaster.spec.weather
    title = f"{chosen.name}: {chosen.about}; refit {refit}; {chosen.scored:,} rows; weather: {weather}"
    console.print(scores_table(scores, title=title, winner=str(scores["mae"].idxmin()), unit=demand.unit))
    peers = Table(title=f"Peers ({protocols.MEASURED})", title_justify="left")
    peers.add_column("system")
    peers.add_column("MAE", justify="right")
    for peer in chosen.peers:
        peers.add_row(peer.name, f"{peer.mae:.1f}")
    console.print(peers)
    if out is not None:
        write_table(walked.table, out)
    if log:
        from forecast.registry.report import log_walk
        from forecast.settings import Settings

        run = log_walk(
            Settings.read(), demand=demand, task=task, walked=walked, scores=scores, title=f"bench {chosen.name}"
        )
        console.print(f"Logged to MLflow: run {run.run_id}")
