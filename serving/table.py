"""`Table`: what some series knew at a moment, as a model reads it, and how long that stays true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.calendars import moment_outside
from forecast.errors import NotEnoughHistory, RequestError
from forecast.forecaster import MAX_HORIZON_DAYS, ForecasterSpec
from forecast.store.catalogue import TARGET
from forecast.store.knowledge import demand_of_entries
from forecast.tables import Demand, Series
from forecast.tables.cells import Cells
from forecast.tables.versions import ALWAYS
from serving.asked import Asked
from serving.held import Held, Ints, Values
from serving.problems import SHOWN_STAMPS
from serving.questions import Question
from serving.stamps import SECOND

Ahead = Mapping[str, tuple[Ints, Mapping[str, npt.NDArray[np.float64]]]]
"""By series: stamps and columns that a request says are known ahead."""
NOTES = 32
HORIZON_S = MAX_HORIZON_DAYS * 86_400


@dataclass(frozen=True, eq=False)
class Table:
    """A demand that is right as long as nothing changed and nothing more became known.

    Attributes:
        demand: what was known.
        spec: of the model that reads it.
        token: of the store, when it was last seen to be right.
        since, until: it is the same for every moment of knowledge from `since` up to, not including, `until` (UTC
            nanoseconds).
        first, last: it holds the periods that start between them (seconds).
        warnings: what the model has to do without.
    """

    demand: Demand
    spec: ForecasterSpec
    token: int
    since: int
    until: int
    first: int
    last: int
    warnings: tuple[str, ...]
    _notes: dict[int, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, asked: Asked, held: Mapping[str, Held], moment: pd.Timestamp, unit: str, token: int, source: str,
           ahead: Ahead) -> Table:  # fmt: skip
        """What some series knew at a moment.

        Args:
            asked: the request, and the model that reads.
            held: the series, in the order of their names.
            moment: the moment.
            unit: of the answer.
            token: of the store.
            source: its address, for reports.
            ahead: what the request says is known ahead; it counts as known at the moment.

        Raises:
            NotEnoughHistory: nothing of a series is known, and no static column tells the model its level.
            DataError: stamps are off a series' clock.
        """
        spec, at = asked.spec, moment.value
        places = {name: place for place, name in enumerate(held)}
        cells = {column: _cells(held, column, at) for column in spec.columns.dynamic}
        for column in spec.known:
            cells[column] = _with_ahead(cells[column], ahead, column, places, at)
        cells[TARGET] = _with_blanks(cells, held, asked, at)
        demand = demand_of_entries(
            {name: one.entry for name, one in held.items()}, cells, columns=spec.columns, unit=unit, source=source,
            forecast_only=True,
        ).as_of(moment)  # fmt: skip
        since, until = _stays(held, spec.columns.dynamic, at)
        first, last = max(one.first for one in held.values()), min(one.last for one in held.values())
        return cls(demand, spec, token, since, until, first, last, _lacking(cells, held, spec))

    @property
    def size(self) -> int:
        """Bytes, roughly."""
        return 4096 + 3 * self.demand.arena_RC.nbytes

    @cached_property
    def zones(self) -> dict[str, str]:
        """Civil zone by series."""
        return self.demand.zones

    @cached_property
    def end(self) -> pd.Timestamp | None:
        """The end of what is known of any series; None where nothing is."""
        known = any(np.isfinite(self.demand.observed(one)).any() for one in self.demand.series)
        return self.demand.last_known_end() if known else None

    def serves(self, token: int, moment: pd.Timestamp, cutoff: pd.Timestamp | None, reach: pd.Timedelta) -> bool:
        """Whether it is what the store would give for a question."""
        origin = cutoff if cutoff is not None else self.end
        if token != self.token or origin is None or not self.since <= moment.value < self.until:
            return False
        first, last = origin.value - reach.value, origin.value + HORIZON_S * SECOND
        return bool(self.first * SECOND <= first and last <= self.last * SECOND)

    def question(self, asked: Asked, cutoff: pd.Timestamp | None) -> Question:
        """A question on this knowledge; without a cutoff from the end of what is known.

        Raises:
            RequestError: no value is known, and no cutoff was said.
            NotEnoughHistory: no value of a series is known near the cutoff.
        """
        request, origin = asked.request, cutoff if cutoff is not None else self.end
        if origin is None:
            raise RequestError(
                "no cutoff, and no value of y is known that a forecast could follow", "the moment of the forecast",
                "send `cutoff`", column="cutoff",
            )  # fmt: skip
        levels = tuple(request.quantiles) if request.quantiles is not None else None
        return Question(
            self.demand, origin, request.horizon, request.delivery_day, levels, asked.order,
            self._told(asked, origin),
        )  # fmt: skip

    def _told(self, asked: Asked, cutoff: pd.Timestamp) -> tuple[str, ...]:
        """What to know before any forecast is made; the same for the same cutoff."""
        found = self._notes.get(cutoff.value)
        if found is None:
            if len(self._notes) >= NOTES:
                self._notes.clear()
            found = (*self.warnings, *self._constant(cutoff, asked.spec.farthest), *_seen_already(cutoff, self.spec))
            self._notes[cutoff.value] = found
        return found

    def _constant(self, cutoff: pd.Timestamp, reach: pd.Timedelta) -> list[str]:
        """That a series looks stuck; refuses one of which nothing is known within the model's reach."""
        told = []
        for one in self.demand.series:
            y_T, ds_T = self.demand.observed(one), one.start.value + np.arange(len(one)) * self.demand.step.value
            known_T = np.isfinite(y_T) & (ds_T < cutoff.value)
            if not (known_T & (ds_T >= cutoff.value - reach.value)).any():
                self._refuse_unknown(one, cutoff, reach)
                continue
            y = y_T[known_T][-self.spec.context :] * self.demand.output_factor
            if len(y) > 1 and (y == y[0]).all():
                told.append(
                    f"series '{one.unique_id}': the last {len(y)} known values are all {y[0]:g}, "
                    "as those of a stuck meter would be"
                )
        return told

    def _refuse_unknown(self, one: Series, cutoff: pd.Timestamp, reach: pd.Timedelta) -> None:
        if not self.spec.starts_from_static:
            raise nothing_known(one.unique_id, moment_outside(cutoff, one.zone), reach)


