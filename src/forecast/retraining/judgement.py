"""Who won, and whether the winner takes the champion's place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict

from forecast import metrics
from forecast.comparison import STANDARD, Ranking, Verdict, compare, rank
from forecast.errors import ForecastError
from forecast.forecaster import Forecaster
from forecast.registry import reader
from forecast.retraining.kept import JUDGEMENT, WALK, folds_of, trained_until
from forecast.retraining.plan import REFERENCE, RetrainingPlan
from forecast.settings import Settings
from forecast.tables import Demand, load_demand

CHAMPION = "champion"
FIRST = Verdict(
    challenger=REFERENCE, champion=REFERENCE, promote=True,
    reasons=("Nothing reigned and no candidate could be promoted, so the seasonal naive serves until one can.",),
)  # fmt: skip


class Judgement(BaseModel):
    """Who won, and whether the winner takes the champion's place.

    Attributes:
        winner: the candidate with the lowest loss on the walk among those that beat the seasonal naive without breaking
            a guard. Where none does: the seasonal naive, or, where a champion reigns, whoever has the lowest loss, so
            that the days to come can tell whether that is chance.
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


def judge(table: Path, folders: Sequence[Path], plan: RetrainingPlan, settings: Settings, work: Path) -> Path:
    """Compares the recipes with each other and the best with the reigning champion; returns the `Judgement`'s path."""
    demand = plan.known(load_demand(table))
    walks = pd.concat([pd.read_parquet(folder / WALK) for folder in folders], ignore_index=True)
    ends = {folder.name: trained_until(folder) for folder in folders}
    spec = Forecaster.load(folds_of(folders[0])[0]).spec
    known: dict[str, Any] = {
        "scales": spec.scales,
        "zones": demand.zones,
    }
    ranking = rank(walks, REFERENCE, trained_until=ends, **known)
    winner, passed_over = _best(ranking)
    champion = _champion(settings)
    version = None
    if champion is not None:
        # Where nobody beats the naive beyond chance, the days to come tell whether the lowest loss was chance.
        winner = winner if winner != REFERENCE else next(iter(ranking.losses))
        version, walks, verdict = _against_champion(champion, winner, walks, ends, demand, plan, known)
    else:
        verdict = ranking.verdicts[winner] if winner != REFERENCE else FIRST
    verdict = verdict.model_copy(update={"reasons": (*verdict.reasons, *passed_over)})
    scores = metrics.score(walks, **known)
    judgement = Judgement(
        winner=winner, verdict=verdict, against=CHAMPION if champion is not None else REFERENCE,
        scores={str(name): {str(key): finite(value) for key, value in row.items()} for name, row in scores.iterrows()},
        champion_version=version,
    )  # fmt: skip
    walks.to_parquet(work / WALK, index=False)
    # Not pydantic's own JSON: it writes a figure that could not be had (NaN) as null, and then refuses the null.
    (work / JUDGEMENT).write_text(json.dumps(judgement.model_dump(), indent=1), encoding="utf-8")
    return work / JUDGEMENT


def _best(ranking: Ranking) -> tuple[str, tuple[str, ...]]:
    """The best candidate that may be promoted, and a sentence on each one before it that may not."""
    passed_over: list[str] = []
    for name in ranking.losses:
        if name == REFERENCE:
            break
        verdict = ranking.verdicts[name]
        if verdict.promote:
            return name, tuple(passed_over)
        refusals = " ".join(reason for reason in verdict.reasons if reason.startswith("refused"))
        passed_over.append(f"{name} has a lower loss but was {refusals}")
    return REFERENCE, tuple(passed_over)


def read_judgement(path: Path) -> Judgement:
    """The judgement that `judge` wrote."""
    return Judgement.model_validate_json(path.read_text(encoding="utf-8"))


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
    # The same weeks chose the winner among several, so it must convince by that much more.
    strict = STANDARD.model_copy(update={"significance": STANDARD.significance / max(1, len(ends) - 1)})
    verdict = compare(both, winner, name, trained_until={winner: ends[winner], name: learned}, guards=strict, **known)
    return version, both, verdict


def finite(value: object) -> float | None:
    """A figure, None where it could not be had."""
    return None if pd.isna(value) else float(value)  # type: ignore[arg-type]
