"""`forecast search`: choose a recipe within the past, score the choosing outside it, or leave parts out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

import pandas as pd
import typer

from forecast.cli.console import Bars, bars, console, scores_table
from forecast.cli.options import Data, Every, Gate, Horizon, Refit, parse_refit, with_data
from forecast.cli.predict import check_folder, check_out, write_table
from forecast.cli.train import aware, check_horizon
from forecast.cli.trials import all_alike, folds_table, trials_table
from forecast.errors import DeclarationError

if TYPE_CHECKING:
    from forecast.backtest import Plan
    from forecast.recipe import Recipe, Task
    from forecast.search import Space
    from forecast.settings import Settings
    from forecast.tables import Demand

CHOSE = "These figures chose: report none of them. `--nested --start DAY --end DAY` scores the choosing on later days."


class Inner(TypedDict):
    """How the inner search goes."""

    trials: int
    folds: int
    fold_days: int | None
    loss: Literal["pinball", "mae"]
    seed: int


class _Shown:
    """A search's bars; a `search.SearchProgress`."""

    def __init__(self, shown: Bars) -> None:
        self.shown = shown

    def trial(self, done: int, trials: int, best: float) -> None:
        self.shown.step("trials", done, trials, "" if pd.isna(best) else f"best {best:.4f}")

    def fold(self, done: int, folds: int) -> None:
        self.shown.step("inner folds of the trial", done, folds)


