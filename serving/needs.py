"""What a forecast from a cutoff reads, column by column, and which of it the store lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast.calendars import moment_outside
from forecast.errors import RequestError
from forecast.forecaster import MAX_HORIZON_DAYS, ForecasterSpec, day_span
from forecast.store import Store, catalogue
from forecast.store.catalogue import TARGET, Entry
from forecast.store.tokens import Tokens
from serving.asked import Asked, no_series
from serving.bodies import ForecastRequest
from serving.held import Held, Ints, last_known, read_held
from serving.stamps import SECOND, write_step, written

MOST_RANGES = 100
"""Of one column; more are counted and not listed."""


@dataclass(frozen=True)
class Wanted:
    """What is to be forecast.

    Attributes:
        name: of the series.
        as_of: only what was known then; now where None.
        horizon, delivery_day, gate: as in a request.
    """

    name: str
    as_of: str | None
    horizon: int | None
    delivery_day: str | None
    gate: str | None

    def asked(self, spec: ForecasterSpec) -> Asked:
        """As a request would ask."""
        said = {"as_of": self.as_of, "horizon": self.horizon, "delivery_day": self.delivery_day, "gate": self.gate}
        try:
            request = ForecastRequest.model_validate({"series": [{"unique_id": self.name}], **said})
        except ValueError as error:
            raise RequestError(str(error).split("Value error, ")[-1].split(" [type")[0], "see /docs") from None
        return Asked.of(request, spec)


def requirements(store: Store, wanted: Wanted, spec: ForecasterSpec) -> dict[str, Any]:
    """What a forecast of one series needs, and what is missing.

    Raises:
        NoSeries: the store does not hold the series.
        RequestError, DataError: the model cannot read it, or a parameter is wrong.
    """
    asked = wanted.asked(spec)
    with store.snapshot() as connection:
        entries = catalogue.entries(connection, [wanted.name])
        if wanted.name not in entries:
            raise no_series(wanted.name)
        asked.check(entries, static=False)
        entry, zone = entries[wanted.name], entries[wanted.name].info.zone or "UTC"
        lacking = [name for name in spec.static if name not in entry.info.static]
        cutoff = asked.cutoff({wanted.name: zone})
        moment = asked.known_until(cutoff, zone)
        if cutoff is None:
            end = last_known(connection, [entry], int(moment.value // SECOND))
            cutoff = pd.Timestamp(end * SECOND, tz="UTC") if end is not None else moment
        until = _until(asked, cutoff, zone)
        first, last = int((cutoff - asked.spec.farthest).value // SECOND), int(until.value // SECOND)
        held = read_held(connection, entries, Tokens(0, 0, {}), first, last, spec.columns.dynamic)[wanted.name]
    clock = _Clock(entry, held, cutoff, until, moment, zone)
    # As `history_steps` of GET /v1/models, for the steps that are asked for here.
    reach = spec.reach(-((cutoff - until) // spec.step)) * spec.step
    return {
        "unique_id": wanted.name, "model": spec.name, "step": write_step(spec.step),
        "as_of": clock.told(moment.value), "cutoff": clock.told(cutoff.value), "static_missing": lacking,
        "columns": [clock.column(name, reach, ahead=name in spec.known) for name in spec.columns.dynamic],
    }  # fmt: skip


def _until(asked: Asked, cutoff: pd.Timestamp, zone: str) -> pd.Timestamp:
    """The end of what is forecast."""
    request, spec = asked.request, asked.spec
    if request.delivery_day is not None:
        return day_span(request.delivery_day, zone, cutoff)[1]
    steps = request.horizon or spec.task.horizon
    most = int(pd.Timedelta(days=MAX_HORIZON_DAYS) / spec.step)
    if not 1 <= steps <= max(1, most):
        raise RequestError(f"a horizon of {steps} steps", f"1 to {most}", "ask for less", column="horizon")
    return cutoff + steps * spec.step


@dataclass(frozen=True, eq=False)
class _Clock:
    """The periods of a series about a cutoff, and what is held of them."""

    entry: Entry
    held: Held
    cutoff: pd.Timestamp
    until: pd.Timestamp
    moment: pd.Timestamp
    zone: str

    def column(self, name: str, reach: pd.Timedelta, *, ahead: bool) -> dict[str, Any]:
        """First and last period that is read of a column, and those of which nothing is known."""
        last = self.until.value if ahead else self.cutoff.value - self.entry.delay_seconds * SECOND - self._step + 1
        needed = self._stamps((self.cutoff - reach).value, last)
        values = self.held.columns[name]
        known = values.ds_N[(values.available_N <= self.moment.value) & np.isfinite(values.value_N)]
        if name != TARGET:
            known = self._held_on(known)
        missing = needed[~np.isin(needed, known)]
        ranges = self._ranges(missing)
        return {
            "name": name, "role": "target" if name == TARGET else "known ahead" if ahead else "past",
            "first": self.told(int(needed[0])) if len(needed) else None,
            "last": self.told(int(needed[-1])) if len(needed) else None, "periods": len(needed),
            "missing": len(missing), "missing_ranges": ranges[:MOST_RANGES],
        }  # fmt: skip

    @property
    def _step(self) -> int:
        return self.entry.step_seconds * SECOND

    def _stamps(self, first: int, last: int) -> Ints:
        """Starts of the periods from `first` up to, not including, `last`."""
        anchor = (self.entry.anchor or 0) * SECOND
        begin = anchor + -((anchor - first) // self._step) * self._step
        return np.arange(begin, last, self._step, dtype=np.int64)

    def _held_on(self, known: Ints) -> Ints:
        """Stamps of a column that is told less often than the series, in all the periods that it holds for."""
        apart = np.unique(np.diff(np.unique(known)))
        times = int(np.gcd.reduce(apart // self._step)) if len(apart) else 1
        if times <= 1:
            return known
        return np.asarray((known[:, None] + np.arange(times) * self._step).ravel())

    def _ranges(self, missing: Ints) -> list[dict[str, str]]:
        if not len(missing):
            return []
        turns = np.flatnonzero(np.diff(missing) != self._step)
        begins, ends = np.append(0, turns + 1), np.append(turns, len(missing) - 1)
        return [
            {"first": self.told(int(missing[begin])), "last": self.told(int(missing[end]))}
            for begin, end in zip(begins, ends, strict=True)
        ]

    def told(self, nanoseconds: int) -> str:
        """A moment as it was lived."""
        return written(moment_outside(pd.Timestamp(nanoseconds, tz="UTC"), self.zone))
