"""`Long`: a long table of several series, as other protocols send it, made into a `ForecastRequest`."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException

from forecast.errors import DataError, RequestError
from forecast.forecaster import ForecasterSpec
from serving.bodies import ForecastRequest
from serving.parsing import MOST_FIELDS, checked

NAME, START, TARGET = "unique_id", "ds", "y"


@dataclass(frozen=True, eq=False)
class Long:
    """Columns of one length: `unique_id`, `ds`, `y`, covariates; None is missing. Rows that lie ahead have no `y`."""

    columns: Mapping[str, list[Any]]

    @classmethod
    def of_records(cls, records: Sequence[Mapping[str, Any]]) -> Long:
        """A table given row by row; what a row lacks is missing.

        Raises:
            RequestError: the rows have too many names.
        """
        names: dict[str, None] = {}
        for one in records:
            names |= dict.fromkeys(one)
            if len(names) > MOST_FIELDS:
                raise RequestError(f"rows with more than {MOST_FIELDS} columns", "fewer", "leave out what is not read")
        return cls({name: [one.get(name) for one in records] for name in names})

    @classmethod
    def of_rows(cls, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Long:
        """A table given as names and rows.

        Raises:
            RequestError: a row has another length, or two columns have one name.
        """
        odd = next((place for place, row in enumerate(rows) if len(row) != len(names)), None)
        if odd is not None:
            raise RequestError(
                f"row {odd} has {len(rows[odd])} values", f"{len(names)}, one per column", "correct it", column="data"
            )
        if len(set(names)) < len(names):
            raise RequestError("two columns have one name", "each column once", "rename one", column="columns")
        return cls({name: [row[place] for row in rows] for place, name in enumerate(names)})

    @classmethod
    def of_csv(cls, raw: bytes) -> Long:
        """A table as CSV with a header; empty cells are missing.

        Raises:
            HTTPException: 400, it is not text. DataError: a cell is no number.
        """
        try:
            lines = [row for row in csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")) if row]
        except (UnicodeDecodeError, csv.Error) as error:
            raise HTTPException(400, f"the body is not CSV ({error})") from None
        if not lines:
            raise HTTPException(400, "the body is empty; expected a header and rows")
        table = cls.of_rows(lines[0], lines[1:]).columns
        return cls(
            {name: values if name in (NAME, START) else _numbers(name, values) for name, values in table.items()}
        )

    def request(self, spec: ForecasterSpec | None, asked: Mapping[str, Any], *, most_series: int) -> ForecastRequest:
        """The request for the forecasts of all series.

        Args:
            spec: of the model that will be asked; None: none is served, and only `y` counts.
            asked: the other fields of a `ForecastRequest`.
            most_series: that one request may hold.

        Raises:
            RequestError, DataError: a column is missing or cannot be read; the place is named.
        """
        self._check()
        places: dict[Any, list[int]] = {}
        for row, name in enumerate(self.columns[NAME]):
            places.setdefault(name if isinstance(name, str) else str(name), []).append(row)
        series = [self._series(name, rows, spec) for name, rows in places.items()]
        return checked(ForecastRequest, {"series": series, **asked}, most_series=most_series)

    def _check(self) -> None:
        for name in (NAME, START, TARGET):
            if name not in self.columns and not (name != NAME and set(self.columns) == {NAME}):
                raise RequestError(
                    f"no column {name}; found {', '.join(self.columns)[:200] or 'none'}",
                    f"{NAME}, {START}, {TARGET} and what the model reads", "add it", column=name,
                )  # fmt: skip
        sizes = {name: len(values) for name, values in self.columns.items()}
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{name}: {size}" for name, size in list(sizes.items())[:6])
            raise RequestError(f"columns of other lengths ({told})", "one value per row in each")

    def _series(self, name: str, rows: Sequence[int], spec: ForecasterSpec | None) -> dict[str, Any]:
        if START not in self.columns:
            # Nothing but names: the store has the history.
            return {"unique_id": name}
        static = {column: self._one_value(name, column, rows) for column in (spec.static if spec is not None else ())}
        history = {
            column: [_known(values[row]) for row in rows]
            for column, values in self.columns.items()
            if column not in (NAME, *static)
        }
        return {
            "unique_id": name, "history": history,
            "static": {column: value for column, value in static.items() if value is not None},
        }  # fmt: skip

    def _one_value(self, name: str, column: str, rows: Sequence[int]) -> Any:
        """A static covariate, which says the same in every row; None where no row says anything."""
        values = self.columns.get(column, ())
        told = list(dict.fromkeys(value for row in rows if values and (value := _known(values[row])) is not None))
        if len(told) > 1:
            raise DataError(
                f"{len(told)} values of a static covariate", "one for all rows of a series", "correct it", series=name,
                column=column,
            )  # fmt: skip
        return told[0] if told else None


def _known(value: Any) -> Any:
    """A value; None for the NaN that Python writes."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _numbers(name: str, values: Sequence[str]) -> list[float | None]:
    try:
        return [float(text) if text.strip() else None for text in values]
    except ValueError:
        odd = [f"row {row}: {text[:40]}" for row, text in enumerate(values) if text.strip() and not _is_number(text)]
        raise DataError(
            f"{len(odd)} of {len(values)} values are not numbers", "numbers, or nothing where a value is missing",
            "correct them and send it again", column=name, stamps=odd[:20],
        ) from None  # fmt: skip


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
