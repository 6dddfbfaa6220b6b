"""Errors beside their season, and the error that is to be expected before a day's actuals come."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.monitoring import LIMITS, Days, errors_until, expected_error
from forecast.monitoring.expected import NORMAL
from forecast.monitoring.season import season
from tests.monitoring.town import day, town

DAYS = 430


@pytest.fixture(scope="module")
def days() -> Days:
    return town(3, DAYS)


def test_errors_are_those_of_the_window(days: Days) -> None:
    told = errors_until(days, day(DAYS - 1))
    window = days.values_SDHC[:, -LIMITS.window_days :]
    y, said, naive = window[..., 0], window[..., 1], window[..., 4]
    assert told.table["mae"].to_numpy() == pytest.approx(np.abs(said - y).mean(axis=(1, 2)))
    assert told.table["bias"].to_numpy() == pytest.approx((said - y).mean(axis=(1, 2)))
    skill = 1 - np.abs(said - y).sum(axis=(1, 2)) / np.abs(naive - y).sum(axis=(1, 2))
    assert told.table["skill"].to_numpy() == pytest.approx(skill)
    assert told.table["days"].tolist() == [LIMITS.window_days] * 3
    assert ((told.table["ratio"] > 0.6) & (told.table["ratio"] < 1.6)).all()


def test_the_season_is_matched_by_hour(days: Days) -> None:
    """Where one hour of the window is missing, the expectation leaves the same hour out."""
    gap = Days(days.names, days.first, days.values_SDHC.copy(), days.lead_SDH, days.off_D, days.beside_D)
    gap.values_SDHC[:, -LIMITS.window_days :, 5, 0] = np.nan
    reference = season(DAYS - 1, DAYS, LIMITS, gap=LIMITS.window_days)
    errors = np.abs(days.values_SDHC[..., 1] - days.values_SDHC[..., 0])[:, reference]
    usual = np.delete(np.nanmean(errors, axis=1), 5, axis=1).mean(axis=1)
    assert errors_until(gap, day(DAYS - 1)).table["expected"].to_numpy() == pytest.approx(usual)


def test_leads_hours_and_days_are_told(days: Days) -> None:
    told = errors_until(days, day(DAYS - 1))
    assert told.by_hour["hour"].tolist() == list(range(24))
    # From a gate 14 hours before the day.
    assert told.by_lead["lead_hours"].tolist() == [12.0, 18.0, 24.0, 30.0, 36.0]
    assert told.by_day["day"].iloc[-1] == day(DAYS - 1)
    assert len(told.by_day) == LIMITS.recent_days
    assert told.by_hour["coverage"].between(0, 1).all()


def test_a_season_is_this_one_and_that_of_the_year_before() -> None:
    kept = np.flatnonzero(season(500, 501, LIMITS))
    assert kept.tolist() == [*range(115, 158), *range(441, 497)]


def test_the_expected_error_is_honest(days: Days) -> None:
    """Over a hundred days what was expected and what came are the same on average."""
    places = range(DAYS - 100, DAYS)
    hoped = np.stack([expected_error(days, day(place)).together_S for place in places], axis=1)
    came = np.abs(days.column("middle") - days.column("demand"))[:, DAYS - 100 :].mean(axis=2)
    assert hoped.mean() == pytest.approx(came.mean(), rel=0.15)


def test_a_wider_band_lets_expect_more(days: Days) -> None:
    low, high = days.column("low")[:, -1], days.column("high")[:, -1]
    usual = expected_error(days, day(DAYS - 1), low, high)
    middle = (low + high) / 2
    wide = expected_error(days, day(DAYS - 1), middle - (high - low), middle + (high - low))
    assert wide.by_width_S == pytest.approx(2 * usual.by_width_S)
    assert wide.by_season_S == pytest.approx(usual.by_season_S)


def test_what_comes_after_changes_no_expectation(days: Days) -> None:
    other = Days(days.names, days.first, days.values_SDHC.copy(), days.lead_SDH, days.off_D, days.beside_D)
    other.values_SDHC[:, DAYS - 31 :, :, 0] = 1e9
    before, after = (expected_error(one, day(DAYS - 30)).together_S for one in (days, other))
    assert before == pytest.approx(after)


def test_without_a_season_the_band_alone_tells() -> None:
    young = town(1, 20)
    told = expected_error(young, day(19))
    assert np.isnan(told.by_season_S).all()
    width = (young.column("high") - young.column("low"))[:, 19].mean(axis=1)
    assert told.together_S == pytest.approx(NORMAL * width)
