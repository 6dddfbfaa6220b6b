"""What a user says of series, as a table: zone, unit, place, parent, capacity."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from pydantic import ValidationError

from forecast.errors import DataError, ForecastError
from forecast.tables import SeriesInfo

FIELDS = tuple(name for name in SeriesInfo.model_fields if name != "static")
NUMBERS = ("latitude", "longitude", "capacity")


def read_series(path: Path) -> tuple[SeriesInfo, ...]:
    """The series of a CSV file: `unique_id` and any of the other fields; every further column is a static covariate.

    An empty field says nothing.

    Raises:
        DataError: the file cannot be read, names a series twice, or a value does not fit; lines are named.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path} cannot be read ({told[:120]})", "a CSV file with the column unique_id") from error
    if "unique_id" not in table.columns:
        raise DataError(
            f"{path} has the columns {', '.join(map(str, table.columns))}",
            f"unique_id, and any of {', '.join(FIELDS[1:])}",
        )
    doubled = table.index[table["unique_id"].duplicated()]
    if len(doubled):
        raise DataError("some series are described twice", "one line per series", stamps=_lines(doubled))
    return tuple(_info(path, int(place), dict(row)) for place, row in table.iterrows())


def _info(path: Path, place: int, row: dict[str, str]) -> SeriesInfo:
    told = {name: text.strip() for name, text in row.items() if text.strip()}
    try:
        numbers = {name: float(told[name]) for name in NUMBERS if name in told}
        static = {name: float(text) for name, text in told.items() if name not in FIELDS}
        plain = {name: text for name, text in told.items() if name in FIELDS}
        return SeriesInfo.model_validate({**plain, **numbers, "static": static})
    except ForecastError as error:
        found, expected = error.found, error.expected
    except ValidationError as error:
        first = error.errors()[0]
        found, expected = f"{'.'.join(map(str, first['loc']))} is {first['input']!r}", first["msg"]
    except ValueError as error:
        found, expected = str(error), "a number in every further column"
    raise DataError(f"{path}, line {place + 2}: {found}", expected, "correct the line")


def _lines(places: pd.Index) -> list[str]:
    return [f"line {place + 2}" for place in places]
