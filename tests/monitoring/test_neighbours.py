"""What comes to all series is taken off; what one series has alone stays."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.monitoring.neighbours import LEAST, apart, ratios_alone, strength

SERIES, DAYS, HOURS = 6, 80, 24


def weather(heat: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Errors of a season and of a day: weather that all series feel, each in its way, and noise of their own."""
    random = np.random.default_rng(0)
    felt = random.uniform(0.5, 2.0, SERIES)[:, None, None]
    common, noise = random.normal(0, 0.05, (1, DAYS + 1, HOURS)), random.normal(0, 0.01, (SERIES, DAYS + 1, HOURS))
    common[:, -1] *= heat
    errors = felt * common + noise
    return errors[:, :-1], errors[:, -1]


def test_weather_is_taken_off() -> None:
    season_SNH, day_SH = weather(heat=3)
    left_SNH, left_SH = apart(season_SNH, day_SH)
    assert (left_SNH.std(axis=(1, 2)) < 0.5 * season_SNH.std(axis=(1, 2))).all()
    assert (np.abs(left_SH).mean(axis=1) < 0.5 * np.abs(day_SH).mean(axis=1)).all()


def test_what_one_series_has_alone_stays() -> None:
    season_SNH, day_SH = weather()
    broken_SH = day_SH.copy()
    broken_SH[2] += 0.3
    left_SH = apart(season_SNH, broken_SH)[1]
    assert left_SH[2].mean() == pytest.approx(0.3, abs=0.06)
    # The others seem to lack what it has; a day that is not out of proportion as it is does not become so.
    raw_S, alone_S = (np.abs(one).mean(axis=1) / np.abs(season_SNH).mean(axis=(1, 2)) for one in (broken_SH, left_SH))
    found_S = strength(raw_S, alone_S)
    assert found_S[2] > 4
    assert np.delete(found_S, 2).max() < 1.5


def test_a_day_of_the_season_is_told_by_the_others_as_a_new_day_is() -> None:
    """Without that, days look nearer to their season than a day that comes after it."""
    random = np.random.default_rng(3)
    ratios = []
    for _ in range(20):
        errors = random.normal(0, 0.05, (SERIES, DAYS + 1, 1))  # nothing in common: nothing to be told
        left_SNH, left_SH = apart(errors[:, :-1], errors[:, -1])
        ratios.append(np.abs(left_SH).mean() / np.abs(left_SNH).mean())
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.15)


def test_few_series_are_left_as_they_are() -> None:
    season_SNH, day_SH = weather()
    for count in range(1, LEAST + 1):
        left = apart(season_SNH[:count], day_SH[:count])
        assert np.array_equal(left[0], season_SNH[:count])
        assert np.array_equal(left[1], day_SH[:count])
    assert ratios_alone(np.array([3.0, np.nan])).tolist()[0] == 3.0


def test_what_all_have_counts_half() -> None:
    assert strength(np.array([6.0, 6.0]), np.array([5.0, 1.0])).tolist() == [5.0, 3.0]
