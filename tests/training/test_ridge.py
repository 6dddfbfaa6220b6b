"""How a ridge is learned: own weights where a series has earned them, and no week hears itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.baselines import Gram, HourlyRidge, Relative
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


def alike(days: int, odd: str | None = None) -> Demand:
    """Six towns that follow the temperature in one way, each with noise of its own; an odd one turns against it."""
    rng = np.random.default_rng(11)
    ds = pd.date_range(utc("2022-01-01"), periods=days * 24, freq="1h")
    parts = []
    for name in "abcdef":
        temperature = 12 + rng.normal(0, 4, days).repeat(24)
        y = 500 + (-8 if name == odd else 8) * temperature + rng.normal(0, 40, len(ds))
        parts.append(pd.DataFrame({"unique_id": name, "ds": ds, "y": y, "temperature": temperature}))
    return Demand.from_frame(pd.concat(parts), columns=Columns(known=("temperature",)))


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


@pytest.mark.parametrize(("days", "stride", "own"), [(66, 6, False), (160, 72, False), (70, 24, True)])
def test_own_weights_need_sixty_windows_over_sixty_days(days: int, stride: int, own: bool) -> None:
    ridge, _, windows = learned(opposites(days), stride=stride)
    # The third case has 61 windows of each series, from the ninth day to the last.
    assert (len(windows) // 2 >= 60) == (stride < 72)
    assert ridge.whole.weights_GKD.shape[0] == (3 if own else 1)
    assert all(one.weights_GKD.shape[0] == (3 if own else 1) for one in ridge.without)


def squares(ridge: LearnedRidge, features: Features, windows: WindowSet) -> np.ndarray:
    """Squared relative error per series of every week under the ridge that has not seen it, from its forecasts."""
    everything = np.arange(len(windows))
    inputs = features.inputs(windows, features.clock(windows), everything)
    fold_B, total_S = fold_of(windows, everything), np.zeros(len(features.state.series))
    for fold in range(FOLDS):
        part = inputs.only(fold_B == fold)
        relative = Relative.of(part)
        said_BH = (ridge.without[fold].point(part) - relative.level_B[:, None]) / relative.size_B[:, None]
        np.add.at(total_S, part.series_B, ((said_BH - relative.target(part)) ** 2).sum(1))
    return total_S


def same(one: LearnedRidge, other: LearnedRidge, group: int) -> bool:
    """Whether two ridges, and all their folds, have one group's weights in common."""
    pairs = zip((one.whole, *one.without), (other.whole, *other.without), strict=True)
    return all(np.allclose(a.weights_GKD[group], b.weights_GKD[group], rtol=1e-6, atol=1e-9) for a, b in pairs)


def test_the_pooled_penalty_is_the_best_on_weeks_left_out() -> None:
    grid = (1e-3, 1.0, 100.0, 1e4, 1e6)
    fixed = [learned(alike(80), per_series=False, alphas=(alpha,)) for alpha in grid]
    best = int(np.argmin([squares(*each).sum() for each in fixed]))
    assert 0 < best < len(grid) - 1
    chosen, _, _ = learned(alike(80), per_series=False, alphas=grid)
    assert [same(chosen, one, 0) for one, _, _ in fixed] == [place == best for place in range(len(grid))]


def test_each_series_has_the_penalty_that_is_best_for_it_on_weeks_left_out() -> None:
    grid = (1.0, 30.0, 1e3, 1e5)
    table = alike(100, odd="f")
    fixed = [learned(table, alphas=(10.0,), own_alphas=(alpha,)) for alpha in grid]
    best_S = np.argmin([squares(*each) for each in fixed], axis=0)
    assert 0 < best_S[5] == best_S.min() < best_S.max() < len(grid) - 1
    chosen, _, _ = learned(table, alphas=(10.0,), own_alphas=grid)
    for series, best in enumerate(best_S):
        said = [same(chosen, one, series + 1) for one, _, _ in fixed]
        assert said == [place == best for place in range(len(grid))]


def test_a_series_like_the_others_keeps_to_the_pooled_weights() -> None:
    start, days = utc("2022-03-20"), pd.date_range(utc("2022-03-20"), periods=20, freq="1D")
    early = alike(100).as_of(start)
    own, features, _ = learned(early)
    pooled, _, _ = learned(early, per_series=False)
    fresh = asked(features, alike(100), list(days))
    errors = {name: np.abs(ridge.whole.point(fresh) - fresh.target_BH) for name, ridge in
              (("own", own), ("pooled", pooled))}  # fmt: skip
    alone, reader, _ = learned(early.select(["a"]))
    only = asked(reader, alike(100).select(["a"]), list(days))
    errors["alone"] = np.abs(alone.whole.point(only) - only.target_BH)
    assert own.whole.weights_GKD.shape[0] == 7
    assert errors["own"].mean() < 1.02 * errors["pooled"].mean()
    first = fresh.series_B == 0
    assert errors["own"][first].mean() < 1.02 * errors["pooled"][first].mean() < 0.98 * errors["alone"].mean()


