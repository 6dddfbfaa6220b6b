"""Season-matched drift of demand: the last weeks beside the same weeks of the year before, hour by hour.

S series, N days, H hours.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecast.calendars import day_ordinals, local_parts
from forecast.monitoring.days import Floats
from forecast.monitoring.limits import LIMITS, Limits
from forecast.monitoring.season import YEAR_DAYS
from forecast.store import Store, catalogue
from forecast.store.catalogue import TARGET
from forecast.store.reading import Wish, read_rows

HOURS, SECOND, DAY_S = 24, 1_000_000_000, 86_400
BESIDE_DAYS = 7
"""The weeks of the year before reach so much further on both sides."""
KNOWN = 0.7
"""Share of the days that must be known on either side."""


@dataclass(frozen=True, eq=False)
class Drift:
    """How demand moved since the same season of the year before.

    Attributes:
        names: the series.
        share_S: mean over the hours of how much demand moved, as share of what it was; NaN where a side is not known.
        spread_S: the same in standard deviations of that season's days at the same hour.
        shape_S: root mean square over the hours of how the mean day's profile moved, as share of the mean.
    """

    names: tuple[str, ...]
    share_S: Floats
    spread_S: Floats
    shape_S: Floats

    def breaches(self, limits: Limits = LIMITS) -> list[str]:
        """The series that moved too far."""
        with np.errstate(invalid="ignore"):
            far_S = (np.abs(self.share_S) >= limits.drift) & (np.abs(self.spread_S) >= limits.drift_spread)
        return [self.names[place] for place in np.flatnonzero(far_S).tolist()]


def drift(store: Store, names: Sequence[str], zone: str, day: date, limits: Limits = LIMITS) -> Drift:
    """Compares the weeks up to a day with the same hours, weekdays and season of the year before.

    Args:
        store: holds what was measured.
        names: series of one clock.
        zone: that clock.
        day: the last day.
        limits: how many days.
    """
    then = (
        day.toordinal() - YEAR_DAYS - limits.drift_days + 1 - BESIDE_DAYS,
        day.toordinal() - YEAR_DAYS + BESIDE_DAYS,
    )
    now = (day.toordinal() - limits.drift_days + 1, day.toordinal())
    now_SNH, then_SNH = (_hourly(store, names, zone, *span) for span in (now, then))
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing
        known_S = np.ones(len(names), dtype=bool)
        for days_SNH in (now_SNH, then_SNH):
            known_S &= np.isfinite(days_SNH).any(axis=2).mean(axis=1) >= KNOWN
        now_SH, then_SH = np.nanmean(now_SNH, axis=1), np.nanmean(then_SNH, axis=1)
        size_S1 = np.abs(np.nanmean(then_SH, axis=1, keepdims=True))
        moved_SH = (now_SH - then_SH) / size_S1
        noise_SH = np.nanstd(then_SNH, axis=1) / size_S1
        profile_SH = now_SH / np.nanmean(now_SH, axis=1, keepdims=True) - then_SH / size_S1
        figures = (
            np.nanmean(moved_SH, axis=1), np.nanmean(moved_SH, axis=1) / np.nanmean(noise_SH, axis=1),
            np.sqrt(np.nanmean(profile_SH**2, axis=1)),
        )  # fmt: skip
    share_S, spread_S, shape_S = (np.where(known_S, one, np.nan) for one in figures)
    return Drift(tuple(names), share_S, spread_S, shape_S)


def _hourly(store: Store, names: Sequence[str], zone: str, first: int, last: int) -> Floats:
    """Demand [S, N, H] by day and local hour, as it is known now."""
    found_SNH = np.zeros((len(names), last - first + 1, HOURS))
    counts_SNH = np.zeros(found_SNH.shape)
    begin, end = ((ordinal - date(1970, 1, 1).toordinal()) * DAY_S for ordinal in (first, last + 1))
    with store.snapshot() as connection:
        entries = catalogue.entries(connection, names)
        variable = catalogue.variables(connection).get(TARGET)
        if variable is None:
            return np.full(found_SNH.shape, np.nan)
        numbers = [entries[name].number for name in names]
        # A day more on either side: the zone's days do not begin where UTC's do.
        (rows,) = read_rows(connection, [Wish(numbers, variable[0], first=begin - DAY_S, last=end + DAY_S)])
    places = {number: place for place, number in enumerate(numbers)}
    # Of several versions the last one counts.
    newest_N = np.append((np.diff(rows.ds_N) != 0) | (np.diff(rows.series_N) != 0), True)[: len(rows)]
    distinct_U, at_N = np.unique(rows.ds_N[newest_N], return_inverse=True)
    stamps = pd.DatetimeIndex(distinct_U * SECOND, tz="UTC")
    day_U, hour_U = day_ordinals(stamps, zone) - first, np.asarray(local_parts(stamps, zone).hour)
    series_N = np.array([places[int(one)] for one in rows.series_N[newest_N]], dtype=np.int64)
    day_N, hour_N, value_N = day_U[at_N], hour_U[at_N], rows.value_N[newest_N]
    inside_N = (day_N >= 0) & (day_N <= last - first)
    where = (series_N[inside_N], day_N[inside_N], hour_N[inside_N])
    np.add.at(found_SNH, where, value_N[inside_N])
    np.add.at(counts_SNH, where, 1.0)
    return np.where(counts_SNH > 0, found_SNH / np.maximum(counts_SNH, 1), np.nan)
