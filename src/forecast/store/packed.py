"""`Packed`: a forecast as the rows of the ledger hold it, without a table in between; how many are written at once.

H steps, Q levels.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, insert, select

from forecast.store.issued import CHAMPION
from forecast.store.schema import FORECAST, SERIES
from forecast.store.steps import step_of

CHUNK = 400
"""So many names are looked up at once."""


@dataclass(frozen=True, eq=False, slots=True)
class Said:
    """What is said of one series.

    Attributes:
        unique_id: its name.
        zone: its civil zone, for a series that the store does not know yet.
        first_ds: start of the first period, seconds since 1970.
        steps, step_seconds: how many periods, and their length.
        values: float64, little-endian [steps, 1 + levels]: mean, quantiles.
        rung, reason: which step of the fallbacks said it, and why that one.
    """

    unique_id: str
    zone: str | None
    first_ds: int
    steps: int
    step_seconds: int
    values: bytes
    rung: str = CHAMPION
    reason: str | None = None

    @classmethod
    def of(
        cls, unique_id: str, zone: str | None, ds_H: npt.NDArray[np.int64], mean_H: npt.NDArray[np.floating],
        quantiles_HQ: npt.NDArray[np.floating], *, step_seconds: int, rung: str = CHAMPION, reason: str | None = None,
    ) -> Said:  # fmt: skip
        """Packs arrays.

        Args:
            unique_id, zone, rung, reason: as in the class.
            ds_H: starts of the periods, seconds since 1970.
            mean_H, quantiles_HQ: the numbers.
            step_seconds: length of a period, where there is only one.

        Raises:
            DataError: the periods do not follow each other in one step.
        """
        values = np.empty((len(ds_H), 1 + quantiles_HQ.shape[1]), dtype="<f8")
        values[:, 0], values[:, 1:] = mean_H, quantiles_HQ
        step = step_of(unique_id, ds_H, step_seconds)
        return cls(unique_id, zone, int(ds_H[0]), len(ds_H), step, values.tobytes(), rung, reason)


@dataclass(frozen=True, eq=False, slots=True)
class Packed:
    """A forecast of one cutoff that is to be written under an id of its own, which nothing has yet.

    Attributes:
        id: random; no name of a series belongs into it.
        said: by series.
        cutoff, issued_at: seconds since 1970.
        unit: of the numbers.
        levels: of the quantiles, ascending.
        model, model_version: who said it.
        delivery_day, gate: what was asked for.
        warnings: one sentence each.
    """

    id: str
    said: tuple[Said, ...]
    cutoff: int
    issued_at: int
    unit: str
    levels: tuple[float, ...]
    model: str
    model_version: str | None = None
    delivery_day: str | None = None
    gate: str | None = None
    warnings: tuple[str, ...] = ()


def record_packed(connection: Connection, several: Sequence[Packed]) -> None:
    """Writes forecasts within the writer's transaction; series that the store does not know are registered."""
    numbers = _numbers(connection, several)
    rows = [row for one in several for row in _rows(one, numbers)]
    if rows:
        connection.exec_driver_sql(_statement(connection.dialect.name), rows)


def known_ids(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Those of some ids that stand in the ledger."""
    every, found = list(ids), set[str]()
    for begin in range(0, len(every), CHUNK):
        wanted = select(FORECAST.c.id).where(FORECAST.c.id.in_(every[begin : begin + CHUNK]))
        found.update(connection.execute(wanted).scalars())
    return found


def record_new(connection: Connection, several: Sequence[Packed]) -> list[bool]:
    """Writes forecasts whose id does not stand in the ledger, within the writer's transaction.

    Returns:
        which of them were written; one of a series that was forgotten meanwhile is not.
    """
    there = known_ids(connection, [one.id for one in several])
    fresh = [one for one in several if one.id not in there]
    numbers = _registered(connection, sorted({said.unique_id for one in fresh for said in one.said}))
    kept = [one for one in fresh if all(said.unique_id in numbers for said in one.said)]
    rows = [row for one in kept for row in _rows(one, numbers)]
    if rows:
        connection.exec_driver_sql(_statement(connection.dialect.name), rows)
    written = {one.id for one in kept}
    return [one.id in written for one in several]


@cache
def _statement(dialect: str) -> str:
    """The insertion in the driver's own words: composing it anew costs as much as doing it."""
    mark = "?" if dialect == "sqlite" else "%s"
    names = ", ".join(f'"{column.name}"' for column in FORECAST.columns)
    return f"INSERT INTO forecast ({names}) VALUES ({', '.join([mark] * len(FORECAST.columns))})"


def _rows(one: Packed, numbers: dict[str, int]) -> Iterable[tuple[Any, ...]]:
    """In the order of the table's columns."""
    levels, warnings = _json(one.levels), _json(one.warnings)
    for said in one.said:
        yield (
            one.id, numbers[said.unique_id], one.cutoff, one.issued_at, said.first_ds, said.steps, said.step_seconds,
            one.delivery_day, one.gate, one.unit, one.model, one.model_version, None, said.rung, said.reason, levels,
            said.values, warnings,
        )  # fmt: skip


@lru_cache(maxsize=256)
def _json(told: tuple[float | str, ...]) -> str:
    """Most answers have the same levels, and no warnings."""
    return json.dumps(told, ensure_ascii=False)


def _numbers(connection: Connection, several: Sequence[Packed]) -> dict[str, int]:
    """The numbers of all series; those that are new are registered as asked for."""
    first = {said.unique_id: (one, said) for one in reversed(several) for said in reversed(one.said)}
    names = sorted(first)
    numbers = _registered(connection, names)
    for name in names:
        if name not in numbers:
            numbers[name] = _register(connection, *first[name])
    return numbers


def _registered(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """The numbers of those series that the store knows."""
    numbers: dict[str, int] = {}
    for begin in range(0, len(names), CHUNK):
        some = names[begin : begin + CHUNK]
        marks = ", ".join(["?" if connection.dialect.name == "sqlite" else "%s"] * len(some))
        wanted = f"SELECT unique_id, id FROM series WHERE unique_id IN ({marks})"
        numbers |= {row[0]: row[1] for row in connection.exec_driver_sql(wanted, tuple(some))}
    return numbers


def _register(connection: Connection, one: Packed, said: Said) -> int:
    values = {
        "unique_id": said.unique_id, "zone": said.zone, "unit": one.unit, "step_seconds": said.step_seconds,
        "delay_seconds": 0, "static": "{}", "asked": 1,
    }  # fmt: skip
    made = connection.execute(insert(SERIES).values(values)).inserted_primary_key
    assert made is not None
    return int(made[0])
