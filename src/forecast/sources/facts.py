"""What a long frame holds, series by series: span, gaps, clock-change days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast import clock

Bools = npt.NDArray[np.bool_]
Stretch = tuple[pd.Timestamp, int]


@dataclass(frozen=True)
class SeriesFacts:
    """One series as it was understood.

    Attributes:
        unique_id: its name.
        zone: its civil zone.
        first: start of its first period that has demand, in local time.
        last: start of its last one.
        periods: periods from first to last.
        missing: share of them without demand.
        gaps: the three longest stretches without demand: local start and number of periods.
        low: smallest value, in the unit of the source.
        middle: median.
        high: largest value.
        short_days: civil days of 23 hours that are there in full (for zones that change by one hour).
        long_days: civil days of 25 hours that are there in full.
    """

    unique_id: str
    zone: str
    first: pd.Timestamp
    last: pd.Timestamp
    periods: int
    missing: float
    gaps: tuple[Stretch, ...]
    low: float
    middle: float
    high: float
    short_days: tuple[date, ...]
    long_days: tuple[date, ...]

    headings = ("series", "first", "last", "periods", "missing", "longest gap", "min", "median", "max")

    @property
    def cells(self) -> tuple[str, ...]:
        """The series as a row of text under `headings`."""
        gap = f"{self.gaps[0][1]} from {self.gaps[0][0]:%Y-%m-%d %H:%M}" if self.gaps else "none"
        return (
            self.unique_id, f"{self.first:%Y-%m-%d %H:%M %z}", f"{self.last:%Y-%m-%d %H:%M %z}", f"{self.periods:,}",
            f"{self.missing:.2%}", gap, *map(amount, (self.low, self.middle, self.high)),
        )  # fmt: skip


def amount(value: float) -> str:
    """A value in four digits, or all of them before the point.

    >>> amount(20823.4), amount(3.14159)
    ('20,823', '3.142')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def series_facts(frame: pd.DataFrame, zones: dict[str, str], step: pd.Timedelta) -> Iterator[SeriesFacts]:
    """Facts of every series of a long frame that has demand."""
    for name, part in frame.groupby("unique_id", sort=True):
        part = part[part["y"].notna()].drop_duplicates("ds").sort_values("ds")
        # A span that is nearly empty is refused as data; its grid would only cost memory.
        if len(part) and (part["ds"].iloc[-1] - part["ds"].iloc[0]) // step < 50 * len(part) + 100_000:
            yield _facts(str(name), part, zones[str(name)], step)


def _facts(name: str, part: pd.DataFrame, zone: str, step: pd.Timedelta) -> SeriesFacts:
    start, y = part["ds"].iloc[0], part["y"].to_numpy(dtype=np.float64)
    since = (part["ds"] - start) // step
    grid = np.full(int(since.iloc[-1]) + 1, np.nan)
    grid[since.to_numpy()] = y
    here = clock.zone(zone)
    gaps = sorted(_stretches(np.isnan(grid)), key=lambda stretch: -stretch[1])[:3]
    days = _change_days(part["ds"], zone, step)
    return SeriesFacts(
        unique_id=name, zone=zone, first=start.tz_convert(here), last=part["ds"].iloc[-1].tz_convert(here),
        periods=len(grid), missing=float(np.isnan(grid).mean()),
        gaps=tuple(((start + row * step).tz_convert(here), size) for row, size in gaps),
        low=float(y.min()), middle=float(np.median(y)), high=float(y.max()),
        short_days=tuple(day for day, found, due in days if found == due and due * step < pd.Timedelta("24h")),
        long_days=tuple(day for day, found, due in days if found == due and due * step > pd.Timedelta("24h")),
    )  # fmt: skip


def _stretches(marked: Bools) -> list[tuple[int, int]]:
    """First index and length of every run of marked entries.

    >>> _stretches(np.array([False, True, True, False, True]))
    [(1, 2), (4, 1)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    return [(int(first), int(end - first)) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def _change_days(stamps: pd.Series, zone: str, step: pd.Timedelta) -> list[tuple[date, int, int]]:
    """Civil days within the span whose length is not 24 hours: the day, stamps found, stamps due."""
    here = clock.zone(zone)
    first = stamps.iloc[0].tz_convert(here).normalize().tz_localize(None)
    midnights = pd.date_range(first, periods=(stamps.iloc[-1] - stamps.iloc[0]).days + 3, freq="D")
    moments = midnights.tz_localize(here, ambiguous=np.ones(len(midnights), bool), nonexistent="shift_forward")
    edges = moments.tz_convert("UTC").to_numpy(dtype="datetime64[ns]").astype(np.int64)
    lengths = np.diff(edges)
    odd = np.flatnonzero(lengths != pd.Timedelta("24h").value)
    if step >= pd.Timedelta("24h") or not len(odd):
        return []
    starts = stamps.to_numpy(dtype="datetime64[ns]").astype(np.int64)
    counts = Counter((np.searchsorted(edges, starts, side="right") - 1).tolist())
    whole = [int(at) for at in odd if edges[at] >= starts[0] and edges[at + 1] <= starts[-1] + step.value]
    return [(midnights[at].date(), counts[at], int(lengths[at] // step.value)) for at in whole]
