"""The steps: take the table, count windows, walk each recipe, train the winner, publish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from forecast import calendars
from forecast.backtest import WalkProgress, walk
from forecast.forecaster.exporting import with_graphs
from forecast.quality import cleaned
from forecast.recipes import named, treated
from forecast.registry.report import RetrainingLog, log_retraining
from forecast.retraining.judgement import read_judgement
from forecast.retraining.kept import WALK, folds_of, load_fitted, save_fitted
from forecast.retraining.plan import RetrainingPlan
from forecast.settings import Settings
from forecast.sources import Declaration, read
from forecast.tables import load_demand, save_demand
from forecast.training import Progress, cores, fit, refresh_fitted
from forecast.windows import origins_every, training_origins_at


def take_table(data: str, declaration: Declaration, work: Path, query: str | None = None) -> tuple[Path, str]:
    """Reads and checks the data, and stores the table by its digest.

    Returns:
        path and digest.

    Raises:
        DataError: see `sources.read`.
    """
    demand = read(data, declaration, query=query)
    work.mkdir(parents=True, exist_ok=True)
    path = work / f"table-{demand.digest[:16]}.parquet"
    if not path.exists():
        save_demand(demand, path)
    return path, demand.digest


def count_windows(table: Path, plan: RetrainingPlan) -> dict[str, int]:
    """Windows that each recipe learns from before the walk; raises NotEnoughHistory where one finds none."""
    demand = plan.known(load_demand(table))
    task, known = plan.task(demand), demand.as_of(plan.walk_plan(demand).cutoffs[0])
    first, last = (str(one.date()) for one in (min(each.start for each in known.series), known.last_known_end()))
    zone, counts = known.series[0].zone, {}
    moments = None if task.every == "any" else calendars.cutoffs(first, last, task.every, zone, task.gate)
    for name, recipe in plan.chosen.items():
        sizes = {"context": recipe.context_steps(known.step), "horizon": task.horizon}
        found = origins_every(known, **sizes) if moments is None else training_origins_at(known, moments, **sizes)
        counts[name] = len(found)
    return counts


def walk_recipe(
    table: Path, recipe: str, plan: RetrainingPlan, work: Path, *, progress: WalkProgress | None = None,
    training: Progress | None = None,
) -> Path:  # fmt: skip
    """Walks one recipe forward over the last weeks; the members of an ensemble learn on all cores that are free.

    Returns:
        the recipe's folder: `walk.parquet`, and per fold a model folder with its `report.json`.
    """
    demand = plan.known(load_demand(table))
    chosen = treated(named(recipe), plan.quality)
    learn = partial(fit, recipe=chosen, task=plan.task(demand), progress=training, processes=cores())
    walked = walk(
        demand, {chosen.name: learn}, plan.walk_plan(demand), refit=plan.refit,
        refresh=refresh_fitted if plan.warm else None, truth=cleaned(demand) if plan.quality == "mask" else None,
        progress=progress,
    )  # fmt: skip
    folder = work / chosen.name
    folder.mkdir(parents=True, exist_ok=True)
    for number, fitted in enumerate(walked.fitted[chosen.name]):
        save_fitted(fitted, folder / f"fold-{number:03d}")
    walked.table.to_parquet(folder / WALK, index=False)
    return folder


def train_winner(
    table: Path, judgement: Path, plan: RetrainingPlan, work: Path, *, progress: Progress | None = None
) -> Path:
    """Trains the winning recipe on everything known, what the registry will serve; returns its model folder."""
    demand = plan.known(load_demand(table))
    winner = plan.chosen[read_judgement(judgement).winner]
    fitted = fit(
        demand, winner, plan.task(demand), checkpoint=work / "checkpoints", progress=progress, processes=cores()
    )
    folder = work / "winner"
    save_fitted(replace(fitted, forecaster=with_graphs(fitted.forecaster)), folder)
    return folder


def publish(
    table: Path, folders: Sequence[Path], judgement: Path, winner: Path, plan: RetrainingPlan, settings: Settings,
    title: str | None = None,
) -> RetrainingLog:  # fmt: skip
    """Logs the whole retraining to MLflow, registers the winner, and moves the aliases as the verdict says."""
    demand = plan.known(load_demand(table))
    judged = read_judgement(judgement)
    folds = {folder.name: [load_fitted(fold) for fold in folds_of(folder)] for folder in folders}
    fitted = {name: every[-1] for name, every in folds.items()} | {judged.winner: load_fitted(winner)}
    walks = pd.read_parquet(judgement.parent / WALK)
    return log_retraining(
        settings, demand=demand, task=plan.task(demand), walk_table=walks, fitted=fitted, scores=judged.table,
        verdict=judged.verdict, winner=judged.winner, title=title, folds=folds, tags={"refit": plan.refits},
    )  # fmt: skip
