"""`Kept`: one series of a forecast as it stands in the ledger, as arrays; for those who read many.

H steps, Q levels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Select, select

from forecast.store.schema import FORECAST, SERIES


@dataclass(frozen=True, eq=False)
class Kept:
    """What was said of one series from one cutoff.

    Attributes:
        id, unique_id, model, model_version, rung, reason, unit, delivery_day, gate: as recorded.
        zone: of the series, as it is known now.
        cutoff, issued_at: seconds since 1970.
        ds_H: starts of the periods, seconds since 1970.
        mean_H, quantiles_HQ: the numbers, bit for bit.
        levels: of the quantiles.
        warnings: one sentence each.
    """

    id: str
    unique_id: str
    zone: str | None
    model: str
    model_version: str | None
    rung: str
    reason: str | None
    unit: str
    delivery_day: str | None
    gate: str | None
    cutoff: int
    issued_at: int
    ds_H: npt.NDArray[np.int64]
    mean_H: npt.NDArray[np.float64]
    quantiles_HQ: npt.NDArray[np.float64]
    levels: tuple[float, ...]
    warnings: tuple[str, ...]


def kept_under(connection: Connection, id: str) -> list[Kept]:
    """What stands under an id, by the names of its series and by cutoff; nothing where there is no such id."""
    wanted = _statement().where(FORECAST.c.id == id).order_by(SERIES.c.unique_id, FORECAST.c.cutoff)
    return [_kept(dict(row)) for row in connection.execute(wanted).mappings()]


def kept_of(
    connection: Connection, series: str, *, delivery_day: str | None = None, first: int | None = None,
    last: int | None = None, as_of: int | None = None, limit: int = 100,
) -> list[Kept]:  # fmt: skip
    """What was said of one series, those that were issued last, oldest cutoff first.

    Args:
        connection: of a reader.
        series: its name.
        delivery_day: only what was asked for this day.
        first, last: only what speaks of a period that starts from `first` to `last` (seconds).
        as_of: only what was issued by then (seconds).
        limit: at most so many.
    """
    table, wanted = FORECAST.c, _statement().where(SERIES.c.unique_id == series)
    if delivery_day is not None:
        wanted = wanted.where(table.delivery_day == delivery_day)
    if last is not None:
        wanted = wanted.where(table.first_ds <= last)
    if first is not None:
        wanted = wanted.where(table.first_ds + (table.steps - 1) * table.step_seconds >= first)
    if as_of is not None:
        wanted = wanted.where(table.issued_at <= as_of)
    wanted = wanted.order_by(table.issued_at.desc(), table.cutoff.desc(), table.id.desc()).limit(limit)
    found = [_kept(dict(row)) for row in connection.execute(wanted).mappings()]
    return sorted(found, key=lambda one: (one.cutoff, one.issued_at, one.id))


def _statement() -> Select[Any]:
    return select(FORECAST, SERIES.c.unique_id, SERIES.c.zone).join(SERIES, SERIES.c.id == FORECAST.c.series_id)


def _kept(row: Mapping[str, Any]) -> Kept:
    levels = tuple(json.loads(row["levels"]))
    values = np.frombuffer(row["values"], dtype="<f8").reshape(row["steps"], 1 + len(levels)).astype(np.float64)
    ds_H = row["first_ds"] + row["step_seconds"] * np.arange(row["steps"], dtype=np.int64)
    words = {name: row[name] for name in ("id", "unique_id", "zone", "model", "model_version", "rung", "reason", "unit",
                                          "delivery_day", "gate", "cutoff", "issued_at")}  # fmt: skip
    return Kept(
        **words, ds_H=ds_H, mean_H=values[:, 0], quantiles_HQ=values[:, 1:], levels=levels,
        warnings=tuple(json.loads(row["warnings"])),
    )  # fmt: skip
