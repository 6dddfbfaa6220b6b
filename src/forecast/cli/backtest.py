"""`forecast backtest`: walk forward, compare, write the table."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from forecast.cli.console import bars, console, scores_table
from forecast.cli.options import (
    Data,
    End,
    Every,
    Gate,
    Horizon,
    Quality,
    Refit,
    Start,
    Warm,
    Workers,
    check_workers,
    parse_recipes,
    with_data,
)
from forecast.cli.predict import check_out, write_table
from forecast.cli.refitting import Refitting
from forecast.cli.train import check_horizon


@with_data
def backtest(
    data: Data,
    start: Start,
    end: End,
    every: Every = "1d",
    gate: Gate = None,
    horizon: Horizon = None,
    refit: Refit = "never",
    warm: Warm = False,
    recipe: Annotated[
        str, typer.Option(help="Recipes, comma-separated: default,lstm,ridge.")
    ] = "default,ridge,seasonal_naive_week",
    out: Annotated[Path | None, typer.Option(help="Write the walk's table: .parquet or .csv.")] = None,
    workers: Workers = 1,
    quality: Quality = "keep",
) -> None:
    """Walk forward over DATA: train on the past only, forecast every cutoff, and show how each recipe did.

    Example: `forecast backtest demand.csv --zone Europe/Lisbon --start 2024-07-01 --end 2024-12-31 --recipe lstm,ridge`
    """
    from forecast import metrics
    from forecast.backtest import Plan, walk
    from forecast.calendars import told
    from forecast.quality import cleaned
    from forecast.recipe import Task
    from forecast.recipes import treated
    from forecast.training import fit

    if out is not None:
        check_out(out)
    check_workers(workers)
    again = Refitting.of(refit, warm)
    recipes = [treated(one, quality) for one in parse_recipes(recipe)]
    workers, processes = again.sharing(recipes, workers)
    demand = data.demand()
    zone = demand.series[0].zone
    plan = Plan.of(start, end, every, zone, demand.step, horizon=horizon, gate=gate)
    check_horizon(plan.horizon, demand)
    task = Task(horizon=plan.horizon, every=every, gate=gate)
    with bars() as shown:
        fits = {
            one.name: partial(
                fit, recipe=one, task=task, progress=shown.of(one.name) if workers == 1 else None, processes=processes
            )
            for one in recipes
        }
        walked = walk(
            demand, fits, plan, refit=again.when, workers=workers, refresh=again.refresh,
            truth=cleaned(demand) if quality == "mask" else None, progress=shown,
        )  # fmt: skip
    first = next(iter(walked.fitted.values()))[0].forecaster.spec
    scores = metrics.score(walked.table, scales=first.scales, zones=demand.zones)
    winner = str(scores["mae"].idxmin())
    title = f"{len(plan.cutoffs)} forecasts from {start} to {end}, refit {again}, weather: {first.weather}"
    console.print(scores_table(scores, title=title, winner=winner, unit=demand.unit))
    if out is not None:
        write_table(told(walked.table, demand.zones), out)
        console.print(f"{len(walked.table):,} rows written to {out}")
