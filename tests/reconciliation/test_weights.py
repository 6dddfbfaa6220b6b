"""How far base forecasts are trusted."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.reconciliation import shrunk_covariance
from forecast.reconciliation.weights import FLOOR, learned, spread, structural
from tests.reconciliation.families import CITY

FAMILY = CITY.families[0]


def test_noise_is_shrunk_and_what_is_common_stays() -> None:
    rng = np.random.default_rng(0)
    noise_EN = rng.normal(size=(60, 8))
    plain_NN, shrunk_NN = np.cov(noise_EN.T), shrunk_covariance(noise_EN)
    off = ~np.eye(8, dtype=bool)
    assert np.diag(shrunk_NN) == pytest.approx(np.diag(plain_NN))
    assert np.abs(shrunk_NN[off]).sum() < 0.35 * np.abs(plain_NN[off]).sum()
    common_EN = noise_EN + 5 * rng.normal(size=(60, 1)) + 100  # 100: a bias is no covariance
    plain_NN, shrunk_NN = np.cov(common_EN.T), shrunk_covariance(common_EN)
    assert shrunk_NN[off] == pytest.approx(plain_NN[off], rel=0.05)
    # More series than moments: the sample covariance is singular, the shrunk one is not.
    wide_EN = rng.normal(size=(20, 40))
    assert np.linalg.matrix_rank(np.cov(wide_EN.T)) < 40
    assert np.linalg.eigvalsh(shrunk_covariance(wide_EN)).min() > 0.1


def test_a_series_that_never_erred_keeps_an_inverse() -> None:
    errors_EN = np.random.default_rng(1).normal(size=(50, len(FAMILY.names)))
    errors_EN[:, 3] = 0.0
    for method in ("variance", "mint"):
        weight = learned(method, errors_EN)  # type: ignore[arg-type]
        diagonal_N = np.diag(weight) if weight.ndim == 2 else weight
        assert diagonal_N.min() >= FLOOR * 0.5
        assert np.isfinite(np.log(diagonal_N)).all()


def test_spread_is_what_the_forecast_says_and_structure_where_it_says_nothing() -> None:
    assert structural(FAMILY).tolist() == [4, 2, 2, 1, 1, 1, 1]
    width_N = np.arange(1.0, 8.0)
    base_NKQ = 50 + width_N[:, None, None] * np.array([-1.0, 0.0, 1.0]) * np.ones((7, 4, 1))
    assert spread(FAMILY, base_NKQ) == pytest.approx(width_N**2 * 2 / 3)
    assert spread(FAMILY, base_NKQ[..., :1]).tolist() == structural(FAMILY).tolist()
