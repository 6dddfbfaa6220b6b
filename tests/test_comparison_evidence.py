"""The Diebold–Mariano test and the bootstrap: by hand, by simulation, at their level."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from forecast.comparison.evidence import diebold_mariano, gain_interval, long_run_variance


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=40), st.integers(0, 10))
def test_the_long_run_variance_equals_its_double_sum_and_is_never_negative(values: list[float], lags: int) -> None:
    centred = np.array(values) - np.mean(values)
    size, lags = len(values), min(lags, len(values) - 1)
    double = sum(
        max(0.0, 1 - abs(i - j) / (lags + 1)) * centred[i] * centred[j] for i in range(size) for j in range(size)
    )
    found = long_run_variance(np.array(values), lags)
    assert found >= 0
    assert found == pytest.approx(max(double, 0) / size, rel=1e-6, abs=1e-6)


def test_diebold_mariano_by_hand() -> None:
    champion, challenger = np.array([3.0, 5.0, 4.0, 6.0, 7.0]), np.array([2.0, 5.0, 2.0, 3.0, 6.0])
    # Differences 1 0 2 3 1 with mean 1.4; sums of products at lags 0, 1 and 2: 5.2, 0.04, -2.72. Two lags for five
    # origins, Bartlett weights 2/3 and 1/3, small-sample factor (5 + 1 - 2*3 + 3*2/5) / 5 = 0.24.
    variance = (5.2 + 2 * (2 / 3 * 0.04 + 1 / 3 * -2.72)) / 5
    expected = 1.4 / math.sqrt(variance / 5) * math.sqrt(0.24)
    statistic, p_value = diebold_mariano(champion, challenger)
    assert statistic == pytest.approx(expected)
    assert p_value == pytest.approx(2 * t.sf(expected, df=4))


def test_overlapping_forecasts_weaken_the_evidence() -> None:
    rng = np.random.default_rng(3)
    shared = np.convolve(rng.normal(0.3, 1, 206), np.ones(7) / 7, mode="valid")
    alone = diebold_mariano(shared, np.zeros(200), overlap=1)
    overlapped = diebold_mariano(shared, np.zeros(200), overlap=7)
    assert overlapped[1] > alone[1]


@pytest.mark.parametrize("origins", [14, 60, 184])
def test_equal_models_are_seldom_told_apart(origins: int) -> None:
    rng = np.random.default_rng(0)
    taken_for_better = 0
    for _ in range(1000):
        noise = rng.normal(size=(2, origins + 1))
        champion, challenger = noise[:, 1:] + 0.4 * noise[:, :-1] + 10
        statistic, p_value = diebold_mariano(champion, challenger)
        taken_for_better += p_value < 0.05 and statistic > 0
    assert taken_for_better / 1000 < 0.05


def test_a_real_difference_is_found() -> None:
    rng = np.random.default_rng(0)
    found = [diebold_mariano(rng.normal(10.5, 1, 60), np.full(60, 10.0))[1] < 0.05 for _ in range(200)]
    assert np.mean(found) > 0.8


def test_the_bootstrap_interval_holds_the_true_gain() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for seed in range(100):
        champion, challenger = rng.gamma(5, 2, 120), rng.gamma(5, 1.8, 120)
        low, high = gain_interval(champion, challenger, np.arange(120), seed=seed)
        held += low <= 10 <= high
    assert 85 <= held <= 100


def test_the_bootstrap_moves_whole_days() -> None:
    day = np.repeat(np.arange(12), 24)
    champion = np.repeat(np.arange(1.0, 13.0), 24)
    low, high = gain_interval(champion, champion / 2, day)
    assert low == pytest.approx(50)
    assert high == pytest.approx(50)
    assert all(math.isnan(bound) for bound in gain_interval(np.zeros(3), np.ones(3), np.arange(3)))
