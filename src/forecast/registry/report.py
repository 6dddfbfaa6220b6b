"""`log_retraining`: a whole retraining in MLflow with one call, shared by the flow, the demo and the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecast.metrics import score, sliced
from forecast.quality import examine
from forecast.recipe import Task
from forecast.registry.explained import log_explanation
from forecast.registry.listing import aliases
from forecast.registry.models import Verdict, example_inputs, log_forecaster, promote, register
from forecast.registry.pages import ui_of, version_page
from forecast.registry.purposes import Purpose
from forecast.registry.quality import log_quality
from forecast.registry.runs import Run, dataset_name, recipe_params, retraining
from forecast.registry.store import NOTE
from forecast.registry.story import Story, story_of, subject
from forecast.registry.words import retraining_note
from forecast.settings import Settings
from forecast.tables import Demand

if TYPE_CHECKING:
    from forecast.backtest import Walk
    from forecast.training import Fitted

SLICED = ("lead", "hour", "day_type", "season")
VERSION_SCORES = ("mae", "rmse", "mape", "coverage_80", "skill_vs_naive")


@dataclass(frozen=True)
class RetrainingLog:
    """Where a retraining stands in MLflow.

    Attributes:
        run_id: of the parent.
        children: run id by recipe.
        models: MLflow's model URI by recipe.
        winner: the recipe that was registered; None where nothing was.
        version: its registered version.
        promoted: whether it is champion now.
        urls: pages of the UI: "retraining", "compare", "version"; on `make ui`'s address for a local store.
    """

    run_id: str
    children: dict[str, str] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    winner: str | None = None
    version: str | None = None
    promoted: bool = False
    urls: dict[str, str] = field(default_factory=dict)


def log_retraining(
    settings: Settings, *, demand: Demand, task: Task, walk_table: pd.DataFrame, fitted: Mapping[str, Fitted],
    scores: pd.DataFrame | None = None, verdict: Verdict | None = None, winner: str | None = None,
    title: str | None = None, folds: Mapping[str, Sequence[Fitted]] | None = None, enlist: bool = True,
    tags: Mapping[str, object] | None = None,
) -> RetrainingLog:  # fmt: skip
    """Logs recipes, walk, figures and models; registers the winner and moves the aliases as the verdict says.

    Without a verdict the winner becomes champion only where there is none and it beat the seasonal naive.

    Args:
        settings: which store and registered model.
        demand: the table that all were trained on.
        task: what they were asked.
        walk_table: every model's forecasts, as `backtest.walk` writes them.
        fitted: what would serve, by name.
        scores: one row per model, as `metrics.score` gives them; taken from the walk where None.
        verdict: on the winner against the reigning champion.
        winner: who is registered; the verdict's challenger, else the lowest MAE among `fitted` where None.
        title: of the parent run; made from the walk's month and the data where None.
        folds: what was fitted in each fold, by name; a run each.
        enlist: register the winner at all.
        tags: more about the parent run.

    Raises:
        RegistryError: the store cannot be opened or refuses.
    """
    story = story_of(demand, task, walk_table, fitted, folds or {}, scores, verdict, winner)
    name = title or f"{walk_table['cutoff'].max():%Y-%m} {subject(demand)} retraining"
    said = {"weather": story.weather, **({"winner": story.winner} if story.winner else {}), **(tags or {})}
    log = RetrainingLog("")
    purpose: Purpose = "retraining" if enlist else "backtest"
    with retraining(settings, name=name, demand=demand, task=task, tags=said, purpose=purpose) as run:
        children, models = {}, {}
        # The UI lists the newest first, so the best recipe is logged last.
        for model in sorted(fitted, key=lambda one: -story.figures(one).get("mae", np.inf)):
            with run.child(model, tags=_recipe_tags(fitted[model])) as child:
                logged = _log_recipe(child, story, model)
            children[model], models[model] = child.run_id, logged
        _log_parent(run, story)
        log = RetrainingLog(run.run_id, children, {one: each.uri for one, each in models.items()}, urls=_urls(run))
        if enlist and story.winner is not None:
            return _enlist(log, story, settings, models[story.winner], run, titled=title is not None)
    return log


def log_walk(
    settings: Settings, *, demand: Demand, task: Task, walked: Walk, scores: pd.DataFrame | None = None,
    title: str | None = None,
) -> RetrainingLog:  # fmt: skip
    """Logs a walk that serves for judging only: nothing is registered, no alias moves.

    Raises:
        RegistryError: the store cannot be opened.
    """
    fitted = {name: each[-1] for name, each in walked.fitted.items()}
    return log_retraining(
        settings, demand=demand, task=task, walk_table=walked.table, fitted=fitted, scores=scores, title=title,
        folds=walked.fitted, enlist=False,
    )  # fmt: skip


def _recipe_tags(fitted: Fitted) -> dict[str, object]:
    spec = fitted.forecaster.spec
    return {
        "kind": "recipe", "recipe": spec.name, "model_kind": spec.recipe.model.kind, "weather": spec.weather,
        "trained_until": spec.trained_until,
    }  # fmt: skip


def _log_recipe(run: Run, story: Story, model: str) -> Any:
    """One recipe's run: parameters, curves, figures of merit, slices, pictures, the model."""
    fitted, figures = story.fitted[model], story.figures(model)
    spec, report = fitted.forecaster.spec, fitted.report
    run.params(recipe_params(spec.recipe, spec.task))
    run.tags({"data": dataset_name(story.demand), "series": ", ".join(spec.series[:3])})
    run.note(story.note(model))
    run.dataset(story.demand)
    run.document(spec.recipe.model_dump(mode="json"), "recipe")
    logged = log_forecaster(run, fitted.forecaster, example_inputs(story.demand, spec))
    costs = {"training_seconds": report.seconds, "best_epoch": float(report.best_epoch)}
    run.metrics({**figures, **costs}, model_id=logged.model_id, demand=story.demand)
    run.epochs(report.history)
    mine = story.table[story.table["model"] == model]
    if len(mine):
        _log_slices(run, mine, story.zones)
        _draw_recipe(run, story, mine, model)
    for number, one in enumerate(story.folds.get(model, ()), start=1):
        begun = f"{pd.Timestamp(one.forecaster.spec.trained_until):%Y-%m-%d}"
        with run.child(
            f"{model} · fold {number}, learned until {begun}", tags={"kind": "fold", **_recipe_tags(one)}
        ) as fold:
            fold.epochs(one.report.history)
            fold.metrics({"training_seconds": one.report.seconds, **_fold_figures(mine, story, model, number)})
    return logged


