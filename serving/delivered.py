"""What `POST /v1/observations` may hold, and the rows in it, as the store takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from forecast.calendars import checked_days, inside, is_day_clock
from forecast.errors import DataError, RequestError
from forecast.store import Batch
from forecast.store.catalogue import Entry
from forecast.tables import Columns, SeriesInfo
from serving.bodies import LONGEST_NAME, Clocked, Number, Plain, StrictBody
from serving.contradictions import check_agreeing
from serving.introduced import DAY, Introduced
from serving.stamps import Nanoseconds, read_stamp, read_stamps, read_step

Stated = Annotated[list[str | None], Field(fail_fast=True)]
KEYS = ("unique_id", "ds", "available_at")
Doubles = npt.NDArray[np.float64]
_NAME = re.compile(r"\w[\w .:%/+-]{0,63}")


class Measured(Clocked):
    """Values beside their stamps: `y`, and covariates by name; null says nothing."""

    available_at: Stated | None = Field(
        None, description="When each row became known; null: at the end of its period plus the series' delay."
    )


class SeriesObservations(StrictBody):
    """What is new of one series."""

    unique_id: Plain = Field(min_length=1, max_length=LONGEST_NAME)
    zone: str | None = Field(None, description="Its civil zone; stays as it is where left out.")
    unit: str | None = Field(None, description="Of `y`: MW, kW, GW, MWh or kWh; of a new series MW where left out.")
    step: str | None = Field(None, description="Length of a period; needed for a new series of one row, in `ds`.")
    delay: str | None = Field(None, description="How long after its period's end a value is known, as `6h`.")
    static: dict[str, Number] = Field({}, description="Static covariates by name.")
    history: Measured | None = Field(None, description="What was measured.")
    future: Measured | None = Field(
        None, description="Covariates known ahead, such as a weather forecast; with `available_at` each issue of it is "
        "kept, without it a value counts as always known.",
    )  # fmt: skip


class Observations(StrictBody):
    """What is new of some series."""

    series: Annotated[list[SeriesObservations], Field(fail_fast=True)] = Field(min_length=1)
    known: list[str] = Field([], description="Columns of `history` that are known ahead, such as weather.")


@dataclass(frozen=True, eq=False)
class Delivered:
    """Rows of some series before the store is asked for their roles.

    Attributes:
        parts: one table per series and part: `unique_id`, `ds`, `available_at`, numbers.
        ahead: columns that are known ahead.
        infos: what is said of the series.
        names: of the series.
        zones: clocks on which stamps are kept: a zone, or the civil days of one.
    """

    parts: Sequence[pd.DataFrame]
    ahead: frozenset[str]
    infos: tuple[SeriesInfo, ...] = ()
    names: tuple[str, ...] = field(default=())
    zones: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, body: Observations, entries: Mapping[str, Entry]) -> Delivered:
        """Reads a body.

        Args:
            body: as it was sent.
            entries: the series that the store knows.

        Raises:
            DataError, DeclarationError, RequestError: it holds what cannot be read; the place is named.
        """
        parts, ahead, infos = [], set(body.known), []
        zones: dict[str, str] = {}
        for one in body.series:
            said = {name: getattr(one, name) for name in ("unique_id", "zone", "unit", "step", "delay", "static")}
            introduced = Introduced(said, one.history, one.future)
            zone, info = introduced.info(entries.get(one.unique_id), zones.get(one.unique_id))
            zones[one.unique_id] = zone
            infos.append(info)
            for part in (one.history, one.future):
                if part is not None:
                    parts.append(_frame(one.unique_id, part, zone))
            ahead |= set(one.future.columns) if one.future is not None else set()
        if "y" in ahead:
            raise RequestError("`y` is known ahead", "covariates only", "send measured demand in `history`", column="y")
        names = tuple(dict.fromkeys(one.unique_id for one in body.series))
        return cls(parts, frozenset(ahead), tuple(infos), names, zones)

    @property
    def rows(self) -> int:
        """Of all parts."""
        return sum(map(len, self.parts))

    def batch(self, roles: Mapping[str, str]) -> Batch:
        """The rows as the store takes them; what it does not know yet and is not known ahead is known past only.

        Args:
            roles: by name of the columns that the store knows.

        Raises:
            DataError, RequestError: two numbers are told of one period, or a column has no possible name.
        """
        filled = [part for part in self.parts if len(part)]
        frame = pd.concat(filled, ignore_index=True) if filled else _empty()
        names = [str(name) for name in frame.columns if name not in (*KEYS, "y")]
        odd = [name for name in names if not _NAME.fullmatch(name)]
        if odd:
            raise RequestError(
                f"a column is called {odd[0]!r:.80}", "a letter or digit, then up to 63 of them, or of _ .:%/+-",
                "rename it", column=odd[0][:64],
            )  # fmt: skip
        check_agreeing(frame, self.zones)
        known = tuple(name for name in names if name in self.ahead or roles.get(name) == "known")
        return Batch(frame, Columns(tuple(name for name in names if name not in known), known), self.infos)


def _frame(name: str, part: Measured, zone: str) -> pd.DataFrame:
    """One part of one series as rows."""
    columns = {column: np.array(values, dtype=np.float64) for column, values in part.columns.items()}
    size = max((len(values) for values in columns.values()), default=0)
    ds = _stamps(name, part, size, zone)
    texts = part.available_at
    for column, length in {**{one: len(values) for one, values in columns.items()},
                           **({"available_at": len(texts)} if texts is not None else {})}.items():  # fmt: skip
        if length != len(ds):
            raise DataError(
                f"{length} values beside {len(ds)} stamps", "one value per stamp", "send null where a value is missing",
                series=name, column=column,
            )  # fmt: skip
    moments = stated(texts if texts is not None else [None] * len(ds), name, zone)
    return pd.DataFrame({"unique_id": name, "ds": pd.DatetimeIndex(ds, tz="UTC"), "available_at": moments, **columns})


def _stamps(name: str, part: Measured, size: int, zone: str) -> Nanoseconds:
    if part.ds is not None:
        ds = read_stamps(part.ds, series=name, column="ds")
    else:
        assert part.start is not None
        assert part.step is not None
        step, start = read_step(part.step, series=name), read_stamp(part.start, series=name, column="start")
        counted = step.value * np.arange(size, dtype=np.int64)
        if is_day_clock(zone) and step % DAY == pd.Timedelta(0):
            # Civil days, of 23 and 25 hours too.
            first = int(_on_clock(name, np.array([start.value], dtype=np.int64), zone)[0])
            return np.asarray(first + counted)
        ds = start.value + counted
    return _on_clock(name, ds, zone)


def _on_clock(name: str, ds: Nanoseconds, zone: str) -> Nanoseconds:
    try:
        return np.asarray(checked_days(pd.DatetimeIndex(ds, tz="UTC"), zone).asi8)
    except DataError as error:
        raise DataError(error.found, error.expected, error.do, series=name, column="ds", stamps=error.stamps) from None


def stated(texts: Sequence[str | None], name: str | None, zone: str) -> pd.DatetimeIndex:
    """When rows became known, on a series' clock; NaT where nothing is said."""
    told = [row for row, text in enumerate(texts) if text]
    moments = np.full(len(texts), np.iinfo(np.int64).min, dtype=np.int64)
    read = read_stamps([texts[row] or "" for row in told], series=name, column="available_at")
    moments[told] = inside(pd.DatetimeIndex(read, tz="UTC"), zone).asi8
    return pd.DatetimeIndex(moments.view("datetime64[ns]")).tz_localize("UTC")


def _empty() -> pd.DataFrame:
    return pd.DataFrame({"unique_id": pd.Series([], dtype=str), "ds": pd.DatetimeIndex([], tz="UTC")})
