"""`nested`: an inner search chooses within each outer fold's training part; the outer walk scores what it chose."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import optuna
import pandas as pd

from forecast.backtest import NO_GAP, FitFunction, Plan, Walk, WalkProgress, walk
from forecast.errors import DeclarationError
from forecast.metrics import score
from forecast.recipe import Task
from forecast.registry.runs import Run, demand_tags
from forecast.search import chosen
from forecast.search.chosen import Search, SearchProgress
from forecast.search.folds import Loss, judged, scales_of
from forecast.search.record import kept_run
from forecast.search.space import Space
from forecast.search.storage import opened
from forecast.settings import Settings
from forecast.tables import Demand
from forecast.training import Fitted, fit

SEARCHED = "searched"


@dataclass(frozen=True, eq=False)
class Nested:
    """What an outer walk says of a search. Only `walk` and `scores` may be reported.

    Attributes:
        walk: of `searched` (the inner choice of each fold), the base recipe and who else walked along.
        scores: of that walk, by model.
        searches: the inner searches, one per outer fold.
        folds: per outer fold: first cutoff, inner and outer score of the choice, their `gap` (outer / inner - 1), the
            gain over the base recipe that the inner folds `promised` and the outer fold `delivered` (shares of the
            base's score; missing where the space does not hold the base), and the chosen values.
        run_id: in MLflow; None where nothing was logged.
    """

    walk: Walk
    scores: pd.DataFrame
    searches: list[Search]
    folds: pd.DataFrame
    run_id: str | None = None


def nested(
    demand: Demand, space: Space, task: Task, plan: Plan, *, refit: str | int = "monthly",
    window: pd.Timedelta | None = None, gap: pd.Timedelta = NO_GAP, trials: int = 20, folds: int = 4,
    fold_days: int | None = None, loss: Loss = "pinball", seed: int = 0, storage: str | None = None,
    settings: Settings | None = None, beside: Mapping[str, FitFunction] | None = None,
    progress: SearchProgress | None = None, outer_progress: WalkProgress | None = None,
    fit_function: chosen.FitFunction = fit,
) -> Nested:  # fmt: skip
    """Walks forward; at the start of each outer fold a search within what is known chooses, and its choice forecasts.

    The search is part of the fit, so it gets the narrowed table that any fit gets and can read nothing else.

    Args:
        demand, plan, refit, window, gap: as in `backtest.walk`; each outer fold searches anew.
        space, task, trials, folds, fold_days, loss, seed, storage, settings, fit_function: as in `search`.
        beside: others who walk along, by name.
        progress, outer_progress: told about trials, and about outer folds.

    Raises:
        DeclarationError: somebody else is named "searched".
    """
    others: dict[str, FitFunction] = {space.recipe.name: lambda known: fit_function(known, space.recipe, task)}
    others |= beside or {}
    if SEARCHED in others:
        raise DeclarationError(f"a recipe named '{SEARCHED}'", "another name", "rename it")
    searches: list[Search] = []
    with _parent_run(storage, settings, demand, space, task, plan, refit) as parent:

        def choose_and_fit(known: Demand) -> Fitted:
            found = chosen.search(
                known, space, task, trials=trials, folds=folds, fold_days=fold_days, loss=loss, seed=seed,
                storage=storage, settings=settings, parent=parent, progress=progress, fit_function=fit_function,
            )  # fmt: skip
            searches.append(found)
            return fit_function(known, found.recipe, task)

        walked = walk(
            demand, {SEARCHED: choose_and_fit, **others}, plan, refit=refit, window=window, gap=gap,
            progress=outer_progress,
        )  # fmt: skip
        scales = walked.fitted[SEARCHED][0].forecaster.spec.scales
        told = Nested(
            walked, score(walked.table, scales=scales, zones=demand.zones), searches,
            _gaps(demand, walked, searches, space.recipe.name, loss, gap), parent.run_id if parent else None,
        )  # fmt: skip
        if parent is not None:
            _log(parent, told)
    return told


def _gaps(
    demand: Demand, walked: Walk, searches: list[Search], base: str, loss: Loss, gap: pd.Timedelta
) -> pd.DataFrame:
    """Inner beside outer, fold by fold."""
    rows = []
    for cutoffs, found in zip(walked.folds, searches, strict=True):
        scales = scales_of(demand.as_of(cutoffs[0] - gap))
        inside = walked.table["cutoff"].isin(cutoffs) & walked.table["y"].notna()
        mine, theirs = (
            _outer(walked.table[inside & (walked.table["model"] == name)], scales, demand, loss)
            for name in (SEARCHED, base)
        )
        inner = found.base_score
        row = {"from": cutoffs[0], "inner": found.score, "outer": mine, "gap": mine / found.score - 1}
        row["promised"] = 1 - found.score / inner if inner else float("nan")
        row["delivered"] = 1 - mine / theirs if inner else float("nan")
        rows.append({**row, **found.params})
    return pd.DataFrame(rows)


def _outer(part: pd.DataFrame, scales: Mapping[str, float], demand: Demand, loss: Loss) -> float:
    return judged(part, scales, demand.zones, loss) if len(part) else float("nan")


@contextmanager
def _parent_run(
    storage: str | None, settings: Settings | None, demand: Demand, space: Space, task: Task, plan: Plan,
    refit: str | int,
) -> Iterator[Run | None]:  # fmt: skip
    """The run above all searches; a walk that goes on, goes on in its own."""
    if settings is None:
        yield None
        return
    parts = [space.model_dump_json(), task.model_dump_json(), demand.digest, str(refit)]
    parts += [str(plan.cutoffs[0]), str(plan.cutoffs[-1])]
    name = f"nested-{space.recipe.name}-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:16]}"
    with opened(storage) as where:
        # It holds no trial: it only remembers its run.
        study = optuna.create_study(storage=where, study_name=name, load_if_exists=True)
        tags = {**demand_tags(demand), "kind": "nested search", "recipe": space.recipe.name}
        about = {"horizon": task.horizon, "every": task.every, "refit": refit}
        with kept_run(study, settings, f"nested search {space.recipe.name}", tags, about) as run:
            yield run


def _log(run: Run, told: Nested) -> None:
    run.table(told.scores.reset_index(names="model"), "outer scores")
    run.table(told.folds, "inner and outer")
    run.parquet(told.walk.table, "walk")
    run.metrics({str(name): float(value) for name, value in told.scores.loc[SEARCHED].items()})
    run.note("Outer folds only: each scored what a search within its own training part had chosen.")
