"""Paths keep every period's distribution, move as history moved, and are repeatable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm, spearmanr

from forecast.errors import DataError, RequestError
from forecast.paths import correlation, daily, paths, places, plotting_positions, sample_quantiles, values_at
from forecast.tables import LEVELS


def wandering(rng: np.random.Generator, days: int, steps: int, persistence: float) -> np.ndarray:
    """Standard normal errors of a first-order autoregression."""
    error = rng.normal(size=(days, steps))
    for step in range(1, steps):
        error[:, step] = persistence * error[:, step - 1] + np.sqrt(1 - persistence**2) * error[:, step]
    return error


def history(days: int, steps: int = 24, persistence: float = 0.8, seed: int = 0) -> np.ndarray:
    """Ranks of such errors under true forecasts."""
    return norm.cdf(wandering(np.random.default_rng(seed), days, steps, persistence))


def normal_quantiles(steps: int = 24) -> np.ndarray:
    return 500 + 20 * np.tile(norm.ppf(LEVELS), (steps, 1)) + 50 * np.sin(np.arange(steps) / steps * 2 * np.pi)[:, None]


@st.composite
def forecasts(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Monotone quantiles [H, 9] of any shape, and any rank history, holes and whole missing days included."""
    steps = draw(st.integers(1, 6))
    values = draw(arrays(np.float64, (steps, 9), elements=st.floats(-1e5, 1e5)))
    days = draw(st.integers(0, 8))
    width = draw(st.integers(1, 8))
    ranks = draw(arrays(np.float64, (days, width), elements=st.floats(0.01, 0.99) | st.just(np.nan)))
    return np.sort(values, axis=1), ranks


@settings(max_examples=150)
@given(forecasts(), st.sampled_from([9, 50, 99, 499]), st.integers(0, 5))
def test_whatever_the_history_marginals_and_peaks_hold(
    case: tuple[np.ndarray, np.ndarray], count: int, seed: int
) -> None:
    quantiles, ranks = case
    drawn = paths(quantiles, LEVELS, ranks, count, seed)
    expected = values_at(quantiles, LEVELS, plotting_positions(count))
    np.testing.assert_array_equal(np.sort(drawn, axis=0).T, expected)
    own = sample_quantiles(drawn.T, LEVELS)
    assert (own >= quantiles).all()
    if (count + 1) % 10 == 0:
        np.testing.assert_array_equal(own, quantiles)
    peak = sample_quantiles(drawn.max(1), LEVELS)
    read = daily(drawn, quantiles, LEVELS, np.zeros(len(quantiles), int))
    assert (peak >= quantiles.max(0)).all()
    np.testing.assert_array_equal(read.peak_NQ, peak)  # the guard had nothing to do
    lowest, highest = expected[:, 0].sum(), expected[:, -1].sum()
    slack = 1e-9 * np.abs(expected).sum()
    assert (read.energy_NQ >= lowest - slack).all()
    assert (read.energy_NQ <= highest + slack).all()


@pytest.mark.parametrize("days", [0, 1, 2, 40])
def test_every_step_is_a_permutation(days: int) -> None:
    place = places(history(days), np.arange(24), 99, 0)
    np.testing.assert_array_equal(np.sort(place, axis=0), np.tile(np.arange(99)[:, None], 24))