def nothing_known(name: str, cutoff: pd.Timestamp, reach: pd.Timedelta) -> NotEnoughHistory:
    """That the store knows nothing of a series that a forecast could start from."""
    return NotEnoughHistory(
        f"the store knows no value of y at the cutoff {cutoff:%Y-%m-%dT%H:%MZ}",
        f"at least one that is not more than {reach.days} days older",
        f"move the cutoff, or POST its values to /v1/observations; GET /v1/series/{name}/requirements says what is "
        "missing", series=name, column=TARGET,
    )  # fmt: skip


def _cells(held: Mapping[str, Held], column: str, at: int) -> Cells:
    """What was known of a column, the series one after the other."""
    parts, counts = [], []
    for one in held.values():
        values = one.columns[column]
        known_N = values.available_N <= at
        whole = bool(known_N.all())
        parts.append(values if whole else Values(*(getattr(values, name)[known_N] for name in _FIELDS)))
        counts.append(len(parts[-1].ds_N))
    ds_N, available_N, value_N = (np.concatenate([getattr(one, name) for one in parts]) for name in _FIELDS)
    return Cells(np.repeat(np.arange(len(parts)), counts), ds_N, available_N, value_N)


_FIELDS = ("ds_N", "available_N", "value_N")


def _with_ahead(cells: Cells, ahead: Ahead, column: str, places: Mapping[str, int], at: int) -> Cells:
    """What a request says of a column comes last: among equals the last one counts."""
    told = [(places[name], ds_N, columns[column]) for name, (ds_N, columns) in ahead.items() if column in columns]
    if not told:
        return cells
    # Beside values that were always known it is one more of them; beside vintages the newest.
    since = ALWAYS if (cells.available_N == ALWAYS).all() else at
    series_N = np.concatenate([cells.series_N, *(np.full(len(ds_N), place) for place, ds_N, _ in told)])
    ds_N = np.concatenate([cells.ds_N, *(ds_N for _, ds_N, _ in told)])
    value_N = np.concatenate([cells.value_N, *(value_N for _, _, value_N in told)])
    available_N = np.concatenate([cells.available_N, np.full(len(ds_N) - len(cells.ds_N), since)])
    keep = np.flatnonzero(np.isfinite(value_N))
    keep = keep[np.lexsort((available_N[keep], ds_N[keep], series_N[keep]))]
    return Cells(series_N[keep], ds_N[keep], available_N[keep], value_N[keep])


def _with_blanks(cells: Mapping[str, Cells], held: Mapping[str, Held], asked: Asked, at: int) -> Cells:
    """A missing value of y for every series of which nothing at all is known, where the model can start without."""
    y = cells[TARGET]
    empty = set(range(len(held)))
    for one in cells.values():
        empty -= set(np.unique(one.series_N).tolist())
    if not empty:
        return y
    step, names = asked.spec.step.value, list(held)
    rule = step + pd.Timedelta(seconds=max(one.entry.delay_seconds for one in held.values())).value
    for place in sorted(empty):
        name = names[place]
        if not asked.spec.starts_from_static:
            raise nothing_known(name, pd.Timestamp(at, tz="UTC"), asked.spec.farthest)
        anchor = (held[name].entry.anchor or 0) * SECOND
        ds = anchor + (at - rule - anchor) // step * step
        where = int(np.searchsorted(y.series_N, place))
        told = (place, ds, ds + rule, np.nan)
        fields = ("series_N", *_FIELDS)
        y = Cells(*(np.insert(getattr(y, part), where, value) for part, value in zip(fields, told, strict=True)))
    return y


def _stays(held: Mapping[str, Held], columns: Sequence[str], at: int) -> tuple[int, int]:
    """Since when exactly this has been known, and until something more is."""
    available_N = np.concatenate([one.columns[name].available_N for one in held.values() for name in columns])
    known_N = available_N <= at
    since = available_N[known_N].max(initial=np.iinfo(np.int64).min)
    return int(since), int(available_N[~known_N].min(initial=np.iinfo(np.int64).max))


def _lacking(cells: Mapping[str, Cells], held: Mapping[str, Held], spec: ForecasterSpec) -> tuple[str, ...]:
    """Covariates of which nothing is known."""
    told = []
    for column in (*spec.past, *spec.known):
        there = set(np.unique(cells[column].series_N).tolist())
        lost = [name for place, name in enumerate(held) if place not in there]
        if lost:
            more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
            named = ", ".join(f"'{name}'" for name in lost[:5]) + more
            told.append(
                f"series {named}: the store knows no value of column '{column}' that the model reads; a model that "
                "reads it did not learn to do without"
            )
    return tuple(told[:SHOWN_STAMPS])


def _seen_already(cutoff: pd.Timestamp, spec: ForecasterSpec) -> list[str]:
    if cutoff >= pd.Timestamp(spec.trained_until):
        return []
    return [
        f"model '{spec.name}' was trained on values up to {spec.trained_until}, after this cutoff: its error "
        "here is no test of it"
    ]
