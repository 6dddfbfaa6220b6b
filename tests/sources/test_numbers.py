from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from forecast.sources.numbers import numbers
from forecast.sources.stamps import Place

PLACE = Place("demand", "line")


def read(values: list[object], decimal: str = ".", dtype: object = None) -> tuple[list[float], str]:
    column = pd.Series(values, index=range(2, 2 + len(values)), dtype=dtype)
    found, problem = numbers(column, decimal, PLACE)
    assert found.dtype == np.float64
    return found.tolist(), str(problem or "")


@pytest.mark.parametrize(
    ("values", "decimal", "expected"),
    [
        ([1, 2], ".", [1.0, 2.0]),
        ([True, False], ".", [1.0, 0.0]),
        (["1.5", " 2 ", "1e3"], ".", [1.5, 2.0, 1000.0]),
        (["4382,8", "12"], ",", [4382.8, 12.0]),
        ([Decimal("1.5"), 2], ".", [1.5, 2.0]),
        ([Decimal("1.5"), 2], ",", [1.5, 2.0]),
        (["-0.5"], ".", [-0.5]),
    ],
)
def test_ways_to_write_a_number(values: list[object], decimal: str, expected: list[float]) -> None:
    assert read(values, decimal) == (expected, "")


def test_nothing_is_missing() -> None:
    found, problem = read(["1.5", None, "", " "])
    assert found[0] == 1.5
    assert np.isnan(found[1:]).all()
    assert problem == ""


def test_categories_are_their_values() -> None:
    assert read(["1.5", "2"], dtype="category") == ([1.5, 2.0], "")


@pytest.mark.parametrize(
    ("values", "decimal", "told"),
    [
        (["1.5", "n/a?"], ".", ["1 values are not numbers (line 3: 'n/a?')", "Correct or empty"]),
        (["4382,8", "4263,4"], ".", ["2 values are not numbers (line 2: '4382,8'", "comma decimals", "--decimal ,"]),
        (["4,382.8"], ".", ["not numbers", "without thousands separators"]),
        (["4,382"], ".", ["--decimal ,", "thousands separators"]),
        (["4382.8"], ",", ["decimal point", "leave --decimal , away"]),
        (["4.382,8"], ",", ["not numbers", "without thousands separators"]),
        ([1.0, float("inf")], ".", ["1 values are infinite", "(line 3)"]),
        (["1", "-inf"], ".", ["1 values are infinite", "(line 3)"]),
        ([1e31], ".", ["beyond 1e+30", "(line 2)"]),
        ([pd.Timedelta("1h")], ".", ["not numbers", "1:00:00"]),
        ([pd.Timestamp("2014-01-01")], ".", ["not numbers", "2014-01-01"]),
    ],
)  # fmt: skip
def test_what_is_no_number_is_named_by_its_line(values: list[object], decimal: str, told: list[str]) -> None:
    problem = read(values, decimal)[1]
    for part in told:
        assert part in problem
