"""The last known value of the same local hour. B windows, H steps, Q levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, cast

import numpy as np

from forecast.features import Features, Inputs
from forecast.forecaster.models import Arrays, Floats
from forecast.recipe import SeasonalNaiveModel


@dataclass(frozen=True, eq=False)
class SeasonalNaive:
    """The last known value of the same local hour: a day back or a week back, the next best where that is missing.

    Attributes:
        order: columns of the future to look at, the first known one is said.
        levels: number of quantile levels (all say the same until calibrated).
        resort: what is said when nothing at all is known, in mean power.
    """

    order: tuple[int, ...]
    levels: int
    resort: float
    kind = "seasonal_naive"

    @classmethod
    def fit(cls, config: SeasonalNaiveModel, features: Features, inputs: Inputs, levels: tuple[float, ...]) -> Self:
        """Nothing to learn but where to look, and a typical level for a meter without history."""
        week = ["y, same hour, a week back", "y, same hour, two weeks back"]
        day = [f"y, same hour, {rank + 1}. day back" for rank in range(features.config.same_hour_days)]
        wanted = [*week, *day] if config.season == "week" else [*day, *week]
        known = inputs.target_mask_BH > 0
        resort = float(inputs.target_BH[known].mean(dtype=np.float64)) if known.any() else 0.0
        return cls(tuple(features.future_names.index(name) for name in wanted), len(levels), resort)

    def quantiles(self, inputs: Inputs) -> Floats:
        """The same number at every level, [B, H, Q]."""
        said_BH = np.full(inputs.future_BHF.shape[:2], np.float32(self.resort))
        for column in reversed(self.order):
            known_BH = inputs.future_mask_BHF[:, :, column] > 0
            said_BH = np.where(known_BH, inputs.future_BHF[:, :, column], said_BH)
        return np.repeat(said_BH[:, :, None], self.levels, axis=2)

    def arrays(self) -> Arrays:
        """None but a marker: a folder always holds a weights file."""
        return {"order": np.array(self.order, dtype=np.int64)}

    def settings(self) -> dict[str, object]:
        """Where to look."""
        return {"levels": self.levels, "resort": self.resort}

    @classmethod
    def restore(cls, settings: Mapping[str, object], arrays: Arrays) -> Self:
        """The baseline again."""
        levels, resort = cast(int, settings["levels"]), cast(float, settings["resort"])
        return cls(tuple(map(int, arrays["order"])), int(levels), float(resort))
