"""Errors of the last days correct a forecast and say how wide it must be; chance teaches nothing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from forecast.forecaster.correction import NARROWEST, WIDEST, Correction
from forecast.forecaster.echo import Moments
from forecast.forecaster.saying import corrected
from forecast.recipe import CorrectionConfig
from forecast.tables.forecast import LEVELS

HOURS, DAYS, MIDDLE = 24, 14, 4
BLANK = Correction(config=CorrectionConfig(days=DAYS), levels=LEVELS)


class Errors(NamedTuple):
    """Of the days before, [N, K, H], and of the forecast itself, [N, H]."""

    error_NKH: np.ndarray
    left_NH: np.ndarray

    @property
    def known(self) -> tuple[np.ndarray, np.ndarray]:
        return np.ones(self.error_NKH.shape, bool), np.ones(self.left_NH.shape, bool)


def errors(seed: int, day: float = 0.0, hour: float = 0.0, count: int = 600) -> Errors:
    """White noise of deviation 1 beside a persistent error of the whole day and one of each hour."""
    rng = np.random.default_rng(seed)
    planted_N1H = rng.normal(0, 1, (count, 1, 1)) * day + rng.normal(0, 1, (count, 1, HOURS)) * hour
    both = planted_N1H + rng.normal(0, 1, (count, DAYS + 1, HOURS))
    return Errors(both[:, 1:], both[:, 0])


def taught(told: Errors) -> Correction:
    known_NKH, left_known_NH = told.known
    return BLANK.with_gains(told.error_NKH, known_NKH, told.left_NH, left_known_NH)


def mae_beside(correction: Correction, told: Errors) -> float:
    """The error after correction, in shares of the one before."""
    shift_NH = correction.shift(told.error_NKH, told.known[0])
    return float(np.abs(told.left_NH - shift_NH).mean() / np.abs(told.left_NH).mean())


def test_a_persistent_error_of_the_day_is_learned_and_taken_off() -> None:
    correction = taught(errors(1, day=3.0))
    assert correction.day_gain > 0.9
    assert correction.hour_gain < 0.2
    assert mae_beside(correction, errors(2, day=3.0)) < 0.5


def test_a_persistent_error_of_the_hour_is_learned_and_taken_off() -> None:
    correction = taught(errors(3, hour=3.0))
    assert correction.hour_gain > 0.9
    assert mae_beside(correction, errors(4, hour=3.0)) < 0.5


def test_gains_come_near_the_shares_that_made_the_errors() -> None:
    rng = np.random.default_rng(5)
    told = errors(5, day=1.0, hour=1.0, count=1500)
    day_N = _weighted(told.error_NKH.mean(2), half_life=1.0)
    hour_NH = _weighted(told.error_NKH - told.error_NKH.mean(2, keepdims=True), half_life=5.0)
    left_NH = 0.6 * day_N[:, None] + 0.3 * hour_NH + rng.normal(0, 0.5, told.left_NH.shape)
    correction = taught(Errors(told.error_NKH, left_NH))
    assert correction.day_gain == pytest.approx(0.6, abs=0.05)
    assert correction.hour_gain == pytest.approx(0.3, abs=0.05)


def _weighted(values: np.ndarray, half_life: float) -> np.ndarray:
    weight_K = 0.5 ** (np.arange(DAYS) / half_life)
    return np.tensordot(values, weight_K / weight_K.sum(), axes=([1], [0]))


def test_white_noise_teaches_next_to_nothing() -> None:
    correction = taught(errors(6, count=2000))
    assert correction.day_gain < 0.1
    assert correction.hour_gain < 0.1
    assert mae_beside(correction, errors(7)) == pytest.approx(1.0, abs=0.01)


def test_a_few_hours_teach_nothing_and_unknown_ones_never_count() -> None:
    told = errors(8, day=3.0)
    few = Errors(told.error_NKH[:4], told.left_NH[:4])
    assert taught(few) == BLANK
    known = np.random.default_rng(0).random(told.error_NKH.shape) < 0.8
    left_known = np.random.default_rng(1).random(told.left_NH.shape) < 0.8
    answers = []
    for poison in (0.0, 1e9):
        error = np.where(known, told.error_NKH, poison)
        left = np.where(left_known, told.left_NH, poison)
        correction = BLANK.with_gains(error, known, left, left_known)
        answers.append((correction, correction.shift(error, known).tobytes()))
    assert answers[0] == answers[1]
    assert answers[0][0].day_gain > 0.8


def test_where_few_days_are_known_little_is_corrected() -> None:
    correction = BLANK.model_copy(update={"day_gain": 1.0})
    error, known = np.full((2, DAYS, HOURS), 10.0), np.ones((2, DAYS, HOURS), bool)
    known[1, :1] = False
    whole, less = correction.shift(error, known)[:, 0]
    assert whole == pytest.approx(10.0)
    assert 4 < less < 6  # the newest of half-life one day holds half of the weight
    assert (correction.shift(error, np.zeros_like(known)) == 0).all()


def said(spread: np.ndarray | float, shape: tuple[int, ...], middle: float = 1000.0) -> np.ndarray:
    """Normal quantiles of a deviation about a median."""
    return middle + np.asarray(spread)[..., None] * norm.ppf(LEVELS) * np.ones((*shape, len(LEVELS)))


def calm(seed: int = 9) -> Correction:
    """A correction whose held-out outcomes fell where the intervals said."""
    y = 1000 + np.random.default_rng(seed).normal(0, 10, (300, HOURS))
    return BLANK.with_ratios(said(10.0, (300, HOURS)), y, np.ones(y.shape, bool))


def factors(spread_K: np.ndarray, known: np.ndarray | None = None, count: int = 200) -> np.ndarray:
    """Mean factor per level after days of these deviations, nearest first, under intervals for deviation 10."""
    y = 1000 + np.random.default_rng(10).normal(0, 1, (count, len(spread_K), HOURS)) * spread_K[:, None]
    known = np.ones(y.shape, bool) if known is None else np.broadcast_to(known[:, None], y.shape)
    return calm().factors(said(10.0, y.shape), y, known).mean(0)


def test_intervals_widen_after_the_variance_has_doubled_and_come_back() -> None:
    usual = factors(np.full(DAYS, 10.0))
    np.testing.assert_allclose(np.delete(usual, MIDDLE), 1.0, atol=0.05)
    by_days = np.array([factors(np.r_[np.full(n, 14.2), np.full(DAYS - n, 10.0)])[[0, 8]] for n in (0, 3, 7, DAYS)])
    assert (np.diff(by_days, axis=0) > 0.01).all(), "each wild day widens"
    assert (by_days[-1] > 1.08).all()
    back = np.array([factors(np.r_[np.full(n, 10.0), np.full(DAYS - n, 14.2)])[[0, 8]] for n in (3, 7, DAYS)])
    assert (np.diff(back, axis=0) < 0).all(), "each calm day brings them back"
    np.testing.assert_allclose(back[-1], usual[[0, 8]])
    assert (factors(np.full(DAYS, 5.0))[[0, 8]] < 0.9).all(), "calm days narrow"


def test_factors_are_bounded_and_unknown_days_do_not_move_them() -> None:
    wild = factors(np.full(DAYS, 1e6))
    assert wild[[0, 8]].tolist() == [WIDEST, WIDEST]
    assert factors(np.full(DAYS, 1e-9)).min() == pytest.approx(NARROWEST)
    assert (factors(np.full(DAYS, 100.0), np.zeros(DAYS, bool)) == 1).all()
    some = np.arange(DAYS) >= 7  # only the older, calm half is known
    np.testing.assert_allclose(factors(np.r_[np.full(7, 1e6), np.full(7, 10.0)], some)[[0, 8]], 1.0, atol=0.05)
    assert (BLANK.factors(said(1.0, (3, DAYS, HOURS)), np.zeros((3, DAYS, HOURS)), np.ones((3, DAYS, HOURS), bool))
            == 1).all()  # fmt: skip


def test_days_of_the_training_never_say_how_wide() -> None:
    wanted = pd.date_range("2024-02-05", periods=3, freq="1D", tz="UTC")
    moments = Moments.of(wanted, DAYS, "UTC")
    calibrated = said(10.0, (len(moments.all_M), HOURS))
    y = np.broadcast_to(
        1000 + np.linspace(10, 40, HOURS) * np.sign(np.arange(HOURS) % 2 - 0.5), (3, DAYS, HOURS)
    ).astype(np.float32)
    known = np.ones(y.shape, bool)
    widths = []
    for since in (0, 7, DAYS):
        later = np.broadcast_to(np.arange(DAYS) < since, (3, DAYS))
        answer = corrected(calm(), calibrated, moments, y, known, later)
        np.testing.assert_array_equal(answer[..., MIDDLE], calibrated[:3, :, MIDDLE])
        widths.append((answer[..., 8] - answer[..., 0]).mean())
    assert widths[0] == pytest.approx((calibrated[..., 8] - calibrated[..., 0]).mean())
    assert widths[0] * 1.2 < widths[1] < widths[2]


finite = st.floats(-1e6, 1e6, allow_subnormal=False)


@settings(max_examples=60)
@given(arrays(float, (2, 3, 9), elements=finite), arrays(float, (2, 9), elements=st.floats(NARROWEST, WIDEST)))
def test_widened_levels_keep_their_order_and_their_median(quantiles: np.ndarray, factor: np.ndarray) -> None:
    quantiles = np.sort(quantiles, axis=-1)
    answer = BLANK.widened(quantiles, factor)
    assert (np.diff(answer, axis=-1) >= 0).all()
    np.testing.assert_array_equal(answer[..., MIDDLE], quantiles[..., MIDDLE])
    np.testing.assert_array_equal(BLANK.widened(quantiles, np.ones((2, 9)))[..., MIDDLE], quantiles[..., MIDDLE])


@settings(max_examples=40)
@given(
    arrays(float, (2, DAYS, HOURS), elements=finite), arrays(bool, (2, DAYS, HOURS)), st.floats(0, 1), st.floats(0, 1)
)
def test_any_errors_give_finite_ordered_levels(y: np.ndarray, known: np.ndarray, day: float, hour: float) -> None:
    correction = calm().model_copy(update={"day_gain": day, "hour_gain": hour})
    factor = correction.factors(said(10.0, y.shape), y, known)
    assert np.isfinite(factor).all()
    assert ((factor >= NARROWEST) & (factor <= WIDEST)).all()
    shift = correction.shift(np.where(known, y - 1000, 0), known)
    answer = correction.widened(said(10.0, (2, HOURS)) + shift[..., None], factor)
    assert np.isfinite(answer).all()
    assert (np.diff(answer, axis=-1) >= 0).all()


def test_what_is_kept_of_the_days_before_fades_into_the_new() -> None:
    wild = 1000 + np.random.default_rng(11).normal(0, 30, (300, HOURS))
    known = np.ones(wild.shape, bool)
    outer = [
        np.quantile(calm().with_ratios(said(10.0, wild.shape), wild, known, keep).ratios_QG[8], 0.9)
        for keep in (0.0, 0.5, 1.0)
    ]
    assert outer[0] > 1.3 * outer[1] > 1.3 * outer[2]
    assert outer[2] == pytest.approx(1.0, abs=0.05)
    assert calm().with_ratios(said(10.0, wild.shape), wild, ~known) == calm()


def test_a_correction_survives_json() -> None:
    correction = calm().model_copy(update={"day_gain": 0.123456789012345, "hour_gain": 1 / 3})
    assert Correction.model_validate_json(correction.model_dump_json()) == correction
