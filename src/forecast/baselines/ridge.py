"""A ridge regression per local hour. N = B * H steps of a batch, F columns, K = 24 local hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, cast

import numpy as np
import numpy.typing as npt

from forecast.baselines.relative import Doubles, Relative
from forecast.features import Features, Inputs
from forecast.features.civil import HOURS
from forecast.forecaster.models import Arrays, Floats
from forecast.recipe import RidgeModel

CLIP = 6.0


@dataclass(frozen=True, eq=False)
class HourlyRidge:
    """One ridge per local hour on standardised columns clipped at six deviations; weekends weigh the load anew.

    Attributes:
        mean_F, std_F: of the training part's known values.
        weights_KD, bias_K: per hour, D = F + weekend load columns.
        load_F: which columns are relative to the window.
        weekend: the "workday" column, whose absence marks a weekend.
        levels: number of quantile levels (all say the same until calibrated).
    """

    mean_F: Doubles
    std_F: Doubles
    weights_KD: Doubles
    bias_K: Doubles
    load_F: npt.NDArray[np.bool_]
    weekend: int
    levels: int
    kind = "ridge"

    @classmethod
    def fit(cls, config: RidgeModel, features: Features, inputs: Inputs, levels: tuple[float, ...]) -> Self:
        """Learns from the known steps of the training windows."""
        from sklearn.linear_model import Ridge

        load_F = np.array(features.future_load_columns)
        relative = Relative.of(inputs)
        columns_NF = relative.columns(inputs, load_F).reshape(-1, len(load_F))
        known_N = inputs.target_mask_BH.reshape(-1) > 0
        mean_F, std_F = _moments(columns_NF[known_N])
        blank = cls(
            mean_F, std_F, np.zeros((HOURS, len(load_F) + int(load_F.sum()))), np.zeros(HOURS), load_F,
            features.future_names.index("day type workday"), len(levels),
        )  # fmt: skip
        design_ND, target_N = blank._design(columns_NF), relative.target(inputs).reshape(-1)
        hour_N = inputs.future_BHF[:, :, :HOURS].argmax(2).reshape(-1)
        for hour in np.unique(hour_N[known_N]):
            mine_N = known_N & (hour_N == hour)
            ridge = Ridge(alpha=config.alpha, solver="cholesky").fit(design_ND[mine_N], target_N[mine_N])
            blank.weights_KD[hour], blank.bias_K[hour] = ridge.coef_, ridge.intercept_
        return blank

    def quantiles(self, inputs: Inputs) -> Floats:
        """The same number at every level, [B, H, Q]."""
        relative = Relative.of(inputs)
        batch, steps, width = inputs.future_BHF.shape
        design_ND = self._design(relative.columns(inputs, self.load_F).reshape(-1, width))
        hour_N = inputs.future_BHF[:, :, :HOURS].argmax(2).reshape(-1)
        said_N = np.einsum("nd,nd->n", design_ND, self.weights_KD[hour_N]) + self.bias_K[hour_N]
        said_BH = relative.absolute(said_N.reshape(batch, steps))
        return np.repeat(said_BH[:, :, None], self.levels, axis=2)

    def _design(self, columns_NF: Doubles) -> Doubles:
        standard_NF = np.clip((columns_NF - self.mean_F) / self.std_F, -CLIP, CLIP)
        weekend_N1 = (columns_NF[:, self.weekend] < 0.5)[:, None]
        standard_NF = np.nan_to_num(standard_NF, nan=0.0)
        return np.concatenate([standard_NF, standard_NF[:, self.load_F] * weekend_N1], axis=1)

    def arrays(self) -> Arrays:
        """Everything fitted."""
        return {
            "mean_F": self.mean_F, "std_F": self.std_F, "weights_KD": self.weights_KD, "bias_K": self.bias_K,
            "load_F": self.load_F,
        }  # fmt: skip

    def settings(self) -> dict[str, object]:
        """The rest."""
        return {"weekend": self.weekend, "levels": self.levels}

    @classmethod
    def restore(cls, settings: Mapping[str, object], arrays: Arrays) -> Self:
        """The ridge again."""
        return cls(**arrays, weekend=int(cast(int, settings["weekend"])), levels=int(cast(int, settings["levels"])))


def _moments(columns_NF: Doubles) -> tuple[Doubles, Doubles]:
    """Mean and standard deviation of the known values; 0 and 1 where none is known or all are equal."""
    known_NF = np.isfinite(columns_NF)
    count_F = np.maximum(known_NF.sum(0), 1)
    mean_F = np.where(known_NF, columns_NF, 0).sum(0) / count_F
    std_F = np.sqrt(np.where(known_NF, (columns_NF - mean_F) ** 2, 0).sum(0) / count_F)
    return mean_F, np.where(std_F > 1e-9, std_F, 1.0)
