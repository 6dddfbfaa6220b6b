"""`Raw`: a table as it was found, with the place of every row for messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import pandas as pd

from forecast.errors import DataError
from forecast.sources.declaration import Declaration

TIMES = ("ds", "timestamp", "time", "datetime", "date")
TARGETS = ("y", "demand", "load")


class Roles(NamedTuple):
    """Which column says what.

    Attributes:
        time: the stamps.
        targets: the demands.
        series: the names of the series.
        available_at: when rows became known.
        covariates: past, known and static ones.
    """

    time: str
    targets: tuple[str, ...]
    series: str | None
    available_at: str | None
    covariates: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns that a reader of text leaves as they are written."""
        return tuple(name for name in (self.time, self.series, self.available_at) if name is not None)

    @property
    def used(self) -> tuple[str, ...]:
        """Every column that has a role."""
        return (*self.texts, *self.targets, *self.covariates)


@dataclass(frozen=True, eq=False)
class Raw:
    """A table as it was found.

    Attributes:
        frame: the used columns under their own names; the index is the place (line of the file, row of the answer).
        roles: which column says what.
        headers: every column of the source.
        name: the source, for reports.
        place: "line" or "row", the word for the index.
        notes: what the reader found out by itself (the separator).
    """

    frame: pd.DataFrame
    roles: Roles
    headers: tuple[str, ...]
    name: str
    place: str
    notes: tuple[str, ...] = field(default=())


def roles_of(headers: tuple[str, ...], declaration: Declaration) -> Roles:
    """The declared roles, completed by the names that the field uses.

    Raises:
        DataError: a declared column is not there, occurs twice, or none has a name that can be guessed.
    """
    free = tuple(header for header in headers if header not in declaration.named)
    targets = declaration.target or (_guessed(free, TARGETS, "demand", "--target"),)
    roles = Roles(
        time=declaration.time or _guessed(free, TIMES, "time", "--time"),
        targets=targets,
        series=declaration.series or ("unique_id" if "unique_id" in free and len(targets) == 1 else None),
        available_at=declaration.available_at
        or ("available_at" if "available_at" in free and not declaration.lag else None),
        covariates=(*declaration.past, *declaration.known, *declaration.static),
    )
    missing = [name for name in roles.used if name not in headers]
    if missing:
        raise DataError(
            f"no column {', '.join(repr(name) for name in missing)}", f"it among {_listed(headers)}",
            "correct --time, --target, --series, --known, --past, --static or --available-at",
        )  # fmt: skip
    doubled = [name for name in roles.used if headers.count(name) > 1]
    if doubled:
        raise DataError(f"{headers.count(doubled[0])} columns are called '{doubled[0]}'", "one", "rename the others")
    return roles


def _guessed(headers: tuple[str, ...], names: tuple[str, ...], what: str, option: str) -> str:
    by_lower = {header.lower(): header for header in reversed(headers)}
    for name in names:
        if name in headers or name in by_lower:
            return name if name in headers else by_lower[name]
    raise DataError(
        f"no {what} column was recognised", f"one called {', '.join(names)}; found {_listed(headers)}",
        f"name it with {option}",
    )  # fmt: skip


def _listed(headers: tuple[str, ...]) -> str:
    shown = ", ".join(headers[:20]) or "(no columns)"
    return f"{shown} and {len(headers) - 20} more" if len(headers) > 20 else shown
