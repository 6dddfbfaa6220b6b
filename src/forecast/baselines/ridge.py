"""A ridge regression per local hour.

N = B * H steps of a batch, F columns, D of the design, E = D + 1 with the bias last, K = 24 local hours, G groups of
series, C folds, A penalties.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self, cast

import numpy as np
import numpy.typing as npt

from forecast.baselines.relative import Doubles, Relative
from forecast.features import Features, Inputs, measured_in
from forecast.features.civil import HOURS
from forecast.forecaster.models import Arrays, Floats
from forecast.windows import Ints

CLIP = 6.0


@dataclass(frozen=True, eq=False)
class HourlyRidge:
    """One ridge per local hour on standardised columns clipped at six deviations; weekends weigh the load anew.

    A series with enough history has weights of its own; every other one, also an unseen one, those of all together.

    Attributes:
        mean_F, std_F: of the training part's known values; a flag keeps its size, a hinge has its straight column's
            deviation.
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
        relative = Relative.of(inputs)
        columns_NF = relative.columns(inputs, load_F).reshape(-1, len(load_F))
        mean_F, own_std_F = _moments(columns_NF[relative.learnable(inputs).reshape(-1)])
        std_F = own_std_F[list(measured_in(features.future_names))]
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
        target_N, known_N = relative.target(inputs).reshape(-1), relative.learnable(inputs).reshape(-1)
        window_N = np.repeat(np.arange(len(inputs.target_BH)), inputs.target_BH.shape[1])
        hour_N = _hours(inputs).reshape(-1)
        for hour in np.unique(hour_N[known_N]):
            mine_N = known_N & (hour_N == hour)
            yield int(hour), design_ND[mine_N], target_N[mine_N], window_N[mine_N]

    @property
    def pooled_KE(self) -> Doubles:
        """The weights of all series together, the bias last; zero until they are learned."""
        return np.concatenate([self.weights_GKD[0], self.bias_GK[0][:, None]], axis=1)

    def with_group(self, series: int, weights_KE: Doubles) -> Self:
        """One more group: the weights of a series of the training part; -1 sets those of all together."""
        weights_1KD, bias_1K = weights_KE[None, :, :-1], weights_KE[None, :, -1]
        if series < 0:
            return replace(self, weights_GKD=weights_1KD, bias_GK=bias_1K)
        group_S = self.group_S.copy()
        group_S[series] = len(self.weights_GKD)
        weights_GKD = np.concatenate([self.weights_GKD, weights_1KD])
        return replace(self, weights_GKD=weights_GKD, bias_GK=np.concatenate([self.bias_GK, bias_1K]), group_S=group_S)

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
    """Sums of products per fold and hour: a ridge without any one fold, and its error there, cost no look at the data.

    Attributes:
        square_CKEE: of the design with itself.
        cross_CKE: of the design with the relative targets.
        target_CK: of the relative targets with themselves.
    """

    def __init__(self, ridge: HourlyRidge, folds: int) -> None:
        width = ridge.weights_GKD.shape[2] + 1
        self.ridge = ridge
        self.square_CKEE = np.zeros((folds, HOURS, width, width))
        self.cross_CKE = np.zeros((folds, HOURS, width))
        self.target_CK = np.zeros((folds, HOURS))

    def add(self, inputs: Inputs, fold_B: Ints) -> None:
        """Counts in some windows, each with the fold that it belongs to."""
        for hour, design_ND, target_N, window_N in self.ridge.steps(inputs):
            with_one_NE = np.concatenate([design_ND, np.ones((len(design_ND), 1))], axis=1)
            fold_N = fold_B[window_N]
            for fold in np.unique(fold_N):
                part_NE, aim_N = with_one_NE[fold_N == fold], target_N[fold_N == fold]
                self.square_CKEE[fold, hour] += part_NE.T @ part_NE
                self.cross_CKE[fold, hour] += part_NE.T @ aim_N
                self.target_CK[fold, hour] += aim_N @ aim_N

    def solve(self, alphas: Sequence[float], start_KE: Doubles, without: int | None = None) -> Doubles:
        """Weights [A, K, E] per penalty, of all folds or of all but one.

        Args:
            alphas: penalties on the squared distance from the start.
            start_KE: where the weights start from: zero, or what all series together say.
            without: the fold that is left out.
        """
        folds = [fold for fold in range(len(self.target_CK)) if fold != without]
        by_hour = []
        for hour, start_E in enumerate(start_KE):
            square_EE, cross_E = self.square_CKEE[folds, hour].sum(0), self.cross_CKE[folds, hour].sum(0)
            left_E = cross_E - square_EE @ start_E
            by_hour.append([_shrunk(square_EE, left_E, alpha) for alpha in alphas])
        return np.asarray(start_KE + np.array(by_hour).swapaxes(0, 1))

    def errors(self, weights_AKE: Doubles, fold: int) -> Doubles:
        """Squared error [A] of some weights, in relative units, over all hours of a fold."""
        weights_KAE = weights_AKE.swapaxes(0, 1)
        gone_KAE = weights_KAE @ self.square_CKEE[fold] - 2 * self.cross_CKE[fold][:, None]
        return np.asarray((gone_KAE * weights_KAE).sum((0, 2)) + self.target_CK[fold].sum())

    def chosen(self, alphas: Sequence[float], start_CKE: Doubles) -> tuple[float, Doubles]:
        """The penalty with the smallest squared error on folds left out, and its weights [C, K, E] without each fold.

        Where all steps lie in one fold, nothing can be judged: it is the middle penalty, of two the lower, and no fold
        is left out.

        Args:
            alphas: ascending penalties; a single one is taken as it is.
            start_CKE: where the weights without each fold start from; it has not seen that fold, either.
        """
        folds = range(len(start_CKE))
        if np.count_nonzero(self.square_CKEE[:, :, -1, -1].sum(1)) < 2:
            middle = alphas[(len(alphas) - 1) // 2]
            return middle, np.stack([self.solve([middle], start_CKE[fold])[0] for fold in folds])
        weights_CAKE = np.stack([self.solve(alphas, start_CKE[fold], fold) for fold in folds])
        error_CA = np.stack([self.errors(weights_CAKE[fold], fold) for fold in folds])
        best = int(error_CA.sum(0).argmin())
        return alphas[best], weights_CAKE[:, best]


def _shrunk(square_EE: Doubles, cross_E: Doubles, alpha: float) -> Doubles:
    """What minimises the squares under a penalty; the bias pays nothing, and is zero for an hour never seen."""
    from scipy.linalg.lapack import dposv

    # Cholesky's way costs half of Gauss's; a penalty so small that rounding outweighs it needs the latter. LAPACK
    # wants columns: the transpose of a symmetric matrix gives it them, to overwrite, without another copy.
    system_EE = _penalised(square_EE, alpha)
    _, weights_E, failed = dposv(system_EE.T, cross_E, overwrite_a=True)
    return np.asarray(np.linalg.solve(_penalised(square_EE, alpha), cross_E) if failed else weights_E)


def _penalised(square_EE: Doubles, alpha: float) -> Doubles:
    system_EE = square_EE.copy()
    diagonal_E = system_EE.reshape(-1)[:: len(system_EE) + 1]
    diagonal_E[:-1] += alpha
    diagonal_E[-1] += 1e-9
    return system_EE


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
