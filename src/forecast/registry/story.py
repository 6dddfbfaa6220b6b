"""`Story`: what all parts of a retraining's report share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.errors import RegistryError
from forecast.metrics import score
from forecast.recipe import Task
from forecast.registry.card import model_card
from forecast.registry.models import Verdict
from forecast.registry.runs import dataset_name
from forecast.registry.words import recipe_note, weather_of, with_skill
from forecast.tables import Demand

if TYPE_CHECKING:
    from forecast.training import Fitted


@dataclass(frozen=True)
class Story:
    """What all parts of the report share."""

    demand: Demand
    task: Task
    table: pd.DataFrame
    fitted: Mapping[str, Fitted]
    folds: Mapping[str, Sequence[Fitted]]
    scores: pd.DataFrame
    winner: str | None
    verdict: Verdict | None
    weather: str

    @property
    def zones(self) -> dict[str, str]:
        return self.demand.zones

    def note(self, model: str) -> str:
        """A recipe's page; it says when what is logged has learned from the walked days, too."""
        one, walked = self.fitted[model], self.table["cutoff"].max()
        learned = pd.Timestamp(one.forecaster.spec.trained_until)
        return recipe_note(one.forecaster.spec, self.figures(model), one.report.gradient_health, again=learned > walked)

    def card(self, model: str) -> str:
        """The card of the version that a recipe becomes."""
        one, walked = self.fitted[model], self.table[self.table["model"] == model]
        spec, measured = one.forecaster.spec, self.table["cutoff"].max()
        return model_card(
            spec, figures=self.figures(model), scores=self.scores, walked=walked[walked["y"].notna()], zones=self.zones,
            data=dataset_name(self.demand), again=pd.Timestamp(spec.trained_until) > measured,
            gradient_health=one.report.gradient_health,
        )  # fmt: skip

    def figures(self, model: str) -> dict[str, float]:
        if model not in self.scores.index:
            return {}
        return {str(name): float(value) for name, value in self.scores.loc[model].items() if np.isfinite(value)}


def story_of(
    demand: Demand, task: Task, table: pd.DataFrame, fitted: Mapping[str, Fitted],
    folds: Mapping[str, Sequence[Fitted]], scores: pd.DataFrame | None, verdict: Verdict | None, winner: str | None,
) -> Story:  # fmt: skip
    complete = with_skill(scores if scores is not None else score(table, scales=_scales(fitted), zones=demand.zones))
    rivals = complete.loc[[name for name in complete.index if name in fitted], "mae"].dropna()
    best = str(rivals.idxmin()) if len(rivals) else None
    chosen = winner or getattr(verdict, "challenger", None) or best
    if chosen is not None and chosen not in fitted:
        raise RegistryError(f"the winner '{chosen}' is not among the fitted", f"one of {', '.join(fitted)}")
    weather = weather_of([one.forecaster.spec.weather for one in fitted.values()])
    return Story(demand, task, table, fitted, folds, complete, chosen, verdict, weather)


def subject(demand: Demand) -> str:
    """Whom the retraining is about: the one series, else the source."""
    return demand.series[0].unique_id if len(demand.series) == 1 else dataset_name(demand).split(".")[0]


def _scales(fitted: Mapping[str, Fitted]) -> dict[str, float]:
    for one in fitted.values():
        return one.forecaster.spec.scales
    return {}
