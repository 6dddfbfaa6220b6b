"""Errors of the last weeks beside what their season lets expect, by series, by lead band and by hour.

S series, D days, H hours.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecast.monitoring.days import Bools, Days, Floats
from forecast.monitoring.limits import LIMITS, Limits
from forecast.monitoring.season import season

BAND_HOURS = 6
"""Leads are told in bands of so many hours."""


@dataclass(frozen=True, eq=False)
class Errors:
    """What became of the last weeks' forecasts, by series.

    Attributes:
        table: a row per series: `days` that were scored, `mae`, `skill` against the weekly naive, `bias`, `coverage`
            (of the 80 % band, of `coverage_days`), `expected` mae of the season at the same hours, `ratio` of the two
            (all but `coverage` of `window_days`).
        by_hour, by_lead, by_day: the same `mae`, `skill` and `coverage` by local hour, by lead band (of
            `coverage_days`), and by day (of `recent_days`), over all series: the errors as shares of demand.
    """

    table: pd.DataFrame
    by_hour: pd.DataFrame
    by_lead: pd.DataFrame
    by_day: pd.DataFrame


def errors_until(days: Days, day: date, limits: Limits = LIMITS) -> Errors:
    """The errors of the last weeks up to a day.

    Args:
        days: with the season of the day.
        day: the last one.
        limits: how many days are taken together.
    """
    place = days.place(day)
    ago_D = place - np.arange(days.count)
    window_D, longer_D = (
        (ago_D >= 0) & (ago_D < many) for many in (limits.window_days, limits.coverage_days)
    )  # fmt: skip
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing
        table = _table(days, window_D, longer_D, _reference(days, place, limits))
        recent_D = (ago_D >= 0) & (ago_D < limits.recent_days)
        clock_H = np.arange(days.values_SDHC.shape[2], dtype=np.float64)
        hour_N = np.broadcast_to(clock_H, days.lead_SDH[:, longer_D].shape)
        band_N = np.floor(days.lead_SDH[:, longer_D] / BAND_HOURS) * BAND_HOURS
        day_D = np.arange(days.count, dtype=np.float64)[recent_D] + days.first
        day_N = np.broadcast_to(day_D[None, :, None], days.lead_SDH[:, recent_D].shape)
        by_day = _by(days, recent_D, day_N, "day")
        by_day["day"] = [date.fromordinal(int(one)) for one in by_day["day"]]
        return Errors(table, _by(days, longer_D, hour_N, "hour"), _by(days, longer_D, band_N, "lead_hours"), by_day)


def _reference(days: Days, place: int, limits: Limits) -> Bools:
    """The season, without the window that is judged."""
    return season(place, days.count, limits, gap=limits.window_days)


def _table(days: Days, window_D: Bools, longer_D: Bools, reference_D: Bools) -> pd.DataFrame:
    y_SDH, said_SDH, naive_SDH = (days.column(name) for name in ("demand", "middle", "naive"))
    error_SDH = said_SDH - y_SDH
    window_SDH, size_SDH = error_SDH[:, window_D], np.abs(error_SDH[:, window_D])
    naive_wide = np.abs(naive_SDH - y_SDH)[:, window_D]
    both = np.isfinite(naive_wide) & np.isfinite(size_SDH)
    # Hour by hour, so that a window in which some hours are missing is compared with the same hours.
    usual_SH = np.nanmean(np.abs(error_SDH[:, reference_D]), axis=1)
    expected = np.where(np.isfinite(size_SDH), usual_SH[:, None, :], np.nan)
    known = np.isfinite(error_SDH[:, reference_D]).any(axis=2).sum(axis=1)
    mae_S = np.nanmean(size_SDH, axis=(1, 2))
    expected_S = np.nanmean(expected, axis=(1, 2))
    return pd.DataFrame({
        "unique_id": days.names, "days": np.isfinite(window_SDH).any(axis=2).sum(axis=1), "mae": mae_S,
        "skill": 1 - _sum(size_SDH, both) / _sum(naive_wide, both), "bias": np.nanmean(window_SDH, axis=(1, 2)),
        "demand": np.nanmean(np.abs(y_SDH[:, window_D]), axis=(1, 2)),
        "coverage": np.nanmean(_within(days)[:, longer_D], axis=(1, 2)), "expected": expected_S,
        "ratio": mae_S / expected_S, "reference_days": known,
    })  # fmt: skip


def _sum(values: Floats, kept: Bools) -> Floats:
    return np.asarray(np.where(kept, values, 0.0).sum(axis=(1, 2)))


def _within(days: Days) -> Floats:
    """Whether demand lay within the 80 % band [S, D, H]; NaN where one of them is not known."""
    y_SDH, low_SDH, high_SDH = (days.column(name) for name in ("demand", "low", "high"))
    known = np.isfinite(y_SDH) & np.isfinite(low_SDH) & np.isfinite(high_SDH)
    return np.where(known, (low_SDH <= y_SDH) & (y_SDH <= high_SDH), np.nan)


def _by(days: Days, window_D: Bools, key_N: Floats, name: str) -> pd.DataFrame:
    """Errors as shares of each series' mean demand, by a key of every hour; every series counts alike."""
    y, said, naive = (days.column(one)[:, window_D] for one in ("demand", "middle", "naive"))
    size = np.nanmean(np.abs(y), axis=(1, 2), keepdims=True)
    error, error_naive = np.abs(said - y) / size, np.abs(naive - y) / size
    both = np.isfinite(error) & np.isfinite(error_naive)
    rows = pd.DataFrame({
        name: key_N.ravel(), "mae": error.ravel(), "within": _within(days)[:, window_D].ravel(),
        "own": np.where(both, error, np.nan).ravel(), "theirs": np.where(both, error_naive, np.nan).ravel(),
    })  # fmt: skip
    means = rows[np.isfinite(rows["mae"]) & np.isfinite(rows[name])].groupby(name).mean()
    told = {"mae": means["mae"], "skill": 1 - means["own"] / means["theirs"], "coverage": means["within"]}
    return pd.DataFrame(told).reset_index()
