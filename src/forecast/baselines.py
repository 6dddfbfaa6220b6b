"""What a network has to beat: last week again, a ridge per hour, gradient-boosted trees. They run through the same door.

N = B * H rows of a batch's steps, F columns, K = 24 local hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt

from forecast.features import Features, Inputs
from forecast.features.civil import HOURS
from forecast.forecaster.models import Arrays, Floats
from forecast.recipe import RidgeModel, SeasonalNaiveModel, TreesModel

CLIP = 6.0
Doubles = npt.NDArray[np.float64]


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
        week = ["load, same hour, a week back", "load, same hour, two weeks back"]
        day = [f"load, same hour, {rank + 1}. day back" for rank in range(features.config.same_hour_days)]
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
        return cls(tuple(map(int, arrays["order"])), int(cast(int, settings["levels"])), float(cast(float, settings["resort"])))


@dataclass(frozen=True, eq=False)
class Relative:
    """A window's own level and size, so that a megawatt and a kilowatt series look alike.

    Attributes:
        level_B: mean of the context's known y.
        size_B: the larger of |level| and the context's spread.
    """

    level_B: Doubles
    size_B: Doubles

    @classmethod
    def of(cls, inputs: Inputs) -> Self:
        """Read from the context; level 0 and size 1 where nothing is known."""
        y_BL, mask_BL = inputs.past_BLP[:, :, 0].astype(np.float64), inputs.past_mask_BLP[:, :, 0]
        count_B = np.maximum(mask_BL.sum(1), 1)
        level_B = (y_BL * mask_BL).sum(1) / count_B
        spread_B = np.sqrt((mask_BL * (y_BL - level_B[:, None]) ** 2).sum(1) / count_B)
        size_B = np.maximum(np.abs(level_B), spread_B)
        return cls(level_B, np.where(size_B > 0, size_B, 1.0))

    def columns(self, inputs: Inputs, load_F: npt.NDArray[np.bool_]) -> Doubles:
        """Future columns [B, H, F] with load columns relative, NaN where masked."""
        plain_BHF = inputs.future_BHF.astype(np.float64)
        shifted_BHF = (plain_BHF - self.level_B[:, None, None]) / self.size_B[:, None, None]
        values_BHF = np.where(load_F, shifted_BHF, plain_BHF)
        return np.where(inputs.future_mask_BHF > 0, values_BHF, np.nan)

    def target(self, inputs: Inputs) -> Doubles:
        """The horizon's y, relative, [B, H]."""
        return (inputs.target_BH - self.level_B[:, None]) / self.size_B[:, None]

    def absolute(self, relative_BH: Doubles) -> Floats:
        """Back to mean power."""
        return (relative_BH * self.size_B[:, None] + self.level_B[:, None]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class HourlyRidge:
    """One ridge per local hour on standardised columns clipped at six deviations, weekends with load weights of their own.

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


_NODE = ("feature_idx", "num_threshold", "left", "right", "missing_go_to_left", "is_leaf", "value")


@dataclass(frozen=True, eq=False)
class QuantileTrees:
    """scikit-learn's histogram gradient boosting, one ensemble per level, held as plain arrays of nodes.

    Attributes:
        nodes: per level ("0.5/left"): every tree's nodes one after the other, children as absolute places.
        roots: per level: each tree's first node.
        start: per level: what the ensemble starts from.
        levels: the levels of the ensembles; others are interpolated between them.
        wanted: the recipe's levels.
        load_F: which columns are relative to the window.
    """

    tables: Arrays
    levels: tuple[float, ...]
    wanted: tuple[float, ...]
    kind = "trees"

    @classmethod
    def fit(cls, config: TreesModel, features: Features, inputs: Inputs, levels: tuple[float, ...], seed: int = 0) -> Self:
        """Learns from the known steps of the training windows."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        load_F = np.array(features.future_load_columns)
        relative = Relative.of(inputs)
        known_N = inputs.target_mask_BH.reshape(-1) > 0
        columns_NF = relative.columns(inputs, load_F).reshape(-1, len(load_F))[known_N]
        # scikit-learn cannot bin a column without any value; no split will use it.
        columns_NF[:, ~np.isfinite(columns_NF).any(0)] = 0.0
        target_N = relative.target(inputs).reshape(-1)[known_N]
        tables: Arrays = {"load_F": load_F}
        for level in config.levels:
            ensemble = HistGradientBoostingRegressor(
                loss="quantile", quantile=level, max_iter=config.iterations, learning_rate=config.rate,
                max_leaf_nodes=config.leaves, min_samples_leaf=config.min_leaf, early_stopping=False, random_state=seed,
            ).fit(columns_NF, target_N)  # fmt: skip
            tables |= {f"{level:g}/{name}": table for name, table in _flatten(ensemble).items()}
        return cls(tables, tuple(config.levels), tuple(levels))

    def quantiles(self, inputs: Inputs) -> Floats:
        """Quantiles [B, H, Q], interpolated between the ensembles' levels and sorted."""
        relative = Relative.of(inputs)
        batch, steps, width = inputs.future_BHF.shape
        columns_NF = relative.columns(inputs, self.tables["load_F"]).reshape(-1, width)
        said = [relative.absolute(self._walk(columns_NF, level).reshape(batch, steps)) for level in self.levels]
        said_BHG = np.sort(np.stack(said, axis=2), axis=2)
        places = np.interp(self.wanted, self.levels, np.arange(len(self.levels)))
        low, high = np.floor(places).astype(int), np.ceil(places).astype(int)
        share = (places - low).astype(np.float32)
        return np.asarray(said_BHG[..., low] * (1 - share) + said_BHG[..., high] * share, dtype=np.float32)

    def _walk(self, columns_NF: Doubles, level: float) -> Doubles:
        """Every row down every tree of one ensemble, all rows at once."""
        table = {name: self.tables[f"{level:g}/{name}"] for name in (*_NODE, "roots", "start")}
        total_N = np.full(len(columns_NF), float(table["start"][0]))
        rows = np.arange(len(columns_NF))
        for root in table["roots"]:
            place_N = np.full(len(columns_NF), root)
            open_N = ~table["is_leaf"][place_N].astype(bool)
            while open_N.any():
                value_N = columns_NF[rows, table["feature_idx"][place_N]]
                left_N = np.where(np.isnan(value_N), table["missing_go_to_left"][place_N] > 0, value_N <= table["num_threshold"][place_N])
                child_N = np.where(left_N, table["left"][place_N], table["right"][place_N])
                place_N = np.where(open_N, child_N, place_N)
                open_N = ~table["is_leaf"][place_N].astype(bool)
            total_N += table["value"][place_N]
        return total_N

    def arrays(self) -> Arrays:
        """Every node of every tree."""
        return self.tables

    def settings(self) -> dict[str, object]:
        """The rest."""
        return {"levels": list(self.levels), "wanted": list(self.wanted)}

    @classmethod
    def restore(cls, settings: Mapping[str, object], arrays: Arrays) -> Self:
        """The trees again."""
        levels, wanted = (tuple(map(float, cast(list[float], settings[name]))) for name in ("levels", "wanted"))
        return cls(arrays, levels, wanted)


def _flatten(ensemble: Any) -> Arrays:
    """A fitted ensemble's trees as arrays, children counted from the first tree's root."""
    trees = [stage[0].nodes for stage in ensemble._predictors]
    roots = np.concatenate([[0], np.cumsum([len(tree) for tree in trees])[:-1]]).astype(np.int64)
    flat: Arrays = {}
    for name in _NODE:
        parts = [tree[name].astype(np.int64) + (root if name in ("left", "right") else 0) if name != "value" and name != "num_threshold" else tree[name] for tree, root in zip(trees, roots, strict=True)]
        flat[name] = np.concatenate(parts)
    return flat | {"roots": roots, "start": np.array([float(np.ravel(ensemble._baseline_prediction)[0])])}


def _moments(columns_NF: Doubles) -> tuple[Doubles, Doubles]:
    """Mean and standard deviation of the known values; 0 and 1 where none is known or all are equal."""
    known_NF = np.isfinite(columns_NF)
    count_F = np.maximum(known_NF.sum(0), 1)
    mean_F = np.where(known_NF, columns_NF, 0).sum(0) / count_F
    std_F = np.sqrt(np.where(known_NF, (columns_NF - mean_F) ** 2, 0).sum(0) / count_F)
    return mean_F, np.where(std_F > 1e-9, std_F, 1.0)