def test_an_hour_that_a_series_never_showed_is_said_by_all_together() -> None:
    frame = alike(100).to_frame()
    frame.loc[(frame["unique_id"] == "a") & (frame["ds"].dt.hour == 3), "y"] = np.nan
    ridge, _, _ = learned(Demand.from_frame(frame, columns=Columns(known=("temperature",))))
    weights_GKD = ridge.whole.weights_GKD
    np.testing.assert_array_equal(weights_GKD[1, 3], weights_GKD[0, 3])
    assert not np.allclose(weights_GKD[1, 4], weights_GKD[0, 4])


def test_weeks_of_one_fold_judge_nothing_and_get_the_middle_penalty() -> None:
    demand = plain(100 + np.random.default_rng(6).normal(0, 5, 14 * 24), start="2024-01-04")  # a Thursday
    chosen, _, windows = learned(demand, alphas=(1.0, 20.0, 300.0, 4000.0))
    assert len(windows) > 1
    assert len(set(fold_of(windows, np.arange(len(windows))))) == 1
    fixed = [learned(demand, alphas=(alpha,))[0] for alpha in (1.0, 20.0, 300.0, 4000.0)]
    assert [same(chosen, one, 0) for one in fixed] == [False, True, False, False]
    for one in chosen.without:
        np.testing.assert_allclose(one.weights_GKD, chosen.whole.weights_GKD)


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
    nonsense = np.concatenate([y[:-24], np.full(24, 1500.0)])
    return plain(y), plain(nonsense)


def test_no_week_hears_a_ridge_that_learned_from_it() -> None:
    base, whole = [], []
    for demand in spoiled_end():
        ridge, features, windows = learned(demand, alphas=(10.0,))
        last = np.array([len(windows) - 1])
        assert windows.origins.at(last, demand)[1][0] == 59 * 24
        for out_of_fold, heard in ((True, base), (False, whole)):
            reader = BasedFeatures.on(features, ridge, out_of_fold=out_of_fold)
            inputs = reader.inputs(windows, reader.clock(windows), last)
            assert reader.future_names[-1] == "y, forecast of a ridge"
            heard.append(inputs.future_BHF[0, :, -1])
    np.testing.assert_array_equal(base[0], base[1])
    assert np.abs(whole[0] - whole[1]).max() > 10


def test_no_week_reaches_itself_through_the_pooled_weights_either() -> None:
    frame = alike(80).to_frame()
    nonsense = frame.assign(y=frame["y"].where(frame["ds"] < frame["ds"].max() - pd.Timedelta("23h"), 8 * frame["y"]))
    weights, whole = [], []
    for one in (frame, nonsense):
        table = Demand.from_frame(one, columns=Columns(known=("temperature",)))
        ridge, _, windows = learned(table, alphas=(10.0,), own_alphas=(30.0,))
        fold = int(fold_of(windows, np.array([len(windows) - 1]))[0])
        weights.append(ridge.without[fold].weights_GKD)
        whole.append(ridge.whole.weights_GKD)
    assert weights[0].shape[0] == 7
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-9, atol=1e-12)
    assert (np.abs(whole[0] - whole[1]).max((1, 2)) > 0.1).all()


def test_every_other_fold_did_learn_from_that_week() -> None:
    (one, features, windows), (other, _, _) = (learned(demand, alphas=(10.0,)) for demand in spoiled_end())
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
        target[silent] = 1500.0
        for targets in (inputs.target_BH, target):
            told = replace(inputs, past_mask_BLP=mask, target_BH=targets)
            gram = Gram(HourlyRidge.blank(features, told, LEVELS), 1)
            gram.add(told, np.zeros(20, dtype=np.int64))
            weights.append(gram.solve([10.0], gram.ridge.pooled_KE)[0])
    np.testing.assert_array_equal(weights[0], weights[1])
    assert np.abs(weights[2] - weights[3]).max() > 0.1


def test_an_absurd_target_teaches_nothing() -> None:
    y = 100 + np.random.default_rng(2).normal(0, 5, 60 * 24)
    weights = [learned(plain(np.concatenate([y[:-24], np.full(24, last)])), alphas=(10.0,))[0].whole.weights_GKD
               for last in (1e5, 1e9)]  # fmt: skip
    np.testing.assert_array_equal(*weights)
