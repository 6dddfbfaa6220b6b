"""LightGBM as a peer: alone, or on what a ridge leaves. N = B * H steps of a batch, F columns, G boosted levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np

from forecast.baselines import Relative
from forecast.baselines.relative import Doubles
from forecast.errors import RecipeError
from forecast.features import Features, Inputs
from forecast.forecaster.models import Arrays, Floats
from forecast.protocols.stepridge import StepRidge
from forecast.recipe import RidgeModel, TreesModel

FOLDS, WEEK, ALPHA = 5, 7, 100


@dataclass(frozen=True, eq=False)
class Boosted:
    """One LightGBM ensemble per level, all steps of all windows in one table; levels between are interpolated.

    Attributes:
        boosters: the ensembles by level.
        load_F: which columns are relative to the window.
        wanted: the recipe's levels.
        ridge: whose remainder the ensembles say, its forecast one more column; None: the demand itself.
    """

    boosters: dict[float, Any]
    load_F: Floats
    wanted: tuple[float, ...]
    ridge: StepRidge | None = None
    kind = "lightgbm"

    @classmethod
    def fit(
        cls, config: TreesModel, features: Features, inputs: Inputs, levels: tuple[float, ...], *, seed: int = 0,
        on_ridge: bool = False,
    ) -> Self:  # fmt: skip
        """Learns from the known steps of the training windows.

        Raises:
            RecipeError: LightGBM is not installed.
        """
        lightgbm = installed()
        load_F, relative = np.array(features.future_load_columns), Relative.of(inputs)
        ridge, said_BH = None, None
        if on_ridge:
            ridge, said_BH = _ridge(features, inputs), _out_of_fold(features, inputs)
        columns_NF, base_N = _columns(inputs, relative, load_F, said_BH)
        known_N = inputs.target_mask_BH.reshape(-1) > 0
        table = lightgbm.Dataset(
            columns_NF[known_N], (relative.target(inputs).reshape(-1) - base_N)[known_N], free_raw_data=False
        )
        boosters = {
            level: lightgbm.train(_settings(config, level, seed), table, num_boost_round=config.iterations)
            for level in config.levels
        }
        return cls(boosters, load_F, tuple(levels), ridge)

    def quantiles(self, inputs: Inputs) -> Floats:
        """Quantiles [B, H, Q], interpolated between the ensembles' levels and sorted."""
        relative = Relative.of(inputs)
        said_BH = self.ridge.quantiles(inputs)[:, :, 0] if self.ridge is not None else None
        columns_NF, base_N = _columns(inputs, relative, self.load_F, said_BH)
        shape = inputs.future_BHF.shape[:2]
        said = [
            relative.absolute((base_N + one.predict(columns_NF, num_threads=1)).reshape(shape))
            for one in self.boosters.values()
        ]
        said_BHG = np.sort(np.stack(said, axis=2), axis=2)
        places = np.interp(self.wanted, list(self.boosters), np.arange(len(self.boosters)))
        low, high = np.floor(places).astype(int), np.ceil(places).astype(int)
        share = (places - low).astype(np.float32)
        return np.asarray(said_BHG[..., low] * (1 - share) + said_BHG[..., high] * share, dtype=np.float32)

    def arrays(self) -> Arrays:
        """The ensembles as LightGBM's own text, and the ridge's arrays."""
        texts = {f"{level:g}": one.model_to_string().encode() for level, one in self.boosters.items()}
        ridge = self.ridge.arrays() if self.ridge is not None else {}
        return {
            "load_F": self.load_F, **{f"booster/{name}": np.frombuffer(text, np.uint8) for name, text in texts.items()},
            **{f"ridge/{name}": array for name, array in ridge.items()},
        }  # fmt: skip

    def settings(self) -> dict[str, object]:
        """The rest."""
        return {"wanted": list(self.wanted), "ridge": self.ridge.settings() if self.ridge is not None else None}

    @classmethod
    def restore(cls, settings: Mapping[str, object], arrays: Arrays) -> Self:
        """The peer again."""
        lightgbm = installed()
        boosters = {
            float(name.removeprefix("booster/")): lightgbm.Booster(model_str=array.tobytes().decode())
            for name, array in arrays.items()
            if name.startswith("booster/")
        }
        of_ridge = {name.removeprefix("ridge/"): array for name, array in arrays.items() if name.startswith("ridge/")}
        told = cast(Mapping[str, object] | None, settings["ridge"])
        ridge = StepRidge.restore(told, of_ridge) if told is not None else None
        wanted = tuple(map(float, cast(list[float], settings["wanted"])))
        return cls(dict(sorted(boosters.items())), arrays["load_F"], wanted, ridge)


def installed() -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise RecipeError(
            f"LightGBM cannot be imported ({error})", "the extra 'bench'",
            "run pip install 'demand-forecast[bench]', or leave out --peers",
        ) from error  # fmt: skip
    return lightgbm


def _settings(config: TreesModel, level: float, seed: int) -> dict[str, object]:
    return {
        "objective": "quantile", "alpha": level, "learning_rate": config.rate, "num_leaves": config.leaves,
        "min_data_in_leaf": config.min_leaf, "feature_fraction": 0.8, "bagging_fraction": 0.8, "bagging_freq": 1,
        "seed": seed, "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbosity": -1,
    }  # fmt: skip


def _columns(inputs: Inputs, relative: Relative, load_F: Floats, said_BH: Floats | None) -> tuple[Doubles, Doubles]:
    """Columns [N, F] of all steps and what is forecast already [N], relative to the window."""
    columns_BHF = relative.columns(inputs, np.asarray(load_F, dtype=bool))
    batch, steps, _ = columns_BHF.shape
    if said_BH is None:
        return columns_BHF.reshape(batch * steps, -1), np.zeros(batch * steps)
    base_BH = (said_BH - relative.level_B[:, None]) / relative.size_B[:, None]
    with_base = np.concatenate([columns_BHF, base_BH[:, :, None]], axis=2)
    return with_base.reshape(batch * steps, -1), base_BH.reshape(-1)


def _ridge(features: Features, inputs: Inputs) -> StepRidge:
    return StepRidge.fit(RidgeModel(alphas=(ALPHA,)), features, inputs, (0.5,))


def _out_of_fold(features: Features, inputs: Inputs) -> Floats:
    """Each stretch of seven windows forecast [B, H] by a ridge of the other four of five stretches."""
    fold_B = np.arange(len(inputs.target_BH)) // WEEK % FOLDS
    said_BH = np.zeros_like(inputs.target_BH)
    for fold in np.unique(fold_B):
        mine_B = fold_B == fold
        others = inputs.only(~mine_B) if not mine_B.all() else inputs
        said_BH[mine_B] = _ridge(features, others).quantiles(inputs.only(mine_B))[:, :, 0]
    return said_BH
