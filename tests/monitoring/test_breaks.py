"""A changed level or shape is found within three days; a day off, a heat wave and a season are not changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial

import numpy as np
import pytest

from forecast.monitoring import LIMITS, Break, Days, breaks
from forecast.monitoring.breaks import stuck
from tests.monitoring.town import Floats, day, town

COUNT, DAYS, AT = 4, 130, 120


def level(share: float) -> Callable[[Floats, int], Floats]:
    return lambda y, day: y * (1 + share) if day >= AT else y


def shifted(hours: int) -> Callable[[Floats, int], Floats]:
    return lambda y, day: np.roll(y, hours) if day >= AT else y


def flat(y: Floats, day: int) -> Floats:
    return np.asarray(y.mean() + 0.4 * (y - y.mean())) if day >= AT else y


def found(days: Days, first: int = AT - 4, last: int = AT + 4) -> list[Break]:
    """What is found from day to day, each break once."""
    told: dict[tuple[str, str], Break] = {}
    for place in range(first, last + 1):
        for one in breaks(days, day(place)):
            told.setdefault((one.unique_id, one.kind), one)
    return list(told.values())


@pytest.mark.parametrize(
    ("kind", "change", "follows"),
    [
        ("level", level(0.3), 0.9), ("level", level(-0.3), 0.9), ("level", level(0.5), 0.0),
        ("level", level(-0.5), 0.0), ("shape", shifted(2), 0.0), ("shape", shifted(2), 0.9),
        ("shape", shifted(-3), 0.0), ("shape", shifted(4), 0.9), ("shape", flat, 0.9),
    ],
)  # fmt: skip
def test_a_change_is_found_within_three_days(
    kind: str, change: Callable[[Floats, int], Floats], follows: float
) -> None:
    """Whether the model follows yesterday at once or not at all."""
    told = [one for one in found(town(COUNT, DAYS, change, changed=1, follows=follows)) if one.kind == kind]
    assert {one.unique_id for one in told} == {"street 0"}
    for one in told:
        assert one.onset == day(AT)
        assert (one.seen - one.onset).days <= 2
        assert one.stays >= LIMITS.persists


def test_the_size_of_a_break_is_told() -> None:
    told = [one for one in found(town(COUNT, DAYS, level(0.3), changed=2)) if one.kind == "level"]
    assert {one.unique_id for one in told} == {"street 0", "street 1"}
    for one in told:
        assert one.size == pytest.approx(0.3, abs=0.12)


def test_what_comes_to_all_at_once_has_to_be_stronger() -> None:
    """Weather comes to all streets, a break to one; what is large enough is told even so."""
    under = partial(town, COUNT, DAYS, sky=5)
    assert {one.unique_id for one in found(under(level(0.14), changed=1)) if one.kind == "level"} == {"street 0"}
    assert found(under(level(0.14))) == []
    assert len({one.unique_id for one in found(under(level(0.6)))}) == COUNT


def test_a_single_series_has_no_others_to_be_compared_with() -> None:
    assert {one.kind for one in found(town(1, DAYS, level(0.3)))} == {"level"}


def test_a_year_of_seasons_is_no_change() -> None:
    days = town(COUNT, 430)
    told = {(one.unique_id, one.kind, one.onset) for place in range(65, 430) for one in breaks(days, day(place))}
    assert len(told) <= 1  # of 4 series-years


@pytest.mark.parametrize("follows", [0.0, 0.9])
@pytest.mark.parametrize("share", [-0.35, -0.6, 0.4])
def test_one_day_off_is_no_change(follows: float, share: float) -> None:
    """A holiday, an outage: demand is back, and a model that followed errs the other way."""
    change = lambda y, day: y * (1 + share) if day == AT else y  # noqa: E731
    assert found(town(COUNT, DAYS, change, follows=follows)) == []


def test_a_holiday_of_a_weekends_shape_is_no_change() -> None:
    change = lambda y, day: np.roll(y, 2) * 0.8 if day == AT else y  # noqa: E731
    assert found(town(COUNT, DAYS, change)) == []


def test_a_heat_wave_that_grows_is_no_change() -> None:
    """Five days, each warmer than the one before: demand climbs by 4 % a day, and falls again."""
    climb = dict(zip(range(AT, AT + 8), (0.04, 0.08, 0.12, 0.16, 0.2, 0.14, 0.08, 0.03), strict=True))
    change = lambda y, day: y * (1 + climb.get(day, 0.0))  # noqa: E731
    assert [one for one in found(town(COUNT, DAYS, change), last=AT + 8) if one.kind == "level"] == []


def test_nothing_is_confirmed_on_a_holiday() -> None:
    days = town(COUNT, DAYS, level(0.3), country="PT")
    off = np.flatnonzero(days.off_D)
    assert len(off)
    assert all(breaks(days, day(int(place))) == [] for place in off)


def test_without_a_season_nothing_is_said() -> None:
    days = town(COUNT, 30, lambda y, day: y * 2 if day >= 27 else y)
    assert [one for place in range(25, 30) for one in breaks(days, day(place))] == []
    assert breaks(days, date(2030, 1, 1)) == []


def test_a_dead_meter_is_no_change_of_demand() -> None:
    days = town(COUNT, DAYS, lambda y, day: np.full(24, 55.0) if day >= AT else y)
    assert found(days) == []
    assert stuck(days, day(AT)) == list(days.names)
    assert stuck(days, day(AT - 1)) == []
    silent = town(COUNT, DAYS, lambda y, day: np.zeros(24) if day >= AT else y)
    assert found(silent) == []
    assert stuck(silent, day(AT + 1)) == list(silent.names)


def test_gaps_are_not_zeros() -> None:
    """A day of which half is not known starts and confirms nothing, and its hours are no shape."""
    days = town(COUNT, DAYS)
    days.values_SDHC[:, AT, :13, 0] = np.nan
    days.values_SDHC[:, AT + 1, 3, 0] = np.nan
    assert found(days) == []
