"""Gradient-boosted trees, one ensemble per level. N = B * H steps of a batch, F columns, G levels of ensembles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np

from forecast.baselines.relative import Doubles, Relative
from forecast.features import Features, Inputs
from forecast.forecaster.models import Arrays, Floats
from forecast.recipe import TreesModel

_NODE = ("feature_idx", "num_threshold", "left", "right", "missing_go_to_left", "is_leaf", "value")


@dataclass(frozen=True, eq=False)
class QuantileTrees:
    """scikit-learn's histogram gradient boosting, one ensemble per level, held as plain arrays of nodes.

    Attributes:
        tables: per level ("0.5/left"): every tree's nodes one after the other, children as absolute places; each
            tree's first node ("roots"); what the ensemble begins with ("start"). Once: which columns are relative to
            the window ("load_F").
        levels: the levels of the ensembles; others are interpolated between them.
        wanted: the recipe's levels.
    """

    tables: Arrays
    levels: tuple[float, ...]
    wanted: tuple[float, ...]
    kind = "trees"

    @classmethod
    def fit(
        cls, config: TreesModel, features: Features, inputs: Inputs, levels: tuple[float, ...], seed: int = 0
    ) -> Self:
        """Learns from the known steps of the training windows."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        load_F = np.array(features.future_load_columns)
        relative = Relative.of(inputs)
        known_N = relative.learnable(inputs).reshape(-1)
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
        inner = table["is_leaf"] == 0
        rows = np.arange(len(columns_NF))
        for root in table["roots"]:
            place_N = np.full(len(columns_NF), root)
            open_N = inner[place_N]
            while open_N.any():
                value_N = columns_NF[rows, table["feature_idx"][place_N]]
                below_N = value_N <= table["num_threshold"][place_N]
                left_N = np.where(np.isnan(value_N), table["missing_go_to_left"][place_N] > 0, below_N)
                child_N = np.where(left_N, table["left"][place_N], table["right"][place_N])
                place_N = np.where(open_N, child_N, place_N)
                open_N = inner[place_N]
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
    flat: Arrays = {name: np.concatenate([tree[name] for tree in trees]) for name in _NODE}
    for name in set(_NODE) - {"num_threshold", "value"}:
        flat[name] = flat[name].astype(np.int64)
    for name in ("left", "right"):
        flat[name] += np.repeat(roots, [len(tree) for tree in trees])
    return flat | {"roots": roots, "start": np.array([float(np.ravel(ensemble._baseline_prediction)[0])])}
