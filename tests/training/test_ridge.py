"""How a ridge is learned: own weights where a series has earned them, and no week hears itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.baselines import Gram, HourlyRidge
from forecast.features import Features, Inputs, fit_features
from forecast.features.civil import HOURS
from forecast.recipe import FeatureConfig, RidgeModel
from forecast.tables import Columns, Demand
from forecast.training.ridge import FOLDS, BasedFeatures, LearnedRidge, fold_of, learn_ridge
from forecast.windows import WindowSet, origins_at, origins_every
from tests.builders import plain, utc

LEVELS = (0.1, 0.5, 0.9)
PLAIN = FeatureConfig(reach_days=8, same_hour_days=2, similar_days=False, recent=False, knots=0)


def opposites(days: int, names: tuple[str, ...] = ("cold", "warm")) -> Demand:
    """Two towns under one sky: warmth lowers the load of the first and raises that of the second."""
    ds = pd.date_range(utc("2022-01-01"), periods=days * 24, freq="1h")
    rng = np.random.default_rng(5)
    hours = np.arange(len(ds))
    temperature = 12 + 5 * np.sin(hours / 24 * 2 * np.pi) + rng.normal(0, 4, len(ds) // 24).repeat(24)
    parts = [
        pd.DataFrame({"unique_id": name, "ds": ds, "y": 500 + sign * 10 * temperature, "temperature": temperature})
        for name, sign in zip(names, (-1, 1), strict=True)
    ]
    table = pd.concat(parts)
    table["y"] += rng.normal(0, 3, len(table))
    return Demand.from_frame(table, columns=Columns(known=("temperature",)))


def learned(demand: Demand, stride: int = 24, **options: object) -> tuple[LearnedRidge, Features, WindowSet]:
    features = fit_features(PLAIN, demand, 48)
    windows = features.window_set(demand, origins_every(demand, context=192, horizon=24, stride=stride), 24)
    return learn_ridge(RidgeModel(**options), features, windows, LEVELS), features, windows  # type: ignore[arg-type]


def asked(features: Features, demand: Demand, cutoffs: list[pd.Timestamp]) -> Inputs:
    windows = features.window_set(demand, origins_at(demand, cutoffs), 24)
    return features.inputs(windows, features.clock(windows), np.arange(len(windows)))


@pytest.fixture(scope="module")
def two() -> tuple[LearnedRidge, LearnedRidge, Features]:
    """Own weights per series, pooled ones, and the features of both."""
    table = opposites(330).as_of(utc("2022-11-17"))
    own, features, _ = learned(table)
    pooled, _, _ = learned(table, per_series=False)
    return own, pooled, features


def test_own_weights_beat_pooled_ones_where_series_differ(two: tuple[LearnedRidge, LearnedRidge, Features]) -> None:
    own, pooled, features = two
    fresh = asked(features, opposites(330), list(pd.date_range(utc("2022-11-17"), periods=8, freq="1D")))
    one, other = (np.abs(ridge.whole.point(fresh) - fresh.target_BH).mean() for ridge in (own, pooled))
    assert one < 7.0 < 15.0 < other
    assert own.whole.weights_GKD.shape[:2] == (3, HOURS)
    assert pooled.whole.weights_GKD.shape[:2] == (1, HOURS)


def test_an_unseen_series_gets_the_pooled_weights(two: tuple[LearnedRidge, LearnedRidge, Features]) -> None:
    own, pooled, features = two
    strangers = opposites(330, names=("third", "fourth"))
    fresh = asked(features, strangers, [utc("2022-11-18")])
    assert fresh.series_B.tolist() == [-1, -1]
    np.testing.assert_array_equal(own.whole.point(fresh), pooled.whole.point(fresh))
    known = asked(features, opposites(330), [utc("2022-11-18")])
    assert np.abs(own.whole.point(known) - pooled.whole.point(known)).max() > 5


def test_own_weights_belong_to_the_name_and_not_to_the_place(two: tuple[LearnedRidge, LearnedRidge, Features]) -> None:
    own, _, features = two
    cutoff = [utc("2022-11-18")]
    both, alone = (asked(features, opposites(330).select(names), cutoff) for names in (["cold", "warm"], ["warm"]))
    np.testing.assert_allclose(own.whole.point(alone)[0], own.whole.point(both)[1], rtol=1e-6)


def test_too_short_a_history_earns_no_weights_of_its_own() -> None:
    ridge, _, _ = learned(opposites(200), stride=6)
    assert ridge.whole.weights_GKD.shape[0] == 1


def test_whole_weeks_lie_in_one_fold_and_all_folds_are_used() -> None:
    demand = plain(np.arange(80 * 24.0), start="2024-01-04")  # a Thursday, as 1970 began
    origins = origins_at(demand, list(pd.date_range(utc("2024-01-04"), periods=70, freq="1D")))
    fold_N = fold_of(WindowSet(demand, origins, 24, 24), np.arange(70))
    assert all(len(set(week)) == 1 for week in fold_N.reshape(10, 7))
    assert set(fold_N) == set(range(FOLDS))
    assert (np.diff(fold_N[::7]) != 0).all()


def spoiled_end() -> tuple[Demand, Demand]:
    """A table, and one whose last day's demand is nonsense: the targets of its last daily window, input of none."""
    y = 100 + np.random.default_rng(2).normal(0, 5, 60 * 24)
    nonsense = np.concatenate([y[:-24], np.full(24, 1e6)])
    return plain(y), plain(nonsense)


