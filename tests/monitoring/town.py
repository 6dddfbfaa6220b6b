"""A town whose demand is known to the hour, with a model that follows yesterday's level, as scores day by day."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from forecast.monitoring import Days, days_of
from forecast.store import DayScore

ZONE = "Europe/Lisbon"
FIRST = date(2023, 1, 2)
HOUR = np.arange(24)
PROFILE = 1 + 0.35 * np.sin(2 * np.pi * (HOUR - 8) / 24) + 0.1 * np.sin(4 * np.pi * (HOUR - 7) / 24)
Floats = npt.NDArray[np.float64]
Change = Callable[[Floats, int], Floats]


def demand(
    days: int, seed: int, change: Change | None = None, noise: float = 0.02, sky: int | None = None
) -> Floats:  # fmt: skip
    """Demand [D, 24]: a yearly swing of a third, weekends, weather that lasts, noise; and what changes it by day.

    Weather is each seed's own, or that of a `sky` that others live under, too.
    """
    random = np.random.default_rng(seed)
    drawn = random if sky is None else np.random.default_rng(sky)
    weather = np.zeros(days)
    for day in range(1, days):
        weather[day] = 0.7 * weather[day - 1] + drawn.normal(0, 0.015)
    season = 1 + 0.33 * np.cos(2 * np.pi * np.arange(days) / 365)
    weekday = np.array([(FIRST + timedelta(days=day)).weekday() for day in range(days)])
    level = 100 * season * (1 + weather) * np.where(weekday >= 5, 0.85, 1.0)
    y = level[:, None] * PROFILE * (1 + random.normal(0, noise, (days, 24)))
    return y if change is None else np.stack([change(y[day], day) for day in range(days)])


def forecast(y: Floats, seed: int, follows: float = 0.9) -> Floats:
    """What a model says that takes the shape of last week, and the level of yesterday as far as it follows."""
    random = np.random.default_rng(1000 + seed)
    said = np.full_like(y, np.nan)
    for day in range(8, len(y)):
        week, before = y[day - 7], max(y[day - 8].mean(), 1e-3)
        said[day] = week * ((1 - follows) + follows * y[day - 1].mean() / before) * (1 + random.normal(0, 0.005, 24))
    return said


def scores(
    name: str, y: Floats, said: Floats, first: date = FIRST, wide: float = 0.08, known: Iterable[int] | None = None
) -> list[DayScore]:
    """The scores of the days that were forecast, UTC days of an hourly series; others than `known` are left out."""
    told, kept = [], set(range(len(y)) if known is None else known)
    for day in range(8, len(y)):
        if day not in kept or not np.isfinite(said[day]).all():
            continue
        values = np.stack([y[day], said[day], said[day] * (1 - wide), said[day] * (1 + wide), y[day - 7]], axis=1)
        begin = (first + timedelta(days=day) - date(1970, 1, 1)).days * 86_400
        error, naive = np.abs(said[day] - y[day]).mean(), np.abs(y[day - 7] - y[day]).mean()
        inside = ((values[:, 2] <= y[day]) & (y[day] <= values[:, 3])).mean()
        told.append(DayScore(
            name, (first + timedelta(days=day)).isoformat(), "by hand", begin - 14 * 3600, begin - 14 * 3600, "ridge",
            "1", "champion", "MW", begin, 3600, 24, 24, 24, error, (said[day] - y[day]).mean(),
            np.nan, inside, y[day].mean(), naive, error,
            values.astype(np.float32),
        ))  # fmt: skip
    return told


def town(
    count: int, days: int, change: Change | None = None, country: str | None = None, changed: int | None = None,
    sky: int | None = None, **how: float,
) -> Days:  # fmt: skip
    """Some series of the town, of which the first `changed` change alike, all where None; under one sky, or not."""
    every: list[DayScore] = []
    for number in range(count):
        y = demand(days, number, change if changed is None or number < changed else None, sky=sky)
        every += scores(f"street {number}", y, forecast(y, number, **how))
    return days_of(every, "UTC", country, FIRST, FIRST + timedelta(days=days - 1))


def day(place: int) -> date:
    """The day of a place."""
    return FIRST + timedelta(days=place)