def _fold_figures(mine: pd.DataFrame, story: Story, model: str, number: int) -> dict[str, float]:
    """A fold's own figures: its cutoffs run from its training's end to the next fold's."""
    ends = [pd.Timestamp(one.forecaster.spec.trained_until) for one in story.folds[model]]
    last = ends[number] if number < len(ends) else pd.Timestamp.max.tz_localize("UTC")
    part = mine[(mine["cutoff"] >= ends[number - 1]) & (mine["cutoff"] < last)]
    if part.empty or not part["y"].notna().any():
        return {}
    row = score(part, zones=story.zones).iloc[0]
    return {str(name): float(value) for name, value in row.items()}


def _log_slices(run: Run, mine: pd.DataFrame, zones: Mapping[str, str]) -> None:
    """Tables of all slices; by lead and hour also as curves whose steps are leads and hours."""
    for by in SLICED:
        slices = sliced(mine, by, zones=zones)
        run.table(slices.drop(columns="model"), f"by {by.replace('_', ' ')}")
        values = list(zip(slices["slice"], slices["mae"], strict=True))
        if by in ("lead", "hour"):
            run.curve(f"slices/mae_by_{by}", {int(place): float(value) for place, value in values})
        elif by == "day_type":
            run.metrics({f"slices/mae_{str(place).lower()}": float(value) for place, value in values})


