"""A retraining in steps that hand each other folders: take the table, walk recipes, judge, train the winner, publish.

The flow, the demo and the tests run these same steps; each reads and writes plain files below one work folder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from forecast import calendars, clock, metrics
from forecast.backtest import Plan, WalkProgress, walk
from forecast.comparison import Verdict, compare, rank
from forecast.errors import ForecastError, NotEnoughHistory, RecipeError
from forecast.forecaster import Forecaster
from forecast.recipe import Recipe, Task
from forecast.recipes import named
from forecast.registry import reader
from forecast.registry.report import RetrainingLog, log_retraining
from forecast.settings import Settings
from forecast.sources import Declaration, read
from forecast.tables import Demand, load_demand, save_demand
from forecast.training import Fitted, Progress, TrainingReport, fit
from forecast.windows import origins_every, training_origins_at

REFERENCE = "seasonal_naive_week"
CHAMPION = "champion"
WALK, REPORT, JUDGEMENT = "walk.parquet", "report.json", "judgement.json"


class RetrainingPlan(BaseModel):
    """What a retraining does.

    Attributes:
        recipes: the candidates; the weekly seasonal naive always stands beside them.
        weeks: the walk covers the last weeks of the data.
        every, gate, horizon, refit: the walk's moments, as on the command line.
        until: learn and walk only with what was known at this stamp (aware); all of it where None.
        train_every: at which moments networks are trained; the walk's where None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipes: tuple[str, ...] = ("lstm", "gru", "attention", "ridge")
    weeks: int = Field(4, ge=1)
    every: str = "1d"
    gate: str | None = None
    horizon: int | None = Field(None, ge=1)
    refit: str | int = "never"
    until: str | None = None
    train_every: str | None = None

    @property
    def candidates(self) -> tuple[str, ...]:
        """The recipes and the reference."""
        return tuple(dict.fromkeys([*self.recipes, REFERENCE]))

    @property
    def chosen(self) -> dict[str, Recipe]:
        """The candidates' recipes by name; raises RecipeError where one cannot be built or two share a name."""
        by_name = {recipe.name: recipe for recipe in map(named, self.candidates)}
        if len(by_name) < len(self.candidates):
            raise RecipeError(f"two of {', '.join(self.candidates)} have one name", "a name for each", "rename one")
        return by_name

    def known(self, demand: Demand) -> Demand:
        """The table as the retraining may see it."""
        return demand if self.until is None else demand.as_of(self.until)

    def walk_plan(self, demand: Demand) -> Plan:
        """The cutoffs of the last weeks, each with its whole horizon measured."""
        known, one = self.known(demand), demand.series[0]
        end = known.last_known_end() - known.delay
        # Civil days are counted without a zone: one that the clock shortens is a day too.
        last = (end.tz_convert(clock.zone(one.zone)).tz_localize(None) - pd.Timedelta(days=1)).normalize()
        first = last - pd.Timedelta(days=7 * self.weeks - 1)
        plan = Plan.of(
            str(first.date()), str(last.date()), self.every, one.zone, demand.step, horizon=self.horizon, gate=self.gate
        )  # fmt: skip
        measured = plan.measured_until(end, demand.step)
        if measured.cutoffs.empty:
            raise NotEnoughHistory(f"no forecast issued since {first.date()} is measured to its end", "one at least")
        return measured

    def task(self, demand: Demand) -> Task:
        """What the forecasters are trained for."""
        gate = self.gate if self.train_every is None else None
        return Task(horizon=self.walk_plan(demand).horizon, every=self.train_every or self.every, gate=gate)


