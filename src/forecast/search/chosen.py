"""`search`: recipes of a space, each judged by walking forward over the last folds of what is known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from forecast.backtest import Plan, walk
from forecast.errors import DeclarationError, NotEnoughHistory, RecipeError, TrainingError
from forecast.recipe import Recipe, Task
from forecast.registry.runs import Run
from forecast.search.folds import Loss, geometric_mean, inner_folds, judged, scales_of
from forecast.search.record import Record, recording
from forecast.search.space import Scalar, Space
from forecast.search.storage import distributions, opened, opened_study, sampler, settled
from forecast.settings import Settings
from forecast.tables import Demand
from forecast.training import Fitted, fit

FitFunction = Callable[[Demand, Recipe, Task], Fitted]
FOLDS, WHY = "folds", "why"


class SearchProgress(Protocol):
    """Told how a search goes."""

    def trial(self, done: int, trials: int, best: float) -> None:
        """`done` of `trials` trials are over; the best score so far (NaN: none)."""
        ...

    def fold(self, done: int, folds: int) -> None:
        """`done` of `folds` folds of the present trial are over."""
        ...


class _Silent:
    def trial(self, done: int, trials: int, best: float) -> None: ...

    def fold(self, done: int, folds: int) -> None: ...


@dataclass(frozen=True, eq=False)
class Search:
    """What a search chose, and on which figures. They chose, so they are no test figures.

    Attributes:
        name: of the study in its storage.
        recipe: the chosen one.
        params: its values of the space's fields.
        score: its geometric mean over the inner folds of the scaled loss.
        base_score: the same of the base recipe; None where the space does not hold it.
        folds: the chosen recipe's score in each inner fold, oldest first.
        trials: number, state, score, folds, why, and a column per field, in the order of their numbers.
        run_id: of the search in MLflow; None where nothing was logged.
    """

    name: str
    recipe: Recipe
    params: dict[str, Scalar]
    score: float
    base_score: float | None
    folds: list[float]
    trials: pd.DataFrame
    run_id: str | None = None


@dataclass(frozen=True, eq=False)
class _Bench:
    """What all trials of a search share."""

    demand: Demand
    space: Space
    task: Task
    plans: list[Plan]
    scales: dict[str, float]
    loss: Loss
    fit_function: FitFunction
    progress: SearchProgress

    def fold_score(self, recipe: Recipe, plan: Plan) -> float:
        """One fold: learn before it, forecast it, score it."""
        table = walk(self.demand, {"trial": lambda known: self.fit_function(known, recipe, self.task)}, plan).table
        return judged(table, self.scales, self.demand.zones, self.loss)


def search(
    demand: Demand, space: Space, task: Task, *, trials: int = 20, folds: int = 4, fold_days: int | None = None,
    loss: Loss = "pinball", seed: int = 0, storage: str | None = None, settings: Settings | None = None,
    parent: Run | None = None, progress: SearchProgress | None = None, fit_function: FitFunction = fit,
) -> Search:  # fmt: skip
    """Searches for the recipe whose forecasts of the last inner folds are best; nothing later than `demand` is read.

    The first trial is the base recipe where the space holds it. The same call goes on with a study that was
    interrupted, fold by fold, and chooses what it would have chosen. More `trials` go on with the same study.

    Args:
        demand: what is known, usually `demand.as_of(cutoff)`.
        space: the base recipe and what may change in it.
        task: what the forecaster will be asked.
        trials: how many recipes, pruned ones included.
        folds, fold_days: see `inner_folds`.
        loss: scaled by the weekly naive's error: the mean pinball loss of all quantiles, or the median's MAE.
        seed: of the sampler.
        storage: SQLAlchemy URL of the study, see `storage_url`; in memory where None.
        settings: which MLflow store gets a run per trial; none where None.
        parent: the run under which the search is logged.
        progress: told after every fold and trial.
        fit_function: what trains.

    Raises:
        NotEnoughHistory: nothing to judge on. TrainingError: no trial reached a score. RegistryError: a database fails.
    """
    if trials < 1:
        raise DeclarationError(f"{trials} trials", "1 or more", "correct --trials")
    plans = inner_folds(demand, task, folds, fold_days, context=space.shortest_context)
    bench = _Bench(demand, space, task, plans, scales_of(demand), loss, fit_function, progress or _Silent())
    name = _name(demand, space, task, plans, loss, seed)
    with opened(storage) as where:
        study = opened_study(where, name, seed, space)
        about = {"trials": trials, "folds": len(plans), "loss": loss, "seed": seed, "study": name}
        with recording(study, settings, parent, demand, space, task, about) as record:
            _go_on(study, bench, trials, seed, record)
            found = _found(study, space, record)
            record.finish(found.recipe, {"score": found.score, "base_score": found.base_score})
    return found


def _go_on(study: optuna.Study, bench: _Bench, trials: int, seed: int, record: Record) -> None:
    """Asks, judges and tells until enough trials are settled."""
    space = distributions(bench.space)
    record.catch_up(settled(study))
    while (done := len(settled(study))) < trials:
        bench.progress.trial(done, trials, _best(study))
        study.sampler = sampler(seed, done)
        trial = study.ask(space)
        value = _judge(study, trial, bench)
        state = TrialState.PRUNED if value is None else TrialState.COMPLETE
        record.trial(study.tell(trial, value, state=state))
    bench.progress.trial(len(settled(study)), trials, _best(study))


def _judge(study: optuna.Study, trial: optuna.Trial, bench: _Bench) -> float | None:
    """The trial's score over all folds; None where it was pruned or could not be learned."""
    scores = _known_scores(study, trial.params)
    trial.set_user_attr(FOLDS, scores)
    value = None
    try:
        recipe = bench.space.apply(trial.params)
        for number, plan in enumerate(bench.plans):
            if number == len(scores):
                scores = [*scores, bench.fold_score(recipe, plan)]
                trial.set_user_attr(FOLDS, scores)
            value = geometric_mean(scores[: number + 1])
            trial.report(value, number)
            bench.progress.fold(number + 1, len(bench.plans))
            if number + 1 < len(bench.plans) and trial.should_prune():
                trial.set_user_attr(WHY, f"worse than the median after fold {number + 1}")
                return None
    except (RecipeError, TrainingError, NotEnoughHistory) as error:
        trial.set_user_attr(WHY, str(error))
        return None
    return value


