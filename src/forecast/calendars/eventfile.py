"""A user's file of events: CSV or Parquet with name, start, end, and optionally series, country and subdivision."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pyarrow
import pyarrow.parquet

from forecast.calendars.events import Event, Events
from forecast.calendars.region import Region
from forecast.errors import DataError, DeclarationError

COLUMNS = ("name", "start", "end", "series", "country", "subdivision", "note")
NEEDED = ("name", "start")
SEPARATORS = ",;\t|"
YEARS = (1900, 2200)
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ]00:00(?::00(?:\.0+)?)?)?")

Read = TypeVar("Read")
Row = tuple[int, dict[str, Any]]


def read_events(path: str | Path) -> Events:
    """The events of a file.

    Args:
        path: .csv (UTF-8, any usual separator) or .parquet. Columns: `name`; `start` and `end`, civil dates
            (2024-02-13), both included, an empty or missing end for one day; optionally `series` (its name),
            `country` ("PT", "DE-BY"), `subdivision`, which narrow whom it touches, and `note`, which is not read.

    Raises:
        DataError: the file cannot be read, lacks a column, or holds a line that says no event; the lines are named.
    """
    file = Path(path)
    parquet = file.name.lower().endswith(".parquet")
    with _opening(file):
        header, rows = (_parquet if parquet else _csv)(file)
    word = "row" if parquet else "line"
    _check_header(header, file)
    if not rows:
        raise DataError(f"{file} holds no events", "a row for each", "leave --events away where there are none")
    table = _Rows(rows, word, file)
    names = table.read("name", _text, "a name in every row")
    firsts = table.read("start", _day, "civil dates such as 2024-02-13")
    ends = table.read("end", _day_or_none, "civil dates such as 2024-02-13, or nothing for a single day")
    lasts = [first if end is None else end for first, end in zip(firsts, ends, strict=True)]
    series = table.read("series", _text_or_none, "names of series")
    regions = table.regions()
    table.refuse([last < first for first, last in zip(firsts, lasts, strict=True)], "ends before it starts", "end")
    spans = zip(names, firsts, lasts, series, regions, [place for place, _ in rows], strict=True)
    events = Events(tuple(Event(*span) for span in spans), str(file), word)
    _check_spelling(events)
    return events


class _Rows:
    """The rows of a file, read column by column, every complaint naming its lines."""

    def __init__(self, rows: list[Row], word: str, file: Path) -> None:
        self.rows, self.word, self.file = rows, word, file

    def read(self, column: str, meaning: Callable[[Any], Read], expected: str) -> list[Read]:
        """What each row says in a column; raises a DataError that names those that say nothing that can be read."""
        found, bad = [], []
        for place, row in self.rows:
            try:
                found.append(meaning(row.get(column)))
            except ValueError:
                bad.append(f"{self.word} {place}: '{_shown(row.get(column))}'")
        if bad:
            raise DataError(
                f"{len(bad)} values of {self.file} cannot be read", expected, "correct these rows", column=column,
                stamps=bad,
            )  # fmt: skip
        return found

    def regions(self) -> list[Region | None]:
        """Each row's region; raises a DataError with the line of a country that is not known."""
        countries = self.read("country", _text_or_none, "ISO codes")
        parts = self.read("subdivision", _text_or_none, "codes of parts of the country")
        found = []
        for (place, _), country, part in zip(self.rows, countries, parts, strict=True):
            at = f"{self.word} {place}"
            if country is None and part is not None:
                raise DataError(f"a subdivision '{part}' of no country", "its country beside it", stamps=[at])
            try:
                found.append(None if country is None else Region.of(country, part))
            except DeclarationError as error:
                raise DataError(error.found, error.expected, f"correct {at} of {self.file}", column="country") from None
        return found

    def refuse(self, wrong: list[bool], what: str, column: str) -> None:
        bad = [f"{self.word} {place}" for (place, _), is_wrong in zip(self.rows, wrong, strict=True) if is_wrong]
        if bad:
            raise DataError(
                f"an event of {self.file} {what}", "an end on or after the start", "correct these rows", column=column,
                stamps=bad,
            )  # fmt: skip


