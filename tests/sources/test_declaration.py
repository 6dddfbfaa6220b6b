from __future__ import annotations

import pandas as pd
import pytest
from pydantic import ValidationError

from forecast.errors import DeclarationError
from forecast.sources import Declaration
from forecast.tables import Columns


def test_comma_lists_are_names() -> None:
    declared = Declaration(target="demand", known="temperature, holiday", past=["humidity"], static=("area",))
    assert declared.target == ("demand",)
    assert declared.columns == Columns(past=("humidity",), known=("temperature", "holiday"), static=("area",))


def test_it_is_frozen_and_forbids_unknown_names() -> None:
    with pytest.raises(ValidationError):
        Declaration(zone="UTC").zone = "+10:00"  # type: ignore[misc]
    with pytest.raises(DeclarationError, match=r"option 'tz' is not known; expected one of time, target"):
        Declaration.of({"tz": "UTC"})
    with pytest.raises(DeclarationError, match=r"option 'stamp' is 'middle'; expected .*'start' or 'end'"):
        Declaration.of({"stamp": "middle"})


@pytest.mark.parametrize(
    ("options", "both"),
    [
        ({"available_at": "seen", "delay": "6h"}, ["--available-at seen", "--delay 6h"]),
        ({"known": "temperature", "past": "temperature"}, ["'temperature'", "--known", "--past"]),
        ({"target": "load", "known": "load"}, ["'load'", "--target", "--known"]),
        ({"time": "at", "available_at": "at"}, ["'at'", "--time", "--available-at"]),
        ({"target": "north,south", "series": "city"}, ["several targets (north, south)", "--series city"]),
        ({"past": "rain,rain"}, ["--past", "'rain' twice"]),
        ({"known": "y"}, ["covariate is called 'y'"]),
        ({"zone": "Melbourne"}, ["Melbourne", "Australia/Melbourne"]),
        ({"zones": {"a": "Nowhere"}}, ["Nowhere"]),
        ({"unit": "TWh"}, ["TWh", "kWh"]),
        ({"freq": "often"}, ["--freq is 'often'", "30min"]),
        ({"freq": "-1h"}, ["--freq is -1h", "positive"]),
        ({"delay": "7"}, ["--delay is '7'"]),
        ({"delay": "-1h"}, ["--delay is -1h"]),
    ],
)
def test_contradictions_name_both_sides(options: dict[str, object], both: list[str]) -> None:
    with pytest.raises(DeclarationError) as caught:
        Declaration.of(options)
    for part in both:
        assert part in str(caught.value)


@pytest.mark.parametrize(("freq", "minutes"), [("30min", 30), ("1h", 60), ("h", 60), ("1H", 60), ("15T", 15)])
def test_lengths(freq: str, minutes: int) -> None:
    assert Declaration(freq=freq).step == pd.Timedelta(minutes=minutes)