def _draw_recipe(run: Run, story: Story, mine: pd.DataFrame, model: str) -> None:
    from forecast import plots

    unit, one = story.demand.unit, story.demand.series[0]
    ours = mine[mine["unique_id"] == one.unique_id]
    known = ours[ours["y"].notna()]
    if len(known):
        last = ours[ours["cutoff"] == known["cutoff"].max()]
        run.figure(
            plots.fan_chart(_history(story.demand), last, last[["ds", "y"]], title=f"The last forecast of {model}",
                            unit=unit, zone=one.zone), "fan chart",
        )  # fmt: skip
        log_explanation(run, story.fitted[model].forecaster, story.demand, last["cutoff"].iloc[0])
    run.figure(plots.error_by_lead_and_hour(mine, zones=story.zones, unit=unit), "error by lead and hour")
    run.figure(plots.calibration_diagram(mine, zones=story.zones), "calibration")
    norms = story.fitted[model].report.gradient_by_lag
    if np.any(np.nan_to_num(norms) > 0):
        run.figure(plots.gradient_report({model: norms}), "gradient by lag")


def _history(demand: Demand) -> pd.DataFrame:
    one = demand.series[0]
    return pd.DataFrame({"ds": demand.stamps(one), "y": demand.observed(one) * demand.output_factor}).dropna()


def _log_parent(run: Run, story: Story) -> None:
    """The retraining's own page: everybody side by side, the winner's figures as its own."""
    from forecast import plots

    unit = story.demand.unit
    reasons = [str(reason) for reason in story.verdict.reasons] if story.verdict is not None else []
    run.note(retraining_note(story.demand, story.task, story.scores, story.winner, reasons, story.weather))
    run.table(story.scores.sort_values("mae").reset_index(names="model"), "comparison")
    run.parquet(story.table, "walk")
    log_quality(run, story.demand, examine(story.demand))
    if story.winner is not None:
        run.metrics(story.figures(story.winner), demand=story.demand)
    if story.scores["mae"].notna().any():
        bars = plots.comparison_bars(story.scores, unit=unit, winner=story.winner, subtitle=f"weather: {story.weather}")
        run.figure(bars, "comparison")
    run.figure(plots.error_by_lead_and_hour(story.table, zones=story.zones, unit=unit), "error by lead and hour")
    run.figure(plots.calibration_diagram(story.table, zones=story.zones), "calibration")
    norms = {name: one.report.gradient_by_lag for name, one in story.fitted.items() if one.report.gradient_by_lag}
    if any(np.any(np.nan_to_num(values) > 0) for values in norms.values()):
        run.figure(plots.gradient_report(norms), "gradient by lag")


def _enlist(
    log: RetrainingLog, story: Story, settings: Settings, logged: Any, run: Run, *, titled: bool
) -> RetrainingLog:
    assert story.winner is not None
    figures = story.figures(story.winner)
    number = register(
        logged, settings, scores={name: figures[name] for name in VERSION_SCORES if name in figures},
        tags={"weather": story.weather, "data": dataset_name(story.demand), "unit": story.demand.unit},
        description=story.card(story.winner),
    )  # fmt: skip
    promoted = False
    if story.verdict is not None:
        promoted = promote(number, story.verdict, settings, by=run.name if titled else "retraining")
    elif figures.get("skill_vs_naive", -1.0) > 0 and "champion" not in aliases(settings):
        promoted = promote(number, None, settings, first=True)
    word = "promoted" if promoted else "not promoted"
    run.tags({"verdict": word, "version": number})
    Run(run.store, log.children[story.winner], story.winner).tags({"verdict": word, "version": number})
    page = version_page(settings, number)
    _headline(run, f"**{story.winner} is [version {number}]({page}) and {word}.**")
    if not titled:
        run.rename(f"{run.name} · {story.winner} v{number} {word}")
    return RetrainingLog(
        log.run_id, log.children, log.models, story.winner, number, promoted, {**log.urls, "version": page}
    )


def _headline(run: Run, text: str) -> None:
    """The outcome above everything else on a run's page."""
    before = run.store.client.get_run(run.run_id).data.tags.get(NOTE, "")
    run.note(f"{text}\n\n{before}")


def _urls(run: Run) -> dict[str, str]:
    ui = ui_of(run.store.settings)
    return {"retraining": f"{ui}/{run.link}", "compare": f"{ui}/{run.store.compare_link}"}
