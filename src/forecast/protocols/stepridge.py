"""A ridge regression per step of the horizon. B windows, H steps, F columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, cast

import numpy as np

from forecast.baselines import Relative
from forecast.baselines.relative import Doubles
from forecast.features import Features, Inputs
from forecast.forecaster.models import Arrays, Floats
from forecast.recipe import RidgeModel

CLIP = 6.0


@dataclass(frozen=True, eq=False)
class StepRidge:
    """One ridge per step on that step's columns, standardised and clipped at six deviations.

    Attributes:
        mean_HF, std_HF: of the known values of each step.
        weights_HF, bias_H: per step.
        load_F: which columns are relative to the window.
        levels: number of quantile levels (all say the same until calibrated).
    """

    mean_HF: Doubles
    std_HF: Doubles
    weights_HF: Doubles
    bias_H: Doubles
    load_F: Floats
    levels: int
    kind = "step_ridge"

    @classmethod
    def fit(cls, config: RidgeModel, features: Features, inputs: Inputs, levels: tuple[float, ...]) -> Self:
        """Learns from the known steps of the training windows."""
        from sklearn.linear_model import Ridge

        load_F, relative = np.array(features.future_load_columns), Relative.of(inputs)
        columns_BHF, target_BH = relative.columns(inputs, load_F), relative.target(inputs)
        _, steps, width = columns_BHF.shape
        made = cls(
            np.zeros((steps, width)), np.ones((steps, width)), np.zeros((steps, width)), np.zeros(steps), load_F,
            len(levels),
        )  # fmt: skip
        for step in range(steps):
            known_B = inputs.target_mask_BH[:, step] > 0
            made.mean_HF[step], made.std_HF[step] = _moments(columns_BHF[known_B, step])
            design_BF = made._design(columns_BHF[known_B, step], step)
            ridge = Ridge(alpha=config.alpha, solver="cholesky").fit(design_BF, target_BH[known_B, step])
            made.weights_HF[step], made.bias_H[step] = ridge.coef_, ridge.intercept_
        return made

    def quantiles(self, inputs: Inputs) -> Floats:
        """The same number at every level, [B, H, Q]; steps beyond the learned ones are said by the last."""
        relative = Relative.of(inputs)
        columns_BHF = relative.columns(inputs, np.asarray(self.load_F, dtype=bool))
        places = [min(step, len(self.bias_H) - 1) for step in range(columns_BHF.shape[1])]
        said = [
            self._design(columns_BHF[:, step], place) @ self.weights_HF[place] + self.bias_H[place]
            for step, place in enumerate(places)
        ]
        return np.repeat(relative.absolute(np.stack(said, axis=1))[:, :, None], self.levels, axis=2)

    def _design(self, columns_BF: Doubles, step: int) -> Doubles:
        standard_BF = np.clip((columns_BF - self.mean_HF[step]) / self.std_HF[step], -CLIP, CLIP)
        return np.asarray(np.nan_to_num(standard_BF, nan=0.0))

    def arrays(self) -> Arrays:
        """Everything fitted."""
        names = ("mean_HF", "std_HF", "weights_HF", "bias_H", "load_F")
        return {name: getattr(self, name) for name in names}

    def settings(self) -> dict[str, object]:
        """The rest."""
        return {"levels": self.levels}

    @classmethod
    def restore(cls, settings: Mapping[str, object], arrays: Arrays) -> Self:
        """The peer again."""
        return cls(**arrays, levels=int(cast(int, settings["levels"])))


def _moments(columns_BF: Doubles) -> tuple[Doubles, Doubles]:
    """Mean and standard deviation of the known values; 0 and 1 where none is known or all are equal."""
    known_BF = np.isfinite(columns_BF)
    count_F = np.maximum(known_BF.sum(0), 1)
    mean_F = np.where(known_BF, columns_BF, 0).sum(0) / count_F
    std_F = np.sqrt(np.where(known_BF, (columns_BF - mean_F) ** 2, 0).sum(0) / count_F)
    return mean_F, np.where(std_F > 1e-9, std_F, 1.0)
