"""`DayScore`: how the forecast of one delivery day turned out, period by period; written again when that changes.

P periods of the day, five columns (`COLUMNS`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, delete, insert, select

from forecast import clock
from forecast.errors import StoreError
from forecast.store import catalogue
from forecast.store.schema import SCORE, SERIES

COLUMNS = ("demand", "middle", "low", "high", "naive")
"""What is kept of every period: what was measured, the median (the mean where it was not told), the 80 % band, and the
same local hour a week before; NaN where it is not known."""
CHUNK = 400
"""So many series are looked up at once."""
FIGURES = ("mae", "bias", "mape", "coverage", "demand", "naive_mae", "compared_mae")


@dataclass(frozen=True, eq=False)
class DayScore:
    """How the forecast of one series and day turned out; errors in `unit`.

    Attributes:
        unique_id: the series.
        day: the civil day, such as 2024-05-01.
        forecast_id, issued_at, cutoff, model, model_version, rung: of the forecast; moments in seconds since 1970.
        unit: of the numbers.
        first_ds, step_seconds: the first period's start (seconds since 1970), and their length.
        periods, scored, naive_scored: of the day; with forecast and demand; of these with a naive.
        mae, bias, mape, coverage, demand, naive_mae, compared_mae: as in `monitoring.Score`; NaN where there is none.
        values_P5: by period, as in `COLUMNS`.
        at: when it was scored; None: now, when it is kept.
    """

    unique_id: str
    day: str
    forecast_id: str
    issued_at: int
    cutoff: int
    model: str
    model_version: str | None
    rung: str
    unit: str
    first_ds: int
    step_seconds: int
    periods: int
    scored: int
    naive_scored: int
    mae: float
    bias: float
    mape: float
    coverage: float
    demand: float
    naive_mae: float
    compared_mae: float
    values_P5: npt.NDArray[np.float32]
    at: int | None = None

    @property
    def skill(self) -> float:
        """1 - error over that of the seasonal naive, over the same periods; NaN where there is nothing to compare."""
        return 1 - self.compared_mae / self.naive_mae if self.naive_mae > 0 else float("nan")

    @property
    def ds_P(self) -> npt.NDArray[np.int64]:
        """Starts of the periods, seconds since 1970."""
        return self.first_ds + self.step_seconds * np.arange(self.periods, dtype=np.int64)


_PLAIN = tuple(one.name for one in fields(DayScore) if one.name not in ("unique_id", "values_P5", "at", *FIGURES))


def keep_scores(connection: Connection, scores: Sequence[DayScore]) -> int:
    """Writes scores within the writer's transaction, in place of those that say something else of the same day.

    Returns:
        how many were new or changed; the others stay as they are, with the moment of their scoring.

    Raises:
        StoreError: a series is not registered.
    """
    entries = catalogue.entries(connection, {one.unique_id for one in scores})
    if missing := {one.unique_id for one in scores} - set(entries):
        raise StoreError(f"scores of {', '.join(sorted(missing)[:10])}", "series that the store holds")
    at = int(clock.now().timestamp())
    rows = {(entries[one.unique_id].number, one.day): _row(one, entries[one.unique_id].number, at) for one in scores}
    fresh = []
    for day in sorted({day for _, day in rows}):
        before = _of_day(connection, day, [number for number, told in rows if told == day])
        changed = [row for key, row in rows.items() if key[1] == day and _said(row) != before.get(key[0])]
        gone = [row["series_id"] for row in changed if row["series_id"] in before]
        for begin in range(0, len(gone), CHUNK):
            these = SCORE.c.series_id.in_(gone[begin : begin + CHUNK])
            connection.execute(delete(SCORE).where(SCORE.c.day == day, these))
        fresh += changed
    if fresh:
        connection.execute(insert(SCORE), fresh)
    return len(fresh)


def scores(
    connection: Connection, series: Iterable[str] | None = None, first: str | None = None, last: str | None = None
) -> list[DayScore]:
    """The scores of some series (all where None) and of the days from `first` to `last`, by name and day."""
    wanted = select(SCORE, SERIES.c.unique_id).join(SERIES, SERIES.c.id == SCORE.c.series_id)
    if first is not None:
        wanted = wanted.where(SCORE.c.day >= first)
    if last is not None:
        wanted = wanted.where(SCORE.c.day <= last)
    chosen = None if series is None else set(series)
    if chosen is not None and len(chosen) <= catalogue.MOST_NAMED:
        wanted = wanted.where(SERIES.c.unique_id.in_(sorted(chosen)))
    rows = connection.execute(wanted).mappings()
    found = [_score(dict(row)) for row in rows if chosen is None or row["unique_id"] in chosen]
    return sorted(found, key=lambda one: (one.unique_id, one.day))


def _of_day(connection: Connection, day: str, numbers: Sequence[int]) -> dict[int, tuple[Any, ...]]:
    """What stands there of a day, by series."""
    found: dict[int, tuple[Any, ...]] = {}
    for begin in range(0, len(numbers), CHUNK):
        these = SCORE.c.series_id.in_(numbers[begin : begin + CHUNK])
        for row in connection.execute(select(SCORE).where(SCORE.c.day == day, these)).mappings():
            found[row["series_id"]] = _said(dict(row))
    return found


def _said(row: dict[str, Any]) -> tuple[Any, ...]:
    """A row without the moment at which it was written."""
    names = [column.name for column in SCORE.columns if column.name != "at"]
    return tuple(bytes(row[name]) if name == "values" else row[name] for name in names)


def _row(one: DayScore, number: int, at: int) -> dict[str, Any]:
    values = np.ascontiguousarray(one.values_P5, dtype="<f4")
    if values.shape != (one.periods, len(COLUMNS)):
        raise StoreError(f"a score with values of shape {values.shape}", f"{(one.periods, len(COLUMNS))}")
    figures = {name: None if math.isnan(told := getattr(one, name)) else float(told) for name in FIGURES}
    plain = {name: getattr(one, name) for name in _PLAIN}
    return {"series_id": number, "at": one.at or at, **plain, **figures, "values": values.tobytes()}


def _score(row: dict[str, Any]) -> DayScore:
    told = {name: row[name] for name in ("unique_id", "at", *_PLAIN)}
    told |= {name: math.nan if row[name] is None else row[name] for name in FIGURES}
    values = np.frombuffer(row["values"], dtype="<f4").reshape(row["periods"], len(COLUMNS)).astype(np.float32)
    return DayScore(**told, values_P5=values)
