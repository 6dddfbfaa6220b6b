"""`Events`: named spans of civil days that a user knows of: school holidays, strikes, Carnival, a world cup."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from forecast.calendars.offsets import Ints
from forecast.calendars.region import Region

PREFIX = "event "
"""Before an event's name in the name of its column: no column of the data is called so, and a column of school
holidays is not taken for one of days off."""


@dataclass(frozen=True)
class Event:
    """One span of civil days, each in its series' zone.

    Attributes:
        name: what happens; several spans may share it.
        first, last: civil dates, both included.
        series: the only series that it touches; None: all.
        region: whose series it touches; None: all.
        place: line of the file (row, of a Parquet file), for messages.
    """

    name: str
    first: date
    last: date
    series: str | None = None
    region: Region | None = None
    place: int = 0

    def touches(self, unique_id: str, region: Region | None) -> bool:
        """Whether it happens to a series of a region; of a part of a country its whole country's events, too."""
        here = self.region is None or (region is not None and region.within(self.region))
        return here and self.series in (None, unique_id)


@dataclass(frozen=True)
class Events:
    """The events of a file, in its order; spans may overlap.

    Attributes:
        spans: the events.
        source: the file, for messages.
        word: "line" or "row", what messages call a place in it.

    >>> strike = Event("strike", date(2024, 3, 7), date(2024, 3, 8))
    >>> Events((strike,)).flags(np.array([date(2024, 3, 8).toordinal()]), "north")
    {'strike': array([ True])}
    """

    spans: tuple[Event, ...]
    source: str = ""
    word: str = "line"

    @property
    def names(self) -> tuple[str, ...]:
        """The names, each once, sorted."""
        return tuple(sorted({one.name for one in self.spans}))

    def flags(self, ordinal_T: Ints, unique_id: str, region: Region | None = None) -> dict[str, npt.NDArray[np.bool_]]:
        """By name, on which of some days (numbers as `date.toordinal`) a series has the event, bool [T]."""
        flags = {name: np.zeros(len(ordinal_T), dtype=np.bool_) for name in self.names}
        for one in self.spans:
            if one.touches(unique_id, region):
                flags[one.name] |= (ordinal_T >= one.first.toordinal()) & (ordinal_T <= one.last.toordinal())
        return flags


def event_columns(names: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of some events.

    >>> event_columns(("strike",))
    ('event strike',)
    """
    return tuple(PREFIX + name for name in names)
