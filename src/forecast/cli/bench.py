"""`forecast bench`: a published protocol, our figures beside the peers'."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecast.cli.console import bars, console
from forecast.cli.options import Refit, Warm, Workers, check_workers, parse_recipes
from forecast.cli.predict import check_out, write_table
from forecast.cli.refitting import Refitting
from forecast.cli.standing import figures_table, goals_table, intervals_table
from forecast.errors import DeclarationError

if TYPE_CHECKING:
    from forecast.backtest import FitFunction, Walk
    from forecast.protocols import Protocol
    from forecast.recipe import Recipe

ALWAYS = "seasonal_naive_day,seasonal_naive_week"


def bench(
    protocol: Annotated[str, typer.Argument(help="vic-a, vic-b, vic-dec, eia-33, eia-33+ or tet.")],
    data: Annotated[
        Path,
        typer.Option(
            help="The protocol's Parquet file: vic-a, vic-b, vic-dec: half-hourly Victoria "
            "(victoria_2012_2014_halfhourly.parquet); eia-33, eia-33+: hourly EIA-930 "
            "(eia930_2015_2019_hourly.parquet, with eia930_series.csv beside it); tet: ten-minute Tetouan "
            "(tetouan_2017_10min.parquet)."
        ),
    ],
    recipe: Annotated[
        str, typer.Option(help="Recipes, comma-separated; the goals are judged on the first.")
    ] = f"default,{ALWAYS}",
    peers: Annotated[
        bool, typer.Option("--peers", help="Run LightGBM and ridges beside, with our calibration.")
    ] = False,
    refit: Refit = "never",
    warm: Warm = False,
    seed: Annotated[
        int | None, typer.Option(help="Of training, peers and bootstrap [the recipe's own].", min=0)
    ] = None,
    workers: Workers = 1,
    out: Annotated[Path | None, typer.Option(help="Write the walk's table: .parquet or .csv.")] = None,
    log: Annotated[bool, typer.Option(help="Log the runs to MLflow.")] = True,
) -> None:
    """Judge recipes under a published PROTOCOL and print our figures beside the peers'.

    Example: `forecast bench vic-a --data victoria_2012_2014_halfhourly.parquet`
    """
    from forecast import protocols
    from forecast.training import fit

    chosen = protocols.named(protocol)
    if out is not None:
        check_out(out)
    check_workers(workers)
    again, recipes = Refitting.of(refit, warm), [seeded(one, seed) for one in parse_recipes(recipe)]
    demand = chosen.read(data)
    truth = chosen.truth(data) if chosen.truth is not None else None
    task = chosen.task(demand)
    beside = _beside(recipes) if peers else []
    workers, processes = again.sharing(recipes, workers)
    with bars() as shown:
        fits: dict[str, FitFunction] = {
            one.name: partial(
                fit, recipe=one, task=task, progress=shown.of(one.name) if workers == 1 else None, processes=processes
            )
            for one in recipes
        }
        walked, scores = protocols.judge(
            chosen, demand, fits, truth=truth, beside=beside, seed=seed or 0, refit=again.when, refresh=again.refresh,
            workers=workers, progress=shown,
        )  # fmt: skip
    weather = next(iter(walked.fitted.values()))[0].forecaster.spec.weather
    title = (
        f"{chosen.name}: {chosen.about}; refit {again}; {chosen.scored:,} rows; weather: {weather}; in {demand.unit}"
    )
    console.print(figures_table(chosen, scores, [one.name for one in recipes], title))
    console.print(intervals_table(scores, demand.unit))
    console.print(goals_table(chosen, scores, recipes[0].name))
    console.print(_small_print(chosen, walked, beside, warm), soft_wrap=True, highlight=False)
    if out is not None:
        write_table(walked.table, out)
        console.print(f"{len(walked.table):,} rows written to {out}")
    if log:
        from forecast.registry.report import log_walk
        from forecast.settings import Settings

        run = log_walk(
            Settings.read(), demand=demand, task=task, walked=walked, scores=scores,
            title=f"bench {chosen.name}, refit {again}",
        )  # fmt: skip
        console.print(f"Logged to MLflow: run {run.run_id}")


def seeded(recipe: Recipe, seed: int | None) -> Recipe:
    """The recipe with another training seed; itself where it learns without one."""
    return recipe if seed is None else recipe.seeded(seed)


def _beside(recipes: list[Recipe]) -> list[str]:
    """The peers that run beside, once they can."""
    from forecast.protocols.beside import BESIDE
    from forecast.protocols.boosting import installed

    twice = sorted({one.name for one in recipes} & set(BESIDE))
    if twice:
        raise DeclarationError(f"a recipe is called {', '.join(twice)}", "another name than a peer's", "rename it")
    installed()
    return list(BESIDE)


def _small_print(protocol: Protocol, walked: Walk, beside: list[str], warm: bool) -> str:
    """What the figures rest on."""
    cutoffs = sum(len(fold) for fold in walked.folds)
    lines = [f"{cutoffs} cutoffs in {len(walked.folds)} folds; MAE and MAPE score the median (q0.5)."]
    lines += [f"Taken for granted: {text}." for text in protocol.assumptions]
    if beside:
        anew = "; they learn anew in each fold" if warm else ""
        lines.append(f"Run beside, on our columns and with our calibration: {', '.join(beside)}{anew}.")
    return "\n".join(lines)
