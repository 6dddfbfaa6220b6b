"""Calibrated intervals cover what they promise on data that they were not calibrated on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.calibration import Calibration, window_scale
from forecast.tables.forecast import LEVELS


def world(seed: int, windows: int = 400) -> tuple[np.ndarray, ...]:
    """Forecasts whose quantiles are far too narrow, errors that grow with the window's scale and by evening."""
    rng = np.random.default_rng(seed)
    scale_B = rng.uniform(1, 50, windows)
    hour_BH = np.tile(np.arange(24), (windows, 1))
    spread_BH = scale_B[:, None] * (0.5 + hour_BH / 12)
    middle_BH = rng.normal(1000, 100, (windows, 24))
    y_BH = middle_BH + spread_BH * rng.standard_t(4, (windows, 24))
    narrow_BHQ = middle_BH[..., None] + 0.05 * scale_B[:, None, None] * (np.array(LEVELS) - 0.5)
    return narrow_BHQ, y_BH, hour_BH, scale_B


def test_every_level_covers_its_share_of_fresh_days_at_every_hour() -> None:
    q, y, hour, scale = world(1)
    calibration = Calibration.fit(q, y, np.ones_like(y, bool), hour, scale, LEVELS)
    fresh, truth, hour, scale = world(2)
    said = calibration.apply(fresh, hour, scale)
    below_HQ = (truth[..., None] <= said).mean(0)
    np.testing.assert_allclose(below_HQ.mean(0), LEVELS, atol=0.025)
    assert np.abs(below_HQ[:, [0, 8]] - [0.1, 0.9]).max() < 0.07
    raw = (truth[..., None] <= fresh).mean((0, 1))
    assert raw[8] < 0.6, "the world needs calibration, or this test proves nothing"


def test_the_median_stays_and_nothing_crosses() -> None:
    q, y, hour, scale = world(3, 60)
    said = Calibration.fit(q, y, np.ones_like(y, bool), hour, scale, LEVELS).apply(q, hour, scale)
    np.testing.assert_array_equal(said[..., 4], q[..., 4])
    assert (np.diff(said, axis=2) >= 0).all()


@given(st.lists(st.floats(-5, 5, allow_subnormal=False), min_size=9, max_size=9), st.floats(1e-3, 1e3))
def test_any_shifts_give_ordered_levels_around_an_unmoved_median(shifts: list[float], scale: float) -> None:
    shifts[4] = 0.0
    calibration = Calibration.none(LEVELS).model_copy(update={"shift_KQ": (tuple(shifts),) * 24})
    q = np.sort(np.random.default_rng(0).normal(size=(2, 3, 9)), axis=2)
    said = calibration.apply(q, np.zeros((2, 3), int), np.array([scale, 1.0]))
    assert (np.diff(said, axis=2) >= 0).all()
    np.testing.assert_array_equal(said[..., 4], q[..., 4])


def test_without_anything_held_out_nothing_moves() -> None:
    q, y, hour, scale = world(4, 10)
    calibration = Calibration.fit(q, y, np.zeros_like(y, bool), hour, scale, LEVELS)
    assert calibration == Calibration.none(LEVELS)
    np.testing.assert_array_equal(calibration.apply(q, hour, scale), q)


def test_unknown_steps_teach_nothing() -> None:
    q, y, hour, scale = world(5, 50)
    known = np.random.default_rng(0).random(y.shape) < 0.7
    spoiled = np.where(known, y, 1e9)
    one, other = (Calibration.fit(q, truth, known, hour, scale, LEVELS) for truth in (y, spoiled))
    assert one == other


def test_an_hour_with_few_errors_leans_on_the_shape_of_all_hours() -> None:
    q, y, hour, scale = world(6, 200)
    known = np.ones_like(y, bool)
    known[6:, 23] = False
    wild = y.copy()
    wild[:, 23] = q[:, 23, 4] + 4 * (y[:, 23] - q[:, 23, 4])
    usual, tossed = (np.array(Calibration.fit(q, truth, known, hour, scale, LEVELS).shift_KQ) for truth in (y, wild))
    # Six days are too few for a 90 % quantile of their own, and enough to see that this hour's errors are larger.
    assert 2 * usual[:23, 8].mean() < tossed[23, 8]
    assert abs(tossed[:23, 8].mean() - usual[:23, 8].mean()) < 0.1 * usual[:23, 8].mean()


def test_calibration_survives_json_bit_for_bit() -> None:
    q, y, hour, scale = world(7, 30)
    calibration = Calibration.fit(q, y, np.ones_like(y, bool), hour, scale, LEVELS)
    assert Calibration.model_validate_json(calibration.model_dump_json()) == calibration


def test_the_scale_is_the_spread_of_what_is_known() -> None:
    y = np.array([[1.0, 3.0, 1e9, 5.0], [7.0, 7.0, 7.0, 7.0], [0, 0, 0, 0], [9.0, 9.0, 9.0, 9.0]])
    mask = np.array([[1, 1, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]])
    got = window_scale(y, mask)
    np.testing.assert_allclose(got, [np.std([1, 3, 5]), 7e-6, 1e-9, 1.0])
    assert window_scale(y * 1000, mask)[0] == pytest.approx(1000 * got[0])


def test_few_errors_move_the_outer_levels_a_little_further_out() -> None:
    """With 19 errors the plain 90 % quantile would cover 86 % of fresh ones; the finite-sample step makes it 90 %."""
    rng = np.random.default_rng(8)
    covered = []
    for errors in rng.normal(size=(600, 19)):
        zeros_BHQ = np.zeros((19, 1, 3))
        calibration = Calibration.fit(
            zeros_BHQ, errors[:, None], np.ones((19, 1), bool), np.zeros((19, 1), int), np.ones(19), (0.1, 0.5, 0.9)
        )
        low, _, high = calibration.apply(zeros_BHQ[:1], np.zeros((1, 1), int), np.ones(1))[0, 0]
        fresh = rng.normal(size=200)
        covered.append(((fresh < low).mean(), (fresh < high).mean()))
    np.testing.assert_allclose(np.mean(covered, axis=0), [0.1, 0.9], atol=0.015)


def test_too_wide_a_model_is_narrowed_and_never_to_nothing() -> None:
    q, y, hour, scale = world(5)
    middle = q[..., 4:5]
    wide = middle + 40 * scale[:, None, None] * (np.array(LEVELS) - 0.5)
    calibration = Calibration.fit(wide, y, np.ones_like(y, bool), hour, scale, LEVELS)
    fresh, truth, hour, scale = world(6)
    wide = fresh[..., 4:5] + 40 * scale[:, None, None] * (np.array(LEVELS) - 0.5)
    said = calibration.apply(wide, hour, scale)
    inside = ((truth >= said[..., 0]) & (truth <= said[..., 8])).mean()
    assert abs(inside - 0.8) < 0.04
    # Windows of a scale that the held-out ones never had keep a width of their own.
    other = calibration.apply(wide, hour, 50 * scale)
    assert ((other[..., 8] - other[..., 0]) > 0.05 * (wide[..., 8] - wide[..., 0])).all()


def test_the_direction_of_a_held_out_bias_is_not_carried_on() -> None:
    q, y, hour, scale = world(7)
    biased = y + 3 * scale[:, None]
    said = Calibration.fit(q, biased, np.ones_like(y, bool), hour, scale, LEVELS).apply(q, hour, scale)
    np.testing.assert_allclose(said[..., 8] - said[..., 4], said[..., 4] - said[..., 0], rtol=1e-6)
