"""A ridge regression per local hour.

N = B * H steps of a batch, F columns, D of the design, K = 24 local hours, G groups of series.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self, cast

import numpy as np
import numpy.typing as npt

from forecast.baselines.relative import Doubles, Relative, learnable
from forecast.features import Features, Inputs
from forecast.features.civil import HOURS
from forecast.forecaster.models import Arrays, Floats
from forecast.recipe import RidgeModel
from forecast.windows import Ints

CLIP = 6.0


@dataclass(frozen=True, eq=False)
class HourlyRidge:
    """One ridge per local hour on standardised columns clipped at six deviations; weekends weigh the load anew.

    A series with enough history has weights of its own; every other one, also an unseen one, those of all together.

    Attributes:
        mean_F, std_F: of the training part's known values; a flag keeps its size.
        weights_GKD, bias_GK: per group and hour, D = F + weekend load columns; group 0 is all series together.
        group_S: each training series' group.
        load_F: which columns are relative to the window.
        weekend: the "workday" column, whose absence marks a weekend.
        levels: number of quantile levels (all say the same until calibrated).
    """

    mean_F: Doubles
    std_F: Doubles
    weights_GKD: Doubles
    bias_GK: Doubles
    group_S: Ints
    load_F: npt.NDArray[np.bool_]
    weekend: int
    levels: int
    kind = "ridge"

    @classmethod
    def blank(cls, features: Features, inputs: Inputs, levels: tuple[float, ...]) -> Self:
        """Standardisation learned from the known steps of these windows, all weights zero."""
        load_F = np.array(features.future_load_columns)
        columns_NF = Relative.of(inputs).columns(inputs, load_F).reshape(-1, len(load_F))
        mean_F, std_F = _moments(columns_NF[learnable(inputs).reshape(-1)])
        width = len(load_F) + int(load_F.sum())
        return cls(
            mean_F, std_F, np.zeros((1, HOURS, width)), np.zeros((1, HOURS)),
            np.zeros(len(features.state.series), dtype=np.int64), load_F,
            features.future_names.index("day type workday"), len(levels),
        )  # fmt: skip

    def steps(self, inputs: Inputs) -> Iterator[tuple[int, Doubles, Doubles, Ints]]:
        """Per local hour: its number, design [n, D], relative targets [n] and windows [n] of the known steps."""
        relative = Relative.of(inputs)
        design_ND = self._design(relative.columns(inputs, self.load_F).reshape(-1, len(self.load_F)))
        target_N, known_N = relative.target(inputs).reshape(-1), learnable(inputs).reshape(-1)
        window_N = np.repeat(np.arange(len(inputs.target_BH)), inputs.target_BH.shape[1])
        hour_N = _hours(inputs).reshape(-1)
        for hour in np.unique(hour_N[known_N]):
            mine_N = known_N & (hour_N == hour)
            yield int(hour), design_ND[mine_N], target_N[mine_N], window_N[mine_N]

    def with_group(self, series: int, weights_KD: Doubles, bias_K: Doubles) -> Self:
        """One more group: the weights of a series of the training part; -1 sets those of all together."""
        if series < 0:
            return replace(self, weights_GKD=weights_KD[None], bias_GK=bias_K[None])
        group_S = self.group_S.copy()
        group_S[series] = len(self.weights_GKD)
        weights_GKD = np.concatenate([self.weights_GKD, weights_KD[None]])
        return replace(
            self, weights_GKD=weights_GKD, bias_GK=np.concatenate([self.bias_GK, bias_K[None]]), group_S=group_S
        )

    def point(self, inputs: Inputs) -> Floats:
        """What it says, [B, H] in mean power."""
        relative = Relative.of(inputs)
        batch, steps, width = inputs.future_BHF.shape
        design_ND = self._design(relative.columns(inputs, self.load_F).reshape(-1, width))
        hour_N = _hours(inputs).reshape(-1)
        group_B = np.where(inputs.series_B >= 0, self.group_S[inputs.series_B], 0) if len(self.group_S) else 0
        group_N = np.repeat(np.broadcast_to(group_B, batch), steps)
        said_N = np.einsum("nd,nd->n", design_ND, self.weights_GKD[group_N, hour_N]) + self.bias_GK[group_N, hour_N]
        return relative.absolute(said_N.reshape(batch, steps))

    def quantiles(self, inputs: Inputs) -> Floats:
        """The same number at every level, [B, H, Q]."""
        return np.repeat(self.point(inputs)[:, :, None], self.levels, axis=2)

    def _design(self, columns_NF: Doubles) -> Doubles:
        standard_NF = np.clip((columns_NF - self.mean_F) / self.std_F, -CLIP, CLIP)
        weekend_N1 = (columns_NF[:, self.weekend] < 0.5)[:, None]
        standard_NF = np.nan_to_num(standard_NF, nan=0.0)
        return np.concatenate([standard_NF, standard_NF[:, self.load_F] * weekend_N1], axis=1)

    def arrays(self) -> Arrays:
        """Everything fitted."""
        return {
            "mean_F": self.mean_F, "std_F": self.std_F, "weights_GKD": self.weights_GKD, "bias_GK": self.bias_GK,
            "group_S": self.group_S, "load_F": self.load_F,
        }  # fmt: skip

    def settings(self) -> dict[str, object]:
        """The rest."""
        return {"weekend": self.weekend, "levels": self.levels}

    @classmethod
    def restore(cls, settings: Mapping[str, object], arrays: Arrays) -> Self:
        """The ridge again."""
        return cls(**arrays, weekend=int(cast(int, settings["weekend"])), levels=int(cast(int, settings["levels"])))


class Gram:
    """Sums of products per fold and hour, from which a ridge without any one fold costs only a solve."""

    def __init__(self, ridge: HourlyRidge, folds: int) -> None:
        width = ridge.weights_GKD.shape[2] + 1
        self.ridge = ridge
        self.square_CKDD = np.zeros((folds, HOURS, width, width))
        self.cross_CKD = np.zeros((folds, HOURS, width))

    def add(self, inputs: Inputs, fold_B: Ints) -> None:
        """Counts in some windows, each with the fold that it belongs to."""
        for hour, design_ND, target_N, window_N in self.ridge.steps(inputs):
            with_one_ND = np.concatenate([design_ND, np.ones((len(design_ND), 1))], axis=1)
            fold_N = fold_B[window_N]
            for fold in np.unique(fold_N):
                part_ND = with_one_ND[fold_N == fold]
                self.square_CKDD[fold, hour] += part_ND.T @ part_ND
                self.cross_CKD[fold, hour] += part_ND.T @ target_N[fold_N == fold]

    def solve(self, config: RidgeModel, without: int | None = None) -> tuple[Doubles, Doubles]:
        """Weights [K, D] and biases [K] of all folds, or of all but one."""
        square_KDD, cross_KD = self.square_CKDD.sum(0), self.cross_CKD.sum(0)
        if without is not None:
            square_KDD, cross_KD = square_KDD - self.square_CKDD[without], cross_KD - self.cross_CKD[without]
        penalty_D = np.full(cross_KD.shape[1], config.alpha)
        # The bias pays nothing; an hour that was never seen has none.
        penalty_D[-1] = 1e-9
        answer_KD = np.linalg.solve(square_KDD + np.diag(penalty_D), cross_KD[..., None])[..., 0]
        return answer_KD[:, :-1], answer_KD[:, -1]


def _hours(inputs: Inputs) -> Ints:
    return np.asarray(inputs.future_BHF[:, :, :HOURS].argmax(2))


def _moments(columns_NF: Doubles) -> tuple[Doubles, Doubles]:
    """Mean and deviation of the known values; 0 and 1 where none is known or all are equal; a flag has deviation 1."""
    known_NF = np.isfinite(columns_NF)
    count_F = np.maximum(known_NF.sum(0), 1)
    mean_F = np.where(known_NF, columns_NF, 0).sum(0) / count_F
    std_F = np.sqrt(np.where(known_NF, (columns_NF - mean_F) ** 2, 0).sum(0) / count_F)
    flag_F = (~known_NF | (columns_NF == 0) | (columns_NF == 1)).all(0)
    return mean_F, np.where((std_F > 1e-9) & ~flag_F, std_F, 1.0)