@with_data
def search(
    data: Data,
    recipe: Annotated[str, typer.Option(help="The base recipe: a name, or a TOML file.")] = "default",
    space: Annotated[
        Path | None, typer.Option(help="TOML file of the fields to search [the usual ones of the recipe].")
    ] = None,
    trials: Annotated[int, typer.Option(help="Recipes to try, the base recipe first.")] = 20,
    folds: Annotated[
        int, typer.Option(help="Inner folds that judge a trial: the last stretches of what is known.")
    ] = 4,
    fold_days: Annotated[
        int | None, typer.Option(help="Civil days of an inner fold [a tenth of the span, at most 91].")
    ] = None,
    loss: Annotated[Literal["pinball", "mae"], typer.Option(help="What is minimised, scaled.")] = "pinball",
    seed: Annotated[int, typer.Option(help="Of the search.")] = 0,
    until: Annotated[str | None, typer.Option(help="Choose only by what was known at this stamp.")] = None,
    every: Every = "1d",
    gate: Gate = None,
    horizon: Horizon = None,
    nested: Annotated[
        bool, typer.Option("--nested", help="Walk from --start to --end; search anew in each fold.")
    ] = False,
    leave_out: Annotated[
        Literal["series", "period"] | None,
        typer.Option(help="No search: judge the recipe on each series, or civil quarter, that it did not learn from."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="First civil day that --nested or --leave-out forecasts, such as 2024-07-01.",
            rich_help_panel="The walk",
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(help="Last civil day that --nested or --leave-out forecasts.", rich_help_panel="The walk"),
    ] = None,
    refit: Refit = "monthly",
    log: Annotated[bool, typer.Option("--log/--no-log", help="A run per trial in MLflow.")] = True,
    out: Annotated[
        Path | None, typer.Option(help="The chosen recipe as .toml; with --nested or --leave-out the table.")
    ] = None,
) -> None:
    """Search for a recipe by walking forward within DATA's past; a search that was stopped goes on.

    Example: `forecast search demand.csv --zone Europe/Lisbon --recipe lstm --until 2024-07-01 --out mine.toml`
    """
    from forecast.recipes import named
    from forecast.search import Space

    _check(nested, leave_out, start, end, space, until, out)
    base = named(recipe)
    if leave_out is not None:
        demand = data.demand()
        plan, task = _outer(demand, start, end, every, gate, horizon)
        _leave_out(demand, base, task, plan, leave_out, refit, out)
        return
    declared = Space.from_toml(space, base) if space is not None else None
    demand = data.demand()
    inner = Inner(trials=trials, folds=folds, fold_days=fold_days, loss=loss, seed=seed)
    if nested:
        plan, task = _outer(demand, start, end, every, gate, horizon)
        wanted = declared or _usual(base, demand.as_of(plan.cutoffs[0]))
        _nested(demand, wanted, task, plan, refit, inner, log, out)
        return
    if until is not None:
        demand = demand.as_of(aware(until, "--until", demand.series[0].zone))
    task = _task(demand, every, gate, horizon)
    _search(demand, declared or _usual(base, demand), task, inner, log, out)


def _check(
    nested: bool, leave_out: str | None, start: str | None, end: str | None, space: Path | None, until: str | None,
    out: Path | None,
) -> None:  # fmt: skip
    """Refuses options that contradict each other before any data is read."""
    walks = nested or leave_out is not None
    if nested and leave_out is not None:
        raise DeclarationError("--nested together with --leave-out", "one of the two", "run them one after the other")
    if walks and (start is None or end is None):
        asked = "--nested" if nested else "--leave-out"
        raise DeclarationError(f"{asked} without --start and --end", "the days to forecast", "add both")
    if not walks and (start is not None or end is not None):
        raise DeclarationError("--start or --end alone", "--nested or --leave-out beside them", "add one of them")
    if walks and until is not None:
        raise DeclarationError("--until beside a walk", "each fold ends at its own cutoff", "leave out --until")
    if leave_out is not None and space is not None:
        raise DeclarationError(
            "--space beside --leave-out", "a recipe as it is: nothing is searched", "leave out --space"
        )
    if out is not None and walks:
        check_out(out)
    elif out is not None:
        _check_recipe_file(out)


def _check_recipe_file(out: Path) -> None:
    if out.suffix != ".toml":
        raise DeclarationError(f"--out {out} for a recipe", "a name that ends in .toml", "correct --out")
    check_folder(out)
    if out.is_dir():
        raise DeclarationError(f"--out {out} is a folder", "a file that ends in .toml", "name another")


def _usual(recipe: Recipe, demand: Demand) -> Space:
    """The usual space of a recipe on what is known; what of it cannot act is told."""
    from forecast.search import usual

    found = usual(recipe, demand)
    if found.left_out:
        told = "; ".join(f"{name} ({why})" for name, why in found.left_out.items())
        console.print(f"Not searched: {told}", highlight=False, markup=False, soft_wrap=True)
    return found.space


def _task(demand: Demand, every: str, gate: str | None, horizon: int | None) -> Task:
    from forecast.calendars import longest_reach
    from forecast.recipe import Task

    if horizon is None:
        day = every == "delivery-day" and gate is not None
        horizon = longest_reach(str(gate), demand.step, demand.series[0].zone) if day else demand.steps_per_day
    check_horizon(horizon, demand)
    return Task(horizon=horizon, every=every, gate=gate)


def _outer(
    demand: Demand, start: str | None, end: str | None, every: str, gate: str | None, horizon: int | None
) -> tuple[Plan, Task]:
    from forecast.backtest import Plan
    from forecast.recipe import Task

    assert start is not None
    assert end is not None
    plan = Plan.of(start, end, every, demand.series[0].zone, demand.step, horizon=horizon, gate=gate)
    check_horizon(plan.horizon, demand)
    return plan, Task(horizon=plan.horizon, every=every, gate=gate)


def _store(log: bool) -> tuple[str, Settings | None]:
    """Where the study lives, and the MLflow store that is written to."""
    from forecast.search import storage_url
    from forecast.settings import Settings

    settings = Settings.read()
    return storage_url(settings), settings if log else None


def _search(demand: Demand, space: Space, task: Task, inner: Inner, log: bool, out: Path | None) -> None:
    from forecast.search import recipe_toml, search

    storage, settings = _store(log)
    with bars() as shown:
        found = search(demand, space, task, storage=storage, settings=settings, progress=_Shown(shown), **inner)
    console.print(trials_table(found))
    if all_alike(found):
        console.print("[yellow]All trials score the same:[/] nothing in this search space acts on this table.")
    console.print(CHOSE)
    if out is not None:
        out.write_text(recipe_toml(found.recipe), encoding="utf-8")
        console.print(f"The chosen recipe is written to {out}")


def _nested(
    demand: Demand,
    space: Space,
    task: Task,
    plan: Plan,
    refit: str,
    inner: Inner,
    log: bool,
    out: Path | None,
) -> None:
    from forecast.recipes import named
    from forecast.search import nested
    from forecast.training import fit

    storage, settings = _store(log)
    naive = "seasonal_naive_week"
    beside = {} if space.recipe.name == naive else {naive: partial(fit, recipe=named(naive), task=task)}
    with bars() as shown:
        told = nested(
            demand, space, task, plan, refit=parse_refit(refit), storage=storage, settings=settings, beside=beside,
            progress=_Shown(shown), outer_progress=shown, **inner,
        )  # fmt: skip
    weather = told.walk.fitted["searched"][0].forecaster.spec.weather
    title = f"Outer folds, the figures to report: {len(plan.cutoffs)} forecasts, refit {refit}, weather: {weather}"
    console.print(scores_table(told.scores, title=title, winner=str(told.scores["mae"].idxmin()), unit=demand.unit))
    console.print(folds_table(told.folds))
    if out is not None:
        from forecast import calendars

        write_table(calendars.told(told.walk.table, demand.zones), out)
        console.print(f"{len(told.walk.table):,} rows written to {out}")


def _leave_out(demand: Demand, recipe: Recipe, task: Task, plan: Plan, kind: str, refit: str, out: Path | None) -> None:
    from forecast import calendars, metrics
    from forecast.search import leave_one_period_out, leave_one_series_out
    from forecast.search.folds import scales_of

    with bars() as shown:
        if kind == "series":
            told = leave_one_series_out(demand, recipe, task, plan, refit=parse_refit(refit), progress=shown)
        else:
            told = leave_one_period_out(demand, recipe, task, plan, progress=shown)
    scores = metrics.score(told.table, scales=scales_of(demand.as_of(plan.cutoffs[0])), zones=demand.zones)
    title = f"{len(told.parts)} parts left out one after the other; {told.label}"
    console.print(scores_table(scores, title=title, unit=demand.unit))
    if out is not None:
        write_table(calendars.told(told.table, demand.zones), out)
        console.print(f"{len(told.table):,} rows written to {out}")
