"""Stamps as they are written -> moments (UTC)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError
from forecast.sources.localclock import moments_of_local

WANTED = "ISO 8601 such as 2014-01-31T00:30+10:00 or 2014-01-31 00:30, date and time in one column"
YEARS = (1920, 2200)
_OFFSET = r"\d[T ]\d{2}.*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$"
_ZONE_WORD, _SPACED = r"\s*(?:UTC|GMT)$", r"\s+(?=(?:[Zz]|[+-]\d{2}:?\d{2})$)"
_CLOCK = (
    r"(?:[T ,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:\.\d+)?))?\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?$"
)
_YEAR_FIRST = r"^(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})" + _CLOCK
_YEAR_LAST = r"^(?P<first>\d{1,2})[-/.](?P<second_part>\d{1,2})[-/.](?P<year>\d{4})" + _CLOCK


class Place(NamedTuple):
    """Where messages say that something is.

    Attributes:
        column: the column.
        word: "line" or "row".
    """

    column: str
    word: str

    def named(self, rows: pd.Index, texts: object = None) -> list[str]:
        """ "line 7: '2014-13-01'" of every row given."""
        if texts is None:
            return [f"{self.word} {row}" for row in rows]
        return [f"{self.word} {row}: '{text}'" for row, text in zip(rows, texts, strict=True)]  # type: ignore[call-overload]


def moments(
    stamps: pd.Series, unique_ids: pd.Series, zones: dict[str, str | None], place: Place, *, gaps: bool = False
) -> tuple[pd.Series, bool]:
    """The moments that stamps denote.

    Args:
        stamps: text, dates or times, with or without a zone.
        unique_ids: the series of every row.
        zones: the clock in which each series writes stamps without a zone; None where none is declared.
        place: what messages call the rows.
        gaps: whether a stamp may be missing.

    Returns:
        The moments (UTC) under the same index, and whether the stamps carried their zone themselves.

    Raises:
        DataError: stamps are missing, unreadable, ambiguous, mixed, without a zone, or never occurred.
    """
    missing = stamps.isna() | (stamps.astype(str).str.strip() == "" if stamps.dtype == object else False)
    if missing.any() and not gaps:
        raise DataError(
            f"{int(missing.sum())} stamps are missing", "a stamp in every row", "fill or remove these rows",
            column=place.column, stamps=place.named(stamps.index[missing]),
        )  # fmt: skip
    parsed = _plausible(_parsed(stamps[~missing], place), place)
    if parsed.dt.tz is None:
        local = moments_of_local(parsed, unique_ids[~missing], zones, place.column, place.word)
        return local.reindex(stamps.index) if gaps else local, False
    utc = parsed.dt.tz_convert("UTC")
    return utc.reindex(stamps.index) if gaps else utc, True


def _plausible(stamps: pd.Series, place: Place) -> pd.Series:
    """The same stamps in nanoseconds, which hold 292 years between any two of them."""
    far = ~stamps.dt.year.between(*YEARS)
    if far.any():
        raise DataError(
            f"{int(far.sum())} stamps lie outside the years {YEARS[0]} to {YEARS[1]}", "stamps of measurements",
            "correct these rows", column=place.column, stamps=place.named(stamps.index[far], stamps[far]),
        )  # fmt: skip
    return stamps.dt.as_unit("ns")


def _parsed(stamps: pd.Series, place: Place) -> pd.Series:
    """Times with or without a zone, of whatever was written."""
    if isinstance(stamps.dtype, pd.CategoricalDtype):
        stamps = stamps.astype(stamps.cat.categories.dtype)
    if pd.api.types.is_datetime64_any_dtype(stamps):
        return stamps
    if pd.api.types.is_numeric_dtype(stamps):
        raise DataError(
            "the stamps are numbers", WANTED, "convert them (seconds since 1970: to_timestamp in SQL, to_datetime in "
            "pandas), or correct --time", column=place.column,
            stamps=place.named(stamps.index[:1], stamps.iloc[:1]),
        )  # fmt: skip
    codes, distinct = pd.factorize(stamps)
    known = _distinct_parsed(pd.Series(distinct, dtype=object), _Rows(stamps, codes, place))
    return pd.Series(known.array.take(codes), index=stamps.index)


class _Rows(NamedTuple):
    """From distinct values back to the rows that hold them."""

    stamps: pd.Series
    codes: npt.NDArray[np.intp]
    place: Place

    def error(self, bad: Any, found: str, expected: str, do: str) -> DataError:
        """The error of all rows whose distinct value is marked in `bad`."""
        rows = np.asarray(bad, dtype=bool)[self.codes]
        told = self.place.named(self.stamps.index[rows], self.stamps[rows])
        return DataError(
            found.replace("#", str(len(told))), expected, do, column=self.place.column, stamps=told
        )  # fmt: skip


def _distinct_parsed(values: pd.Series, rows: _Rows) -> pd.Series:
    are_times = values.map(lambda value: isinstance(value, date))
    if are_times.all():
        return _of_objects(values, rows)
    if are_times.any():
        raise rows.error(are_times, "# of the stamps are times and the others text", "one kind", "cast the column")
    texts = values.astype(str).str.strip().str.replace(_ZONE_WORD, "Z", regex=True)
    texts = texts.str.replace(_SPACED, "", regex=True)
    aware = texts.str.contains(_OFFSET, regex=True)
    if aware.any() and not aware.all():
        few = aware if aware.sum() * 2 < len(aware) else ~aware
        which = "carry a zone" if few is aware else "carry no zone"
        raise rows.error(few, f"# stamps {which} and the others differ", "all with an offset or all without", "mend")
    if aware.all():
        parsed = pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
    else:
        parsed = _of_plain_text(texts, rows)
    if parsed.isna().any():
        raise rows.error(parsed.isna(), "# stamps cannot be read", WANTED, "correct these rows")
    return parsed.astype("datetime64[ns, UTC]" if aware.all() else "datetime64[ns]")


def _of_objects(values: pd.Series, rows: _Rows) -> pd.Series:
    """Python dates and times, as databases answer."""
    aware = values.map(lambda value: isinstance(value, datetime) and value.tzinfo is not None)
    if aware.any() and not aware.all():
        raise rows.error(~aware, "# stamps carry no zone and the others do", "all with a zone or none", "cast them")
    parsed = pd.to_datetime(values, utc=bool(aware.all()), errors="coerce")
    if parsed.isna().any():
        raise rows.error(parsed.isna(), "# stamps are outside 1678 to 2262", "stamps of measurements", "correct them")
    return parsed


def _of_plain_text(texts: pd.Series, rows: _Rows) -> pd.Series:
    # A bare number ("2014", "1388534400") is no stamp, though ISO 8601 would let the first pass as a year.
    number = texts.str.fullmatch(r"[\d.]{1,7}|\d{9,13}")
    parsed = pd.to_datetime(texts.mask(number), format="ISO8601", errors="coerce")
    left = parsed.isna()
    if left.any():
        parsed = parsed.astype("datetime64[ns]")
        parsed[left] = _of_parts(texts[left].str.extract(_YEAR_FIRST))
        last = texts.str.extract(_YEAR_LAST)
        if last["first"].notna().any():
            parsed = parsed.fillna(_of_parts(_day_and_month(last, rows)))
    return parsed


def _day_and_month(parts: pd.DataFrame, rows: _Rows) -> pd.DataFrame:
    """Which of two leading numbers is the day: the one that passes 12, if only one of them ever does."""
    first, second = (pd.to_numeric(parts[name]).fillna(0) for name in ("first", "second_part"))
    if (first > 12).any() == (second > 12).any():
        mixed = bool((first > 12).any())
        raise rows.error(
            parts["first"].notna() & ((first > 12) | (second > 12) if mixed else True),
            "# stamps mix day first and month first" if mixed else "# stamps may be read day first or month first",
            "ISO 8601 dates such as 2014-01-31", "export the dates as year-month-day",
        )  # fmt: skip
    order = {"first": "day", "second_part": "month"} if (first > 12).any() else {"first": "month", "second_part": "day"}
    return parts.rename(columns=order)


def _of_parts(parts: pd.DataFrame) -> pd.Series:
    """Dates and clock times of their written parts; "24:00" is the next midnight, impossible ones are missing."""
    dates = pd.to_datetime(parts[["year", "month", "day"]], errors="coerce")
    hour, minute, second = (pd.to_numeric(parts[name]).fillna(0) for name in ("hour", "minute", "second"))
    half = parts["half"].str[0].str.lower()
    hour = hour.where(half.isna() | hour.between(1, 12), 99)
    hour = hour.mask(half.eq("a") & hour.eq(12), 0).mask(half.eq("p") & hour.between(1, 11), hour + 12)
    possible = (minute < 60) & (second < 60) & ((hour < 24) | ((hour == 24) & (minute == 0) & (second == 0)))
    clock = pd.to_timedelta(hour * 3600 + minute * 60 + second, unit="s")
    return (dates + clock).where(possible).astype("datetime64[ns]")
