"""From level to value and back, tails included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from forecast.errors import DataError
from forecast.paths import place_of, plotting_positions, rank_outcomes, values_at
from forecast.tables import LEVELS

NORMAL = norm.ppf(LEVELS)


def test_levels_of_the_forecast_are_hit_exactly() -> None:
    quantiles = np.sort(np.random.default_rng(0).normal(500, 20, (3, 9)), axis=1)
    np.testing.assert_array_equal(values_at(quantiles, LEVELS, np.array(LEVELS)), quantiles)


def test_every_decile_is_a_plotting_position_of_499() -> None:
    positions = plotting_positions(499)
    assert [positions[place_of(level, 499)] for level in LEVELS] == list(LEVELS)


@given(st.floats(0.001, 0.999), st.integers(999, 2000))
def test_a_place_stands_for_its_level_or_just_more(level: float, count: int) -> None:
    positions = plotting_positions(count)
    at = place_of(level, count)
    assert positions[at] >= level - 1e-9
    assert at == 0 or positions[at - 1] < level


def test_tails_come_near_those_of_a_normal_distribution() -> None:
    told = values_at(NORMAL, LEVELS, np.array([0.02, 0.98]))
    np.testing.assert_allclose(told, norm.ppf([0.02, 0.98]), atol=0.1)


@given(arrays(np.float64, 9, elements=st.floats(-1e6, 1e6)), st.integers(1, 300))
def test_values_never_fall_with_their_level(values: np.ndarray, count: int) -> None:
    told = values_at(np.sort(values), LEVELS, plotting_positions(count))
    assert (np.diff(told) >= 0).all()


def test_ranks_are_the_inverse_of_values() -> None:
    u = np.linspace(0.005, 0.995, 199)
    y = values_at(NORMAL, LEVELS, u)
    ranks = rank_outcomes(np.broadcast_to(NORMAL, (1, 199, 9)), LEVELS, y[None], np.ones((1, 199), bool))
    np.testing.assert_allclose(ranks[0], u, atol=1e-6)


def test_ranks_of_true_forecasts_are_uniform() -> None:
    y = np.random.default_rng(0).normal(size=(4000, 2))
    ranks = rank_outcomes(np.broadcast_to(NORMAL, (4000, 2, 9)), LEVELS, y, np.ones(y.shape, bool))
    shares, _ = np.histogram(ranks, bins=10, range=(0, 1))
    np.testing.assert_allclose(shares / y.size, 0.1, atol=0.015)


def test_unknown_outcomes_have_no_rank() -> None:
    quantiles = np.broadcast_to(NORMAL, (2, 3, 9)).copy()
    quantiles[1, 2] = np.nan
    y = np.zeros((2, 3))
    y[0, 0] = np.nan
    known = np.ones((2, 3), bool)
    known[0, 1] = False
    ranks = rank_outcomes(quantiles, LEVELS, y, known)
    assert ranks.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(ranks), [[True, True, False], [False, False, True]])


def test_far_outcomes_keep_off_the_bounds() -> None:
    ranks = rank_outcomes(NORMAL[None, None], LEVELS, np.array([[1e9]]), np.ones((1, 1), bool))
    low = rank_outcomes(NORMAL[None, None], LEVELS, np.array([[-1e9]]), np.ones((1, 1), bool))
    assert 0 < low[0, 0] < 0.001
    assert 0.999 < ranks[0, 0] < 1


@pytest.mark.parametrize(("y", "rank"), [(5.0, 0.5), (4.0, 0.0), (6.0, 1.0)])
def test_a_forecast_without_width(y: float, rank: float) -> None:
    ranks = rank_outcomes(np.full((1, 1, 9), 5.0), LEVELS, np.array([[y]]), np.ones((1, 1), bool))
    assert ranks[0, 0] == pytest.approx(rank, abs=1e-6)


@pytest.mark.parametrize(
    ("quantiles", "y", "rank"), [([1, 1, 2], 1.0, 0.35), ([1, 2, 2], 2.0, 0.65), ([1, 2, 3], 2.0, 0.5)]
)
def test_flat_stretches_take_their_middle(quantiles: list[float], y: float, rank: float) -> None:
    table = np.array(quantiles, dtype=float)[None, None]
    assert rank_outcomes(table, (0.2, 0.5, 0.8), np.array([[y]]), np.ones((1, 1), bool))[0, 0] == pytest.approx(rank)


def test_one_level_is_one_value() -> None:
    np.testing.assert_array_equal(values_at(np.array([[7.0]]), [0.5], np.array([0.1, 0.9])), [[7.0, 7.0]])
    ranks = rank_outcomes(np.full((1, 3, 1), 7.0), [0.5], np.array([[6.0, 7.0, 8.0]]), np.ones((1, 3), bool))
    np.testing.assert_allclose(ranks, [[0.25, 0.5, 0.75]])


@pytest.mark.parametrize("levels", [(0.5, 0.1, 0.9), (0.0, 0.5, 0.9), (0.1, 0.9)])
def test_levels_are_checked(levels: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="levels"):
        values_at(np.zeros((1, 3)), levels, np.array([0.5]))