@contextmanager
def _opening(file: Path) -> Iterator[None]:
    """Turns what a system answers about a file into sentences."""
    kinds = "a .csv or .parquet file with the columns " + ", ".join(COLUMNS[:-1])
    if not file.name.lower().endswith((".csv", ".parquet")):
        raise DataError(f"the events file {file} is of no known kind", kinds, "export it as CSV")
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"no events file {file}", "a file that exists", "check the path after --events") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not UTF-8 text ({error.reason})", "a CSV in UTF-8", "save it as UTF-8") from None
    except (pyarrow.ArrowException, csv.Error, OSError) as error:
        raise DataError(f"the events file {file} cannot be read ({error})", kinds, "write or copy it again") from None


def _csv(file: Path) -> tuple[list[str], list[Row]]:
    text = file.read_text(encoding="utf-8-sig")
    first = text.lstrip().partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=max(SEPARATORS, key=first.count), skipinitialspace=True)
    lines = [(reader.line_num, [field.strip() for field in fields]) for fields in reader if any(map(str.strip, fields))]
    if not lines:
        return [], []
    header = [name.lower() for name in lines[0][1]]
    longer = [f"line {number}" for number, fields in lines[1:] if len(fields) > len(header)]
    if longer:
        raise DataError(
            f"some lines of {file} have more fields than the {len(header)} of the header",
            "as many fields in every line", "put names that hold the separator into quotation marks", stamps=longer,
        )  # fmt: skip
    return header, [(number, dict(zip(header, fields, strict=False))) for number, fields in lines[1:]]


def _parquet(file: Path) -> tuple[list[str], list[Row]]:
    table = pyarrow.parquet.read_table(file)
    header = [name.lower() for name in table.column_names]
    rows = table.rename_columns(header).to_pylist()
    return header, list(enumerate(rows, start=1))


def _check_header(header: list[str], file: Path) -> None:
    missing = [name for name in NEEDED if name not in header]
    odd = [name for name in header if name not in COLUMNS]
    doubled = [name for name in header if header.count(name) > 1]
    if missing or odd or doubled:
        what = f"no column {', '.join(missing)}" if missing else f"the column '{(odd or doubled)[0]}'"
        twice = " twice" if doubled and not (missing or odd) else ""
        raise DataError(
            f"{file} holds {what}{twice}",
            f"{', '.join(COLUMNS)}, {' and '.join(NEEDED)} at least; found {', '.join(header) or 'none'}",
            "rename or remove columns",
        )  # fmt: skip


def _check_spelling(events: Events) -> None:
    """Two spellings of one name would be two columns."""
    seen: dict[str, Event] = {}
    for one in events.spans:
        before = seen.setdefault(one.name.casefold(), one)
        if before.name != one.name:
            at = [f"{events.word} {event.place}: '{event.name}'" for event in (before, one)]
            raise DataError("an event's name is spelt in two ways", "one spelling", "choose one", stamps=at)


def _text(value: Any) -> str:
    text = _text_or_none(value)
    if text is None:
        raise ValueError("empty")
    return text


def _text_or_none(value: Any) -> str | None:
    text = "" if pd.isna(value) else " ".join(str(value).split())
    return text or None


def _day(value: Any) -> date:
    """A civil date; a time of day other than midnight, or a zone, is none."""
    if isinstance(value, datetime):
        value = value.isoformat()
    elif isinstance(value, date):
        value = str(value)
    match = _DAY.fullmatch(str(value).strip())
    day = date.fromisoformat(match[1]) if match else None
    if day is None or not YEARS[0] <= day.year <= YEARS[1]:
        raise ValueError("no civil date")
    return day


def _day_or_none(value: Any) -> date | None:
    return None if _text_or_none(value) is None else _day(value)


def _shown(value: Any) -> str:
    return "" if value is None else str(value)