class Judgement(BaseModel):
    """Who won, and whether the winner takes the champion's place.

    Attributes:
        winner: the candidate with the lowest loss on the walk.
        scores: per model, the figures of `metrics.score`.
        verdict: on the winner against the champion, or against the seasonal naive where there is none.
        against: "champion" or the seasonal naive's name.
        champion_version: of the reigning champion.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    winner: str
    scores: dict[str, dict[str, float | None]]
    verdict: Verdict
    against: str
    champion_version: str | None = None

    @property
    def table(self) -> pd.DataFrame:
        """The scores as a frame, one row per model."""
        return pd.DataFrame.from_dict(self.scores, orient="index").astype(float).rename_axis("model")


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
    """Walks one recipe forward over the last weeks.

    Returns:
        the recipe's folder: `walk.parquet`, and per fold a model folder with its `report.json`.
    """
    demand = plan.known(load_demand(table))
    chosen = named(recipe)
    fits = {chosen.name: partial(fit, recipe=chosen, task=plan.task(demand), progress=training)}
    walked = walk(demand, fits, plan.walk_plan(demand), refit=plan.refit, progress=progress)
    folder = work / chosen.name
    folder.mkdir(parents=True, exist_ok=True)
    for number, fitted in enumerate(walked.fitted[chosen.name]):
        save_fitted(fitted, folder / f"fold-{number:03d}")
    walked.table.to_parquet(folder / WALK, index=False)
    return folder


def judge(table: Path, folders: Sequence[Path], plan: RetrainingPlan, settings: Settings, work: Path) -> Path:
    """Compares the recipes with the reigning champion, else with the seasonal naive; returns the `Judgement`'s path."""
    demand = plan.known(load_demand(table))
    walks = pd.concat([pd.read_parquet(folder / WALK) for folder in folders], ignore_index=True)
    ends = {folder.name: _trained_until(folder) for folder in folders}
    spec = Forecaster.load(_folds(folders[0])[0]).spec
    known: dict[str, Any] = {
        "scales": {name: scale for name, scale in spec.seasonal_scale.items() if scale is not None},
        "zones": {one.unique_id: one.zone for one in demand.series},
    }
    ranking = rank(walks, REFERENCE, trained_until=ends, **known)
    winner = min(ranking.losses, key=lambda name: ranking.losses[name])
    champion = _champion(settings)
    version = None
    if champion is not None:
        version, walks, verdict = _against_champion(champion, winner, walks, ends, demand, plan, known)
    elif winner == REFERENCE:
        verdict = ranking.verdict or Verdict(challenger=winner, champion=REFERENCE, promote=False, reasons=())
    else:
        verdict = ranking.verdicts[winner]
    scores = metrics.score(walks, **known)
    judgement = Judgement(
        winner=winner, verdict=verdict, against=CHAMPION if champion is not None else REFERENCE,
        scores={str(name): {str(key): _finite(value) for key, value in row.items()} for name, row in scores.iterrows()},
        champion_version=version,
    )  # fmt: skip
    walks.to_parquet(work / WALK, index=False)
    # Not pydantic's own JSON: it writes a figure that could not be had (NaN) as null, and then refuses the null.
    (work / JUDGEMENT).write_text(json.dumps(judgement.model_dump(), indent=1), encoding="utf-8")
    return work / JUDGEMENT


def train_winner(
    table: Path, judgement: Path, plan: RetrainingPlan, work: Path, *, progress: Progress | None = None
) -> Path:
    """Trains the winning recipe on everything known, what the registry will serve; returns its model folder."""
    demand = plan.known(load_demand(table))
    winner = plan.chosen[read_judgement(judgement).winner]
    fitted = fit(demand, winner, plan.task(demand), checkpoint=work / "checkpoints", progress=progress)
    folder = work / "winner"
    save_fitted(fitted, folder)
    return folder


