"""Events as known-ahead columns of a `Demand`: 1 on the days of an event, 0 on all others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.calendars.events import Events, event_columns
from forecast.calendars.parts import local_parts
from forecast.calendars.region import Region
from forecast.errors import DataError
from forecast.tables import Demand, Series
from forecast.tables.extended import extended

EVENT_DAYS = 31
"""So far beyond a series' last value of y its events have rows: the longest horizon (15 days), and 16 days more for
values that arrive late and cutoffs that lie later."""


def with_events(
    demand: Demand, events: Events, names: tuple[str, ...] | None = None, *, partial: bool = False
) -> Demand:
    """The same table with one known-ahead column for each event, called "event NAME", over `EVENT_DAYS` to come.

    Days are counted in each series' zone; an event with a country touches the series of that country or a part of it.

    Args:
        demand: the table, as it was read.
        events: the events.
        names: events that get a column, also one that never happens; None: all of them.
        partial: whether the table holds only some of the series that events may name.

    Raises:
        DataError: an event names a series that is not there, or a country while no series has one.
    """
    _check(demand, events, partial=partial)
    chosen = events.names if names is None else tuple(sorted(set(names)))
    if not chosen:
        return demand

    def flags(one: Series, ds: pd.DatetimeIndex) -> Mapping[str, npt.NDArray[np.bool_]]:
        found = events.flags(local_parts(ds, one.zone).date_ordinal, one.unique_id, _region(one, demand))
        nothing = np.zeros(len(ds), dtype=np.bool_)
        return {column: found.get(name, nothing) for name, column in zip(chosen, event_columns(chosen), strict=True)}

    return extended(demand, event_columns(chosen), flags, pd.Timedelta(days=EVENT_DAYS))


def _region(one: Series, demand: Demand) -> Region | None:
    country = one.country or demand.country
    return Region.of(country) if country else None


def _check(demand: Demand, events: Events, *, partial: bool) -> None:
    strangers = [one for one in events.spans if one.series is not None and one.series not in demand.by_id]
    if strangers and not partial:
        raise DataError(
            f"{events.source} names series that are not in the table", f"some of {', '.join(list(demand.by_id)[:10])}",
            "correct these rows; where the table holds some of the series only, say so with --only",
            stamps=[f"{events.word} {one.place}: '{one.series}'" for one in strangers],
        )  # fmt: skip
    abroad = [one for one in events.spans if one.region is not None]
    if abroad and not any(_region(one, demand) for one in demand.series):
        raise DataError(
            f"{events.source} names countries, and no series has one", "the country of the series",
            "declare it with --country",
            stamps=[f"{events.word} {one.place}: '{one.region}'" for one in abroad],
        )  # fmt: skip
