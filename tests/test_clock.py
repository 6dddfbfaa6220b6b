"""One clock, and the zones that it knows."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pytest

from forecast import clock
from forecast.errors import DeclarationError


def test_now_is_aware_and_moves_only_inside_using() -> None:
    before = clock.now()
    with clock.using("2014-07-01T10:00+10:00") as moment:
        assert clock.now() == moment == pd.Timestamp("2014-07-01T00:00Z")
        with clock.using(pd.Timestamp("2015-01-01", tz="UTC")):
            assert clock.now().year == 2015
        assert clock.now() == moment
    assert str(clock.now().tz) == "UTC"
    assert clock.now() >= before


def test_time_comes_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), clock.using("2014-07-01T00:00Z"):
        _ = 1 / 0
    assert clock.now().year > 2014


def test_a_simulated_moment_needs_a_zone() -> None:
    with pytest.raises(DeclarationError, match="2014-07-01 00:00:00 has no zone"), clock.using("2014-07-01"):
        pass


@pytest.mark.parametrize(
    ("name", "hours"), [("+10:00", 10), ("-03:30", -3.5), ("UTC+5:45", 5.75), ("+1", 1), ("UTC", 0), ("Asia/Tokyo", 9)]
)
def test_zones_have_names_or_offsets(name: str, hours: float) -> None:
    assert clock.zone(name).utcoffset(datetime(2024, 1, 1)) == timedelta(hours=hours)  # noqa: DTZ001


@pytest.mark.parametrize(("name", "hint"), [("Melbourne", "Australia/Melbourne"), ("Europe/lisbon", "Europe/Lisbon")])
def test_a_zone_close_to_one_is_suggested(name: str, hint: str) -> None:
    with pytest.raises(DeclarationError, match=hint):
        clock.zone(name)


@pytest.mark.parametrize(
    ("text", "minutes"), [("30min", 30), ("6h", 360), ("1H", 60), ("h", 60), ("7 days", 10_080), ("-1h", -60),
                          ("0h", 0), ("01:30:00", 90), ("PT15M", 15)]
)  # fmt: skip
def test_lengths_of_time_are_read(text: str, minutes: int) -> None:
    assert clock.duration(text, "--freq") == pd.Timedelta(minutes=minutes)


@pytest.mark.parametrize(
    "text", ["7", "-7", "7.5", "", " ", "+", "a week", "often", "NaT", "1 parsec", "P1M", "P1MT1H"]
)
def test_what_is_no_length_is_refused_by_name(text: str) -> None:
    with pytest.raises(DeclarationError, match="--freq is"):
        clock.duration(text, "--freq")


@pytest.mark.parametrize("name", ["", "+25:00", "Mars/Olympus", "10:00"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match=f"zone '{name}'".replace("+", r"\+")):
        clock.zone(name)
