"""Whether parents were sums in the history, on sums of synthetic regions as a grid operator publishes them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.errors import DataError
from forecast.reconciliation import Hierarchy, check_sums
from forecast.tables import Demand
from tests.builders import long_frame, utc

REGIONS = Hierarchy({"north": "east", "south": "east", "east": "country", "west": "country"})


def regions(gaps: float = 0.0) -> pd.DataFrame:
    """Three regions, a half and the country: hourly, exact sums."""
    parts = long_frame(days=20, names=("north", "south", "west"), gaps=gaps)[["unique_id", "ds", "y"]]
    wide = parts.pivot(index="ds", columns="unique_id", values="y")
    wide["east"] = wide["north"] + wide["south"]
    wide["country"] = wide["east"] + wide["west"]
    return wide.melt(ignore_index=False, value_name="y").reset_index().sort_values(["unique_id", "ds"])


def test_sums_that_hold_need_no_word() -> None:
    assert check_sums(Demand.from_frame(regions(gaps=0.1)), REGIONS) == []
    rounded = regions().assign(y=lambda frame: frame["y"].round())
    assert check_sums(rounded, REGIONS) == []


def test_by_how_much_they_do_not() -> None:
    frame = regions()
    frame.loc[frame["unique_id"] == "country", "y"] *= 1.04  # losses, that no region has
    (told,) = check_sums(frame, REGIONS)
    assert "'country' is not the sum of its 2 children: they differ by 3.85% on average" in told
    assert "less by" in told
    assert check_sums(frame, REGIONS, tolerance=0.04) == []


def test_the_worst_moment_is_named() -> None:
    frame = regions()
    frame.loc[(frame["unique_id"] == "north") & (frame["ds"] == utc("2024-01-25T07:00")), "y"] += 10_000
    (told,) = check_sums(frame, REGIONS)
    assert "'east'" in told
    assert "by +1e+04 at 2024-01-25T07:00Z" in told


def test_only_what_is_known_counts() -> None:
    frame = regions()
    frame.loc[(frame["unique_id"] == "east") & (frame["ds"] >= utc("2024-02-01")), "y"] = 1.0
    demand = Demand.from_frame(frame)
    assert check_sums(demand.as_of("2024-02-01T00:00Z"), REGIONS) == []
    assert len(check_sums(demand, REGIONS)) == 2
    hidden = replace(demand, known_until=utc("2020-01-01"))
    assert "'country' was never measured together with all its children" in check_sums(hidden, REGIONS)[0]


def test_a_parent_of_zeros() -> None:
    frame = regions()
    frame.loc[frame["unique_id"] == "east", "y"] = 0.0
    assert "where it is zero" in check_sums(frame, REGIONS)[-1]
    assert np.isfinite(frame["y"]).all()


def test_half_a_family_is_refused_and_none_is_no_matter() -> None:
    frame = regions()
    with pytest.raises(DataError, match="the history has no south"):
        check_sums(frame[frame["unique_id"] != "south"], REGIONS)
    assert check_sums(frame, Hierarchy({"x": "y"})) == []