def test_no_week_hears_a_ridge_that_learned_from_it() -> None:
    base, whole = [], []
    for demand in spoiled_end():
        ridge, features, windows = learned(demand)
        last = np.array([len(windows) - 1])
        assert windows.origins.at(last, demand)[1][0] == 59 * 24
        for out_of_fold, heard in ((True, base), (False, whole)):
            reader = BasedFeatures.on(features, ridge, out_of_fold=out_of_fold)
            inputs = reader.inputs(windows, reader.clock(windows), last)
            assert reader.future_names[-1] == "y, forecast of a ridge"
            heard.append(inputs.future_BHF[0, :, -1])
    np.testing.assert_array_equal(base[0], base[1])
    assert np.abs(whole[0] - whole[1]).max() > 100


def test_every_other_fold_did_learn_from_that_week() -> None:
    (one, features, windows), (other, _, _) = (learned(demand) for demand in spoiled_end())
    own = int(fold_of(windows, np.array([len(windows) - 1]))[0])
    inputs = features.inputs(windows, features.clock(windows), np.array([0]))
    for fold in range(FOLDS):
        same = np.allclose(one.without[fold].point(inputs), other.without[fold].point(inputs))
        assert same == (fold == own)


def test_a_window_without_known_load_teaches_nothing() -> None:
    demand = plain(100 + np.random.default_rng(3).normal(0, 5, 40 * 24))
    features = fit_features(PLAIN, demand, 48)
    inputs = asked(features, demand, list(pd.date_range(utc("2024-01-12"), periods=20, freq="1D")))
    mask = inputs.past_mask_BLP.copy()
    mask[7, :, 0] = 0
    weights = []
    for silent in (7, 8):  # 8 is not silent: its nonsense must show
        target = inputs.target_BH.copy()
        target[silent] = 1e6
        for targets in (inputs.target_BH, target):
            told = replace(inputs, past_mask_BLP=mask, target_BH=targets)
            gram = Gram(HourlyRidge.blank(features, told, LEVELS), 1)
            gram.add(told, np.zeros(20, dtype=np.int64))
            weights.append(gram.solve(RidgeModel())[0])
    np.testing.assert_array_equal(weights[0], weights[1])
    assert np.abs(weights[2] - weights[3]).max() > 1
