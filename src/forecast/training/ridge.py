"""How a ridge is learned: on everything at once, and without each fold of weeks in turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from forecast.baselines import Gram, HourlyRidge
from forecast.features import Features, Inputs
from forecast.features.civil import CivilClock
from forecast.forecaster.residual import with_base
from forecast.recipe import RidgeModel
from forecast.windows import Floats, Ints, WindowSet, spread

LEARNED = 4000
FOLDS, WEEK_NS = 5, 7 * 24 * 3600 * 10**9
OWN_WINDOWS, OWN_DAYS = 60, 60
"""A series has weights of its own from so many windows over so many days."""


@dataclass(frozen=True, eq=False)
class LearnedRidge:
    """A ridge of all weeks, and one without each fifth of them, whole weeks interleaved.

    They share their penalties, chosen on all weeks: that much, and no weight, a ridge knows of the fifth left out.

    Attributes:
        whole: learned on everything.
        without: per fold, learned on the other four.
    """

    whole: HourlyRidge
    without: tuple[HourlyRidge, ...]


Asked = tuple[RidgeModel, Features, tuple[float, ...]]
_learned: WeakKeyDictionary[WindowSet, list[tuple[Asked, LearnedRidge]]] = WeakKeyDictionary()


def learn_ridge(config: RidgeModel, features: Features, windows: WindowSet, levels: tuple[float, ...]) -> LearnedRidge:
    """Learns pooled weights, and how far each of several series with enough history lies from them.

    Members of an ensemble that ask the same of the same windows share one answer, as long as the windows live.
    """
    answers = _learned.setdefault(windows, [])
    for asked, ridge in answers:
        if asked[0] == config and asked[1] is features and asked[2] == levels:
            return ridge
    ridge = _learn(config, features, windows, levels)
    answers.append(((config, features, levels), ridge))
    return ridge


def _learn(config: RidgeModel, features: Features, windows: WindowSet, levels: tuple[float, ...]) -> LearnedRidge:
    clock = features.clock(windows)
    everything = spread(0, len(windows), LEARNED)
    inputs = features.inputs(windows, clock, everything)
    blank = HourlyRidge.blank(features, inputs, levels)
    learned = _solved([blank] * (FOLDS + 1), config.alphas, inputs, fold_of(windows, everything), -1)
    if config.per_series and len(features.state.series) > 1:
        for series, index_B in _own(features, windows):
            inputs = features.inputs(windows, clock, index_B)
            learned = _solved(learned, config.own_alphas, inputs, fold_of(windows, index_B), series)
    return LearnedRidge(learned[0], tuple(learned[1:]))


def fold_of(windows: WindowSet, index_B: Ints) -> Ints:
    """The fold of each window's week."""
    _, _, cutoff_B = windows.origins.at(index_B, windows.demand)
    return np.asarray((cutoff_B // WEEK_NS) % FOLDS)


def _solved(
    ridges: list[HourlyRidge], alphas: tuple[float, ...], inputs: Inputs, fold_B: Ints, series: int
) -> list[HourlyRidge]:
    """Each ridge with one more group, near its pooled one; the first from all folds, the others without their own."""
    gram = Gram(ridges[0], FOLDS)
    gram.add(inputs, fold_B)
    start_RKE = np.stack([ridge.pooled_KE for ridge in ridges])
    alpha, without_CKE = gram.chosen(alphas, start_RKE[1:])
    weights_RKE = [*gram.solve([alpha], start_RKE[0]), *without_CKE]
    return [ridge.with_group(series, weights_KE) for ridge, weights_KE in zip(ridges, weights_RKE, strict=True)]


def _own(features: Features, windows: WindowSet) -> Iterator[tuple[int, Ints]]:
    """The training series with enough history, and windows of each."""
    places = {name: place for place, name in enumerate(features.state.series)}
    ends_S = windows.origins.ends_S
    for number, one in enumerate(windows.demand.series):
        index_B = spread(int(ends_S[number - 1]) if number else 0, int(ends_S[number]), LEARNED)
        if one.unique_id in places and len(index_B) >= OWN_WINDOWS:
            _, _, cutoff_B = windows.origins.at(index_B[[0, -1]], windows.demand)
            if pd.Timedelta(int(cutoff_B[1] - cutoff_B[0])).days >= OWN_DAYS:
                yield places[one.unique_id], index_B


@dataclass(frozen=True, eq=False)
class BasedFeatures(Features):
    """Features with a ridge's forecast as the last column ahead; each week hears a ridge that has not seen it.

    Attributes:
        ridge: the ridge, of all weeks and without each fold.
        out_of_fold: whether windows hear the ridge without their own fold (training), or the whole one.
    """

    ridge: LearnedRidge = field(kw_only=True)
    out_of_fold: bool = field(default=True, kw_only=True)

    @classmethod
    def on(cls, features: Features, ridge: LearnedRidge, *, out_of_fold: bool) -> BasedFeatures:
        """The same columns and one more."""
        return cls(
            features.config, features.state, features.columns, features.context, ridge=ridge, out_of_fold=out_of_fold
        )

    def inputs(self, windows: WindowSet, clock: CivilClock, index_B: Ints, peers_BSD: Floats | None = None) -> Inputs:
        """Some windows as arrays, the ridge's forecast among them."""
        plain = super().inputs(windows, clock, index_B, peers_BSD)
        if not self.out_of_fold:
            return with_base(plain, self.ridge.whole.point(plain))
        fold_B = fold_of(windows, index_B)
        base_BH = np.zeros_like(plain.target_BH)
        for fold in np.unique(fold_B):
            base_BH[fold_B == fold] = self.ridge.without[fold].point(plain.only(fold_B == fold))
        return with_base(plain, base_BH)

    @property
    def future_names(self) -> tuple[str, ...]:
        """Names of the columns ahead, the ridge's forecast last."""
        return (*super().future_names, "y, forecast of a ridge")
