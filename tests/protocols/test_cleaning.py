"""Causal cleaning: spikes go, real moves stay, and nothing later decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.protocols.cleaning import cleaned

DAYS = 20


def load(seed: int = 0) -> np.ndarray:
    """Two series of 20 days: a daily wave and a little noise."""
    hours = np.arange(DAYS * 24)
    wave = 1000 + 200 * np.sin(hours / 24 * 2 * np.pi)
    noise = np.random.default_rng(seed).normal(0, 5, (len(hours), 2))
    return np.column_stack([wave, wave / 10]) + noise * [1.0, 0.1]


def test_clean_readings_stay() -> None:
    y_TS = load()
    np.testing.assert_array_equal(cleaned(y_TS), y_TS)


@pytest.mark.parametrize("value", [0.0, 5000.0, -1000.0])
def test_a_spike_goes_alone(value: float) -> None:
    y_TS = load()
    y_TS[300, 0] = value
    np.testing.assert_array_equal(np.argwhere(np.isnan(cleaned(y_TS))), [[300, 0]])


def test_three_agreeing_readings_go_and_from_the_fourth_on_a_move_is_kept() -> None:
    y_TS = load()
    y_TS[300:303, 0] += 600
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(cleaned(y_TS)[:, 0])), [300, 301, 302])
    y_TS[303:, 0] += 600
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(cleaned(y_TS)[:, 0])), [300, 301, 302])


def test_four_wrong_readings_that_do_not_agree_all_go() -> None:
    y_TS = load()
    y_TS[300:306, 0] += [900, -700, 1200, -500, 800, -900]
    assert np.isnan(cleaned(y_TS)[300:306, 0]).all()


def test_an_hour_that_moves_for_good_is_believed_again_within_days() -> None:
    y_TS = load()
    y_TS[(np.arange(len(y_TS)) % 24 == 7) & (np.arange(len(y_TS)) >= 240), 0] += 120
    lost = np.flatnonzero(np.isnan(cleaned(y_TS)[:, 0]))
    assert len(lost)
    assert lost.max() < 240 + 4 * 24


def test_missing_readings_stay_missing_and_hide_nothing() -> None:
    y_TS = load()
    y_TS[250:290, 1] = np.nan
    y_TS[320, 1] = 900.0
    lost = np.flatnonzero(np.isnan(cleaned(y_TS)[:, 1]))
    np.testing.assert_array_equal(lost, [*range(250, 290), 320])


def test_nothing_is_rejected_before_a_week_of_errors_is_known() -> None:
    y_TS = load()
    y_TS[100, 0] = 9000.0
    assert not np.isnan(cleaned(y_TS)).any()


@settings(max_examples=25)
@given(
    cut=st.integers(30, DAYS * 24 - 1),
    seed=st.integers(0, 5),
    spikes=st.lists(st.tuples(st.integers(200, DAYS * 24 - 1), st.floats(-5000, 5000)), max_size=12),
    later=st.floats(-1e6, 1e6),
)
def test_nothing_after_a_reading_changes_its_decision(
    cut: int, seed: int, spikes: list[tuple[int, float]], later: float
) -> None:
    y_TS = load(seed)
    for place, value in spikes:
        y_TS[place, 0] = value
    other_TS = y_TS.copy()
    other_TS[cut:] = later
    expected = cleaned(y_TS)[:cut]
    np.testing.assert_array_equal(cleaned(other_TS)[:cut], expected)
    np.testing.assert_array_equal(cleaned(y_TS[:cut]), expected)
