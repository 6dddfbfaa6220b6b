"""What earlier runs have learned: found by data, plan and recipe, and used again while it is whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import steps
from forecast import __version__
from forecast.errors import ModelFolderError
from forecast.forecaster import verify
from forecast.recipe import Recipe
from forecast.recipes import named

if TYPE_CHECKING:
    from forecast.retraining import RetrainingPlan

Job = tuple[Any, dict[str, Any]]  # a Prefect task and its parameters


@dataclass(frozen=True)
class Kept:
    """Places and keys below one work folder.

    Attributes:
        work: the folder.
        digest: of the table.
        plan: of the retraining.
        fresh: use nothing again.
    """

    work: Path
    digest: str
    plan: RetrainingPlan
    fresh: bool = False

    @property
    def judged(self) -> Path:
        """Where the judgement on all candidates goes."""
        every = [self.plan.chosen[name].model_dump(mode="json") for name in sorted(self.plan.chosen)]
        return self.work / "judged" / self._key(every)[:16]

    def walk(self, table: Path, text: str) -> Job:
        """The walk of the recipe that a text names."""
        recipe = named(text)
        key = self._key(recipe.model_dump(mode="json"))
        place = f"walks/{key[:16]}"
        asked = {"recipe": text, "plan": self.plan, "place": place, "key": f"walk-{key}"}
        return self._job(steps.walk, self._walked(place, recipe), table, asked)

    def train(self, table: Path, judgement: Path, winner: str) -> Job:
        """The training of the winner on everything."""
        key = self._key(self.plan.chosen[winner].model_dump(mode="json"))
        place = f"winners/{key[:16]}"
        asked = {"judgement": judgement, "winner": winner, "plan": self.plan, "place": place, "key": f"winner-{key}"}
        return self._job(steps.train, _whole(self.work / place / "winner"), table, asked)

    def _job(self, task: Any, is_there: bool, table: Path, asked: dict[str, Any]) -> Job:
        """A task that runs unless its result is there; Prefect would trust a path whose folder is gone."""
        again = True if self.fresh or not is_there else None
        bound = task.with_options(refresh_cache=again, result_storage=self.work / "results")
        return bound, {"table": table, "work": self.work, **asked}

    def _walked(self, place: str, recipe: Recipe) -> bool:
        folder = self.work / place / recipe.name
        folds = list(folder.glob("fold-*"))
        return (folder / "walk.parquet").is_file() and bool(folds) and all(map(_whole, folds))

    def _key(self, recipes: Any) -> str:
        """Everything that changes what is learned; which other recipes take part does not."""
        asked = [__version__, self.digest, self.plan.model_dump(mode="json", exclude={"recipes"}), recipes]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _whole(folder: Path) -> bool:
    """Whether a model folder is as it was written, with its training's report."""
    try:
        verify(folder)
    except ModelFolderError:
        return False
    return (folder / "report.json").is_file()
