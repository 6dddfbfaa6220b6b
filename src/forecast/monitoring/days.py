"""`Days`: scores of some series as arrays by civil day and local hour.

S series, D days without holes, H hours of the clock (24, or 1 of a daily table), P periods of a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.calendars import day_kinds, local_parts
from forecast.store import DayScore
from forecast.store.scores import COLUMNS

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
HOURS = 24
DAY_S = 86_400
SECOND = 1_000_000_000


@dataclass(frozen=True, eq=False)
class Days:
    """Scores by day and hour; NaN where there is none.

    Attributes:
        names: of the series.
        first: the first day, as `date.toordinal` counts.
        values_SDHC: by hour of the local clock, in the order of `store.scores.COLUMNS`; of an hour that occurs twice,
            or of shorter periods, the mean.
        lead_SDH: hours from cutoff to the period's start.
        off_D: holidays and bridge days.
        beside_D: these, and the days before and after holidays.
    """

    names: tuple[str, ...]
    first: int
    values_SDHC: Floats
    lead_SDH: Floats
    off_D: Bools
    beside_D: Bools

    def column(self, name: str) -> Floats:
        """One column [S, D, H] of `store.scores.COLUMNS`."""
        return self.values_SDHC[..., COLUMNS.index(name)]

    def place(self, day: date) -> int:
        """Where a day stands; below 0 or behind the last where it does not."""
        return day.toordinal() - self.first

    def day(self, place: int) -> date:
        """The day at a place."""
        return date.fromordinal(self.first + place)

    @property
    def count(self) -> int:
        """How many days."""
        return int(self.values_SDHC.shape[1])


def days_of(scores: Iterable[DayScore], zone: str, country: str | None, first: date, last: date) -> Days:
    """The scores of series of one clock.

    Args:
        scores: of the days from `first` to `last`; others are left out.
        zone: clock of the series.
        country: whose holidays are marked; None: none.
        first, last: both included.

    Raises:
        DeclarationError: the country is not known.
    """
    kept = [one for one in scores if first.isoformat() <= one.day <= last.isoformat()]
    names = tuple(sorted({one.unique_id for one in kept}))
    places = {name: place for place, name in enumerate(names)}
    begin, count = first.toordinal(), (last - first).days + 1
    hours = 1 if kept and kept[0].step_seconds >= DAY_S else HOURS
    values_SDHC = np.full((len(names), count, hours, len(COLUMNS)), np.nan)
    lead_SDH = np.full((len(names), count, hours), np.nan)
    for key, group in groupby(sorted(kept, key=_key), _key):
        some = list(group)
        column = date.fromisoformat(key[0]).toordinal() - begin
        rows = [places[one.unique_id] for one in some]
        mix_HP = _mix(some[0], zone, hours)
        values_SDHC[rows, column] = _mean(np.stack([one.values_P5 for one in some]), mix_HP)
        lead_SDH[rows, column] = _leads(some, mix_HP)
    dates = [date.fromordinal(begin + place) for place in range(count)]
    kinds = day_kinds(dates, country)
    off_D = (kinds.holiday | kinds.bridge) if country else np.zeros(count, dtype=bool)
    beside_D = off_D | kinds.before | kinds.after if country else off_D
    return Days(names, begin, values_SDHC, lead_SDH, off_D, beside_D)


def _key(one: DayScore) -> tuple[str, int, int, int]:
    return one.day, one.first_ds, one.periods, one.step_seconds


def _mix(one: DayScore, zone: str, hours: int) -> Floats:
    """Which periods [H, P] are of which hour."""
    if hours == 1:
        return np.ones((1, one.periods))
    hour_P = local_parts(pd.DatetimeIndex(one.ds_P * SECOND, tz="UTC"), zone).hour
    return np.asarray(np.arange(hours)[:, None] == np.asarray(hour_P)[None, :], dtype=np.float64)


def _mean(values_NPC: npt.NDArray[np.float32], mix_HP: Floats) -> Floats:
    """Means [N, H, C] of what is known; NaN where nothing is."""
    known_NPC = np.isfinite(values_NPC)
    sums = np.einsum("hp,npc->nhc", mix_HP, np.where(known_NPC, values_NPC, 0.0))
    counts = np.einsum("hp,npc->nhc", mix_HP, known_NPC.astype(np.float64))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _leads(some: Sequence[DayScore], mix_HP: Floats) -> Floats:
    """Mean lead [N, H] of the periods of every hour."""
    cutoff_N = np.array([one.cutoff for one in some], dtype=np.float64)
    lead_NP = (some[0].ds_P[None, :] - cutoff_N[:, None]) / 3600
    return _mean(lead_NP[..., None].astype(np.float32), mix_HP)[..., 0]
