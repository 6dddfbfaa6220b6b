"""The town of the soak: a real series and its siblings, what happens to them, and when their readings come."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.calendars import delivery_day
from forecast.monitoring.limits import LIMITS
from forecast.sources import Declaration
from forecast.sources.sample import Sample, sample_declaration

ZONE = "Australia/Melbourne"
CHANGE = date(2014, 10, 5)
"""The clock goes forward."""
ARRIVES = "06:40"
"""When the readings of a day come, on the next morning."""
SIZES = {"victoria": 1.0, "north": 0.31, "south": 0.22, "east": 0.14, "west": 0.09}
BROKEN, DEAD = "east", "west"
JUMP = 1.35
LATE_DAYS = 2


@dataclass(frozen=True)
class World:
    """A stretch of delivery days with everything that goes wrong in it.

    Attributes:
        days: how many delivery days are forecast.
    """

    days: int

    @property
    def first(self) -> date:
        """The first delivery day; the clock changes when a third is over."""
        return CHANGE - timedelta(days=round(0.3 * self.days))

    @property
    def delivery_days(self) -> list[date]:
        """All of them."""
        return [self.first + timedelta(days=number) for number in range(self.days)]

    @property
    def break_day(self) -> date:
        """From this day on the level of `BROKEN` is another."""
        # Monitoring has to know a season before; in a short stretch nobody can tell.
        return self.first + timedelta(days=min(LIMITS.reference_days + LIMITS.gap_days + 2, round(0.5 * self.days)))

    @property
    def death_day(self) -> date:
        """From this day on `DEAD` says nothing."""
        return self.first + timedelta(days=round(0.45 * self.days))

    def late(self, day: date) -> str | None:
        """Whose readings of this day come two days late."""
        number = (day - self.first).days
        return ("north", "south")[number // 9 % 2] if number % 9 == 4 else None

    def truth(self) -> pd.DataFrame:
        """What is measured, from January to the end: unique_id, ds (hours, UTC), y (MW)."""
        raw = Sample(sample_declaration(Declaration())).raw().frame
        hourly = raw.set_index("ds")["y"].resample("1h").mean() * 1000
        hourly = hourly[hourly.index < delivery_day(self.delivery_days[-1] + timedelta(days=1), ZONE)[0]]
        return pd.concat([self._series(name, hourly, place) for place, name in enumerate(SIZES)], ignore_index=True)

    def _series(self, name: str, hourly: pd.Series, place: int) -> pd.DataFrame:
        random = np.random.default_rng(place)
        y = hourly.to_numpy() * SIZES[name]
        if place:
            # A sibling: the same weather and holidays, an hour off, with a mind of its own that lasts for days.
            mood = np.repeat(random.normal(0, 0.012, len(y) // 24 + 1).cumsum() * 0.35, 24)[: len(y)]
            mood -= pd.Series(mood).rolling(24 * 28, min_periods=1).mean().to_numpy()
            y = np.roll(y, place - 2) * (1 + mood + random.normal(0, 0.01, len(y)))
        if name == BROKEN:
            y = np.where(hourly.index >= delivery_day(self.break_day, ZONE)[0], y * JUMP, y)
        table = pd.DataFrame({"unique_id": name, "ds": hourly.index, "y": np.round(y, 3)})
        return table[table["ds"] < delivery_day(self.death_day, ZONE)[0]] if name == DEAD else table


class Post:
    """Brings readings into the inbox, in their time.

    Args:
        world: what is measured.
        inbox: the drop folder.
    """

    def __init__(self, world: World, inbox: Path) -> None:
        self._world, self._inbox = world, inbox
        self._truth = world.truth()
        inbox.mkdir(parents=True, exist_ok=True)

    def history(self) -> pd.Timestamp:
        """Everything from before the quarter's first gate; returns when it came."""
        came = arrival(self._world.first - timedelta(days=3))
        before = delivery_day(self._world.first - timedelta(days=2), ZONE)[0]
        self._write("history", self._truth[self._truth["ds"] < before], came)
        return came

    def until(self, moment: pd.Timestamp) -> None:
        """All that has come by then and is not there yet."""
        before = [self._world.first - timedelta(days=2), self._world.first - timedelta(days=1)]
        for day in [*before, *self._world.delivery_days]:
            begin, end = delivery_day(day, ZONE)
            rows = self._truth[(self._truth["ds"] >= begin) & (self._truth["ds"] < end)]
            slow = rows["unique_id"] == self._world.late(day)
            self._come(f"{day}", rows[~slow], arrival(day), moment)
            self._come(f"{day}-late", rows[slow], arrival(day + timedelta(days=LATE_DAYS)), moment)

    def _come(self, name: str, rows: pd.DataFrame, at: pd.Timestamp, moment: pd.Timestamp) -> None:
        if at <= moment and len(rows) and not (self._inbox / f"{name}.csv").exists():
            self._write(name, rows, at)

    def _write(self, name: str, rows: pd.DataFrame, at: pd.Timestamp) -> None:
        part = self._inbox / f"{name}.part"
        rows.assign(ds=rows["ds"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")).to_csv(part, index=False)
        os.utime(part, ns=(at.value, at.value))
        part.rename(part.with_suffix(".csv"))


def arrival(day: date) -> pd.Timestamp:
    """When the readings of a day come."""
    return pd.Timestamp(f"{day + timedelta(days=1)} {ARRIVES}", tz=ZONE).tz_convert("UTC").as_unit("ns")