def test_the_same_seed_gives_the_same_paths_and_another_does_not() -> None:
    first, again, other = (paths(normal_quantiles(), LEVELS, history(60), 99, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_origins_do_not_change_each_other() -> None:
    some = np.stack([normal_quantiles(), normal_quantiles() * 2, normal_quantiles() - 100])
    together = paths(some, LEVELS, history(30), 99)
    assert together.shape == (3, 99, 24)
    np.testing.assert_array_equal(together[1], paths(some[1], LEVELS, history(30), 99))


@pytest.mark.parametrize("persistence", [0.3, 0.9])
def test_paths_move_as_history_moved(persistence: float) -> None:
    drawn = paths(normal_quantiles(), LEVELS, history(400, persistence=persistence), 499)
    expected = correlation(norm.ppf(history(20_000, persistence=persistence, seed=9)), np.arange(24))
    np.testing.assert_allclose(spearmanr(drawn).statistic, expected, atol=0.2)
    near = [spearmanr(drawn[:, step], drawn[:, step + 1]).statistic for step in range(23)]
    assert np.mean(near) == pytest.approx(persistence, abs=0.05)


def test_a_lopsided_dependence_is_kept() -> None:
    """Hours that only fall together: a Gaussian cannot show it, the days themselves do."""
    rng = np.random.default_rng(0)
    low = rng.uniform(0.001, 0.999, (600, 2))
    low[:, 1] = np.where(low[:, 0] < 0.3, low[:, 0] + rng.uniform(-0.0005, 0.0005, 600), 0.3 + 0.699 * rng.random(600))
    place = places(low, np.arange(2), 499, 0)
    falls, rises = (np.mean((place[:, 1] < 60)[place[:, 0] < 60]), np.mean((place[:, 1] > 439)[place[:, 0] > 439]))
    assert falls > 0.75
    assert rises < 0.4


def test_without_history_near_steps_move_together_and_far_ones_less() -> None:
    drawn = paths(normal_quantiles(), LEVELS, np.empty((0, 24)), 999)
    close, far = (spearmanr(drawn[:, 0], drawn[:, step]).statistic for step in (1, 20))
    assert close == pytest.approx(0.9, abs=0.03)
    assert far < 0.3


def test_without_history_an_hour_is_an_hour_whatever_the_step() -> None:
    hourly = paths(normal_quantiles(), LEVELS, np.empty((0, 24)), 999)
    fine = paths(normal_quantiles(144), LEVELS, np.empty((0, 144)), 999, step_hours=1 / 6)
    near = [spearmanr(drawn[:, 0], drawn[:, step]).statistic for drawn, step in ((hourly, 1), (fine, 6))]
    assert near[0] == pytest.approx(near[1], abs=0.03)


def test_steps_pick_the_histories_columns() -> None:
    ranks = history(300, 4, 0.0)
    ranks[:, 3] = ranks[:, 1]
    drawn = paths(normal_quantiles(2), LEVELS, ranks, 499, steps=[1, 3])
    assert spearmanr(drawn).statistic > 0.85


def test_steps_beyond_the_history_are_drawn_from_the_prior() -> None:
    drawn = paths(normal_quantiles(25), LEVELS, history(200, 24), 499)
    assert spearmanr(drawn[:, 23], drawn[:, 24]).statistic > 0.6
    assert spearmanr(drawn[:, 0], drawn[:, 1]).statistic == pytest.approx(0.8, abs=0.06)


def test_few_days_are_drawn_towards_the_prior() -> None:
    score = norm.ppf(history(5, 24, 0.0, seed=3))
    estimate = correlation(score, np.arange(24))
    sample = np.corrcoef(score.T)
    outside = ~np.eye(24, dtype=bool)
    assert np.abs(estimate[outside]).max() < np.abs(sample[outside]).max()
    many = correlation(norm.ppf(history(5000, 24, 0.5)), np.arange(24))
    np.testing.assert_allclose(many, 0.5 ** np.abs(np.subtract.outer(np.arange(24), np.arange(24))), atol=0.06)


@pytest.mark.parametrize("ranks", [np.full((3, 24), 1.5), np.zeros((3, 24)), np.full(24, 0.5)])
def test_ranks_are_checked(ranks: np.ndarray) -> None:
    with pytest.raises(DataError, match="rank history"):
        paths(normal_quantiles(), LEVELS, ranks)


def test_no_path_is_refused() -> None:
    with pytest.raises(RequestError, match="0 paths"):
        paths(normal_quantiles(), LEVELS, history(3), 0)
