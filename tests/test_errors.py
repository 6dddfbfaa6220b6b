"""An error is one sentence: what was found, what was expected, what to do."""

from __future__ import annotations

import inspect

import pytest

from forecast import errors
from forecast.errors import DataError, ForecastError, NotEnoughHistory

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ForecastError)]


def test_the_sentence_holds_all_parts_and_the_first_five_stamps() -> None:
    error = DataError(
        "some values are not numbers", "numbers", "correct these rows", series="north", column="y", stamps=range(7)
    )
    assert str(error) == (
        "series 'north', column 'y': some values are not numbers (0, 1, 2, 3, 4 and 2 more); expected numbers. "
        "Correct these rows."
    )
    assert error.stamps == ("0", "1", "2", "3", "4", "5", "6")


def test_parts_that_are_not_given_leave_no_trace() -> None:
    assert str(ForecastError("no cutoff")) == "no cutoff."
    assert str(ForecastError("no cutoff", do="give one")) == "no cutoff. Give one."
    assert str(ForecastError("no cutoff", "one", stamps=["a"])) == "no cutoff (a); expected one."


def test_a_generator_of_stamps_is_read_once_and_kept() -> None:
    error = ForecastError("found", stamps=(stamp for stamp in "abc"))
    assert error.stamps == ("a", "b", "c")
    assert "(a, b, c)" in str(error)


@pytest.mark.parametrize("kind", KINDS)
def test_one_except_catches_them_all(kind: type[ForecastError]) -> None:
    with pytest.raises(ForecastError, match="found; expected expected"):
        raise kind("found", "expected")


def test_too_little_history_is_a_matter_of_data() -> None:
    assert issubclass(NotEnoughHistory, DataError)
    assert len(KINDS) == 17
