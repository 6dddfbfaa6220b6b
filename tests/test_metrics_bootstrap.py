"""The block bootstrap: days count as wholes."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.errors import DataError
from forecast.metrics.bootstrap import block_interval


def test_the_interval_of_independent_blocks_is_the_normal_one() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(3.0, 2.0, 400)
    low, high = block_interval(values, np.arange(400))
    half = 1.96 * values.std() / np.sqrt(400)
    assert low == pytest.approx(values.mean() - half, abs=0.02)
    assert high == pytest.approx(values.mean() + half, abs=0.02)


def test_rows_of_one_day_that_agree_add_nothing() -> None:
    day = np.random.default_rng(2).normal(0, 1, 60)
    once = block_interval(day, np.arange(60))
    often = block_interval(np.repeat(day, 24), np.repeat(np.arange(60), 24))
    assert often == pytest.approx(once)
    naive = block_interval(np.repeat(day, 24), np.arange(60 * 24))
    assert naive[1] - naive[0] < (often[1] - often[0]) / 4


def test_days_of_unequal_length_weigh_by_their_rows() -> None:
    values, days = [0.0] * 9 + [1.0], ["a"] * 9 + ["b"]
    assert block_interval(values, days) == (0.0, 1.0)
    assert block_interval([*values, float("nan")], [*days, "c"]) == (0.0, 1.0)


def test_one_seed_one_answer() -> None:
    values, days = np.random.default_rng(3).random(90), np.repeat(np.arange(30), 3)
    assert block_interval(values, days, seed=4) == block_interval(values, days, seed=4)
    assert block_interval(values, days, seed=4) != block_interval(values, days, seed=5)


def test_nothing_known_has_no_interval() -> None:
    assert np.isnan(block_interval([float("nan")], ["a"])).all()


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(DataError, match=r"values of shape \(2,\) stand beside blocks of shape \(3,\)"):
        block_interval([1, 2], ["a", "b", "c"])
    with pytest.raises(DataError, match="the share 1; expected a number between 0 and 1"):
        block_interval([1], ["a"], share=1)