def publish(
    table: Path, folders: Sequence[Path], judgement: Path, winner: Path, plan: RetrainingPlan, settings: Settings,
    title: str | None = None,
) -> RetrainingLog:  # fmt: skip
    """Logs the whole retraining to MLflow, registers the winner, and moves the aliases as the verdict says."""
    demand = plan.known(load_demand(table))
    judged = read_judgement(judgement)
    folds = {folder.name: [load_fitted(fold) for fold in _folds(folder)] for folder in folders}
    fitted = {name: every[-1] for name, every in folds.items()} | {judged.winner: load_fitted(winner)}
    walks = pd.read_parquet(judgement.parent / WALK)
    several = {name: every for name, every in folds.items() if len(every) > 1}
    return log_retraining(
        settings, demand=demand, task=plan.task(demand), walk_table=walks, fitted=fitted, scores=judged.table,
        verdict=judged.verdict, winner=judged.winner, title=title, folds=several,
    )  # fmt: skip


def read_judgement(path: Path) -> Judgement:
    """The judgement that `judge` wrote."""
    return Judgement.model_validate_json(path.read_text(encoding="utf-8"))


def save_fitted(fitted: Fitted, folder: Path) -> None:
    """A forecaster's folder with how it was trained beside it."""
    fitted.forecaster.save(folder)
    (folder / REPORT).write_text(json.dumps(vars(fitted.report)), encoding="utf-8")


def load_fitted(folder: Path) -> Fitted:
    """What `save_fitted` wrote."""
    report = TrainingReport(**json.loads((folder / REPORT).read_text(encoding="utf-8")))
    return Fitted(Forecaster.load(folder), report)


def _folds(folder: Path) -> list[Path]:
    return sorted(folder.glob("fold-*"))


def _trained_until(folder: Path) -> pd.Timestamp:
    """The end of the first fold's training: every scored cutoff lies behind its own fold's."""
    return pd.Timestamp(Forecaster.load(_folds(folder)[0]).spec.trained_until)


def _champion(settings: Settings) -> tuple[str, Forecaster] | None:
    """The reigning champion and its version; None where nothing reigns."""
    # A registry that does not answer is an error, never "nothing reigns": a winner would be promoted unjudged.
    if CHAMPION not in reader.aliases(settings):
        return None
    found = reader.resolve(f"models:/{settings.model_name}@{CHAMPION}", settings)
    return str(found.version), Forecaster.load(found.folder)


def _against_champion(
    champion: tuple[str, Forecaster], winner: str, walks: pd.DataFrame, ends: dict[str, pd.Timestamp], demand: Demand,
    plan: RetrainingPlan, known: dict[str, Any],
) -> tuple[str, pd.DataFrame, Verdict]:  # fmt: skip
    """Lets the champion answer the cutoffs that it was not trained on, and judges the winner against it there."""
    version, forecaster = champion
    name = f"{CHAMPION} (version {version})"
    learned = pd.Timestamp(forecaster.spec.trained_until)
    every = plan.walk_plan(demand)
    fair = [place for place, cutoff in enumerate(every.cutoffs) if cutoff >= learned]
    refused = Verdict(challenger=winner, champion=name, promote=False, reasons=())
    if not fair:
        told = f"refused: {name} learned from data up to {learned:%Y-%m-%d %H:%M}Z, and no walked cutoff is later"
        return version, walks, refused.model_copy(update={"reasons": (f"{told}; retrain when there is newer data.",)})
    spans = [every.spans[place] for place in fair] if every.spans is not None else None
    try:
        said = forecaster.predict(demand, every.cutoffs[fair], horizon=every.horizon, spans=spans)
    except ForecastError as error:
        told = f"refused: {name} cannot answer this data ({error})"
        return version, walks, refused.model_copy(update={"reasons": (told,)})
    actual = walks.drop_duplicates(["unique_id", "ds"])[["unique_id", "ds", "y"]]
    rows = said.frame.assign(model=name).merge(actual, on=["unique_id", "ds"], how="inner")
    both = pd.concat([walks, rows[[column for column in walks.columns if column in rows]]], ignore_index=True)
    verdict = compare(both, winner, name, trained_until={winner: ends[winner], name: learned}, **known)
    return version, both, verdict


def _finite(value: object) -> float | None:
    return None if pd.isna(value) else float(value)  # type: ignore[arg-type]