def _known_scores(study: optuna.Study, params: dict[str, Any]) -> list[float]:
    """Fold scores that the same values already have, from a killed trial or an equal one: they would be the same."""
    twins = [one for one in study.get_trials(deepcopy=False) if one.params == params]
    return max((list(one.user_attrs.get(FOLDS, [])) for one in twins), key=len, default=[])


def _best(study: optuna.Study) -> float:
    values = [one.value for one in settled(study) if one.state == TrialState.COMPLETE and one.value is not None]
    return min(values, default=float("nan"))


def _found(study: optuna.Study, space: Space, record: Record) -> Search:
    every = settled(study)
    whole = [one for one in every if one.state == TrialState.COMPLETE and one.value is not None]
    if not whole:
        why = next((one.user_attrs[WHY] for one in every if WHY in one.user_attrs), "all were pruned")
        raise TrainingError(f"none of {len(every)} trials reached a score ({why})", "one at least", "widen the space")
    best = min(whole, key=lambda one: (float(one.value or 0.0), one.number))
    base = space.base_params()
    base_score = next((one.value for one in whole if one.params == base), None)
    rows = [_row(one) for one in every]
    return Search(
        study.study_name, space.apply(best.params), dict(best.params), float(best.value or 0.0), base_score,
        list(best.user_attrs[FOLDS]), pd.DataFrame(rows), record.run_id,
    )  # fmt: skip


def _row(trial: FrozenTrial) -> dict[str, object]:
    score = trial.value if trial.state == TrialState.COMPLETE else None
    told = {"folds": len(trial.user_attrs.get(FOLDS, [])), "why": trial.user_attrs.get(WHY, "")}
    return {"number": trial.number, "state": trial.state.name.lower(), "score": score, **told, **trial.params}


def _name(demand: Demand, space: Space, task: Task, plans: list[Plan], loss: str, seed: int) -> str:
    """A study belongs to its data, space, task and folds: another of them is another study."""
    cutoffs = [str(moment) for plan in plans for moment in (plan.cutoffs[0], plan.cutoffs[-1])]
    parts = [space.model_dump_json(), task.model_dump_json(), demand.digest, *cutoffs, loss, str(seed)]
    return f"{space.recipe.name}-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:16]}"
