"""A search in MLflow: a run of its own, and below it one per trial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial

from forecast.recipe import Recipe, Task
from forecast.registry.runs import Run, demand_tags, recipe_params, running
from forecast.registry.store import Store, open_store
from forecast.search.space import Space
from forecast.settings import Settings
from forecast.tables import Demand

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

RUN, LOGGED = "run_id", "logged"
NAME_LENGTH = 120
NOTE = """A search for a recipe. Its scores **chose**, so none of them is a test figure.

`score` is the geometric mean over the inner folds of the scaled loss; children are the trials, pruned ones included.
"""


@dataclass(frozen=True, eq=False)
class Record:
    """What a search writes down; without a run it writes nothing.

    Attributes:
        study: remembers which trials are logged.
        run: the search's run.
        space, task: for the trials' parameters.
    """

    study: optuna.Study
    run: Run | None
    space: Space
    task: Task

    @property
    def run_id(self) -> str | None:
        """Of the search in MLflow."""
        return self.run.run_id if self.run is not None else None

    def catch_up(self, trials: Sequence[FrozenTrial]) -> None:
        """Logs trials that were settled and not yet logged when the process ended."""
        for trial in trials:
            self.trial(trial)

    def trial(self, trial: FrozenTrial) -> None:
        """A run below the search's: the recipe's knobs, the score, the folds."""
        logged = list(self.study.user_attrs.get(LOGGED, []))
        if self.run is None or trial.number in logged:
            return
        tried = _tried(trial.params)
        told = {"kind": "trial", "state": trial.state.name.lower(), "why": trial.user_attrs.get("why", "")}
        name = f"trial {trial.number} · {tried}" if tried else f"trial {trial.number}"
        with self.run.child(name[:NAME_LENGTH], tags={**told, "tried": tried}) as child:
            child.params(_params(self.space, self.task, trial.params))
            folds = list(trial.user_attrs.get("folds", []))
            child.metrics({"score": trial.value if told["state"] == "complete" else None})
            child.curve("fold_score", dict(enumerate(folds, start=1)))
        self.study.set_user_attr(LOGGED, [*logged, trial.number])

    def finish(self, recipe: Recipe, figures: Mapping[str, float | None]) -> None:
        """The chosen recipe and its inner figures."""
        if self.run is None:
            return
        self.run.document(recipe.model_dump(mode="json"), "chosen")
        self.run.metrics(figures)
        self.run.note(NOTE)


@contextmanager
def recording(
    study: optuna.Study, settings: Settings | None, parent: Run | None, demand: Demand, space: Space, task: Task,
    about: Mapping[str, object],
) -> Iterator[Record]:  # fmt: skip
    """The record of a search; a study that goes on, goes on in its own run."""
    if settings is None:
        yield Record(study, None, space, task)
        return
    tags = {**demand_tags(demand), "kind": "search", "recipe": space.recipe.name}
    if parent is not None:
        tags["mlflow.parentRunId"] = parent.run_id
    with kept_run(study, settings, f"search {space.recipe.name}", tags, about) as run:
        yield Record(study, run, space, task)


@contextmanager
def kept_run(
    study: optuna.Study, settings: Settings, name: str, tags: Mapping[str, object], about: Mapping[str, object]
) -> Iterator[Run]:
    """The run that a study remembers, opened again; a new one where there is none."""
    store = open_store(settings, "search")
    known = study.user_attrs.get(RUN)
    again = known is not None and _stands(store, str(known))
    room: AbstractContextManager[Run] = _again(store, str(known), name) if again else running(store, name, tags)
    with room as run:
        if not again:
            study.set_user_attr(RUN, run.run_id)
            study.set_user_attr(LOGGED, [])
            run.params({name: value for name, value in about.items() if name != "trials"})
        run.tags({"trials": about["trials"]} if "trials" in about else {})
        yield run


@contextmanager
def _again(store: Store, run_id: str, name: str) -> Iterator[Run]:
    store.client.update_run(run_id, status="RUNNING")
    status = "FAILED"
    try:
        yield Run(store, run_id, name)
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        store.client.set_terminated(run_id, status)


def _stands(store: Store, run_id: str) -> bool:
    """Whether the run still exists: somebody may have deleted it, or named another store."""
    from mlflow.exceptions import MlflowException

    try:
        return bool(store.client.get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException:
        return False


def _tried(params: Mapping[str, object]) -> str:
    """What a trial changes, by the last part of each knob's name: "rate 0.003, width 48"."""
    return ", ".join(
        f"{name.rsplit('.', 1)[-1]} {value:.3g}" if isinstance(value, float) else f"{name.rsplit('.', 1)[-1]} {value}"
        for name, value in params.items()
    )


def _params(space: Space, task: Task, params: Mapping[str, object]) -> dict[str, object]:
    """A trial's knobs; values that contradict each other make no recipe and are logged as they are."""
    from forecast.errors import RecipeError

    try:
        return recipe_params(space.apply(dict(params)), task)  # type: ignore[arg-type]
    except RecipeError:
        return dict(params)
