"""`Watermark`: the largest value of a column so far, as its database gave it, and how far before it to go on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Self

import pandas as pd

from forecast.errors import DataError

Value = datetime | date | str | int | float
_WRITTEN = re.compile(r"(\d{4}-\d{2}-\d{2})(?:([T ])(\d{2}:\d{2})(:\d{2})?(\.\d+)?)?(.*)")


@dataclass(frozen=True)
class Watermark:
    """A value of one kind: a time, a date, text, or a number.

    Attributes:
        value: as the database gave it, to be compared with the same column again.
    """

    value: Value

    @classmethod
    def of(cls, told: Mapping[str, Any] | None) -> Self | None:
        """The watermark of a mark."""
        if told is None:
            return None
        read = {"time": datetime.fromisoformat, "date": date.fromisoformat}.get(told["kind"])
        return cls(read(told["value"]) if read else told["value"])

    @classmethod
    def largest(cls, values: pd.Series, so_far: Self | None) -> Self | None:
        """The largest of a column and of what was the largest before; None where there is neither.

        Raises:
            DataError: values cannot be ordered.
        """
        told = [_plain(value, str(values.name)) for value in values if value is not None and value == value]
        try:
            return cls(max([*told, *([so_far.value] if so_far else [])])) if told or so_far else None
        except TypeError:
            kinds = sorted({type(value).__name__ for value in [*told, so_far.value if so_far else told[0]]})
            raise DataError(
                f"values of several kinds ({', '.join(kinds)})", "times, dates, texts or numbers, all of one kind",
                "cast the column in the query", column=str(values.name),
            ) from None  # fmt: skip

    def written(self) -> dict[str, Any]:
        """The watermark as JSON."""
        if isinstance(self.value, date):
            return {"kind": "time" if isinstance(self.value, datetime) else "date", "value": self.value.isoformat()}
        return {"kind": "text" if isinstance(self.value, str) else "number", "value": self.value}

    def less(self, length: pd.Timedelta) -> Value:
        """What comes `length` before; a number is a count and not a time: it stays.

        Raises:
            DataError: a text is no stamp that begins with year, month and day.

        >>> Watermark("2024-03-01 01:30:00+00:00").less(pd.Timedelta("2h"))
        '2024-02-29 23:30:00+00:00'
        """
        value = self.value
        if isinstance(value, str):
            return _earlier_text(value, length) if length else value
        if isinstance(value, date):
            whole: timedelta = (length if isinstance(value, datetime) else length.ceil("D")).to_pytimedelta()
            return value - whole
        return value


def _plain(value: Any, column: str) -> Value:
    """A value that JSON can keep; decimals of counting columns become integers."""
    if isinstance(value, (date, str)):
        return value.floor("us").to_pydatetime() if isinstance(value, pd.Timestamp) else value
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise DataError(
            f"{type(value).__name__} is no value to go on from", "a time, a date, a text or a number",
            "cast the column in the query", column=column,
        ) from None  # fmt: skip
    return int(value) if number.is_integer() else number


def _earlier_text(value: str, length: pd.Timedelta) -> str:
    """The same clock earlier, written in the same form, so that texts still compare as times do."""
    found = _WRITTEN.fullmatch(value)
    if found is None:
        raise DataError(
            f"the largest stamp is '{value}', before which nothing can be worked out", "texts such as 2024-01-31 00:30",
            "cast the column in the query, or declare --look-back 0h",
        )  # fmt: skip
    day, between, hour, seconds, fraction, rest = found.groups()
    back: timedelta = length.to_pytimedelta()
    earlier = datetime.fromisoformat(f"{day}T{hour or '00:00'}{seconds or ''}") - back
    form = f"%Y-%m-%d{between}%H:%M{':%S' if seconds else ''}" if hour else "%Y-%m-%d"
    return f"{earlier.strftime(form)}{fraction or ''}{rest}"
