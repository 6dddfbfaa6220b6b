"""Figures of a day of monitoring: errors from day to day, by hour and by lead; what alarmed series look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forecast.plots.paper import ACTUAL, FORECAST, PALETTE, QUIET, headline, legend, sheet, stamps

if TYPE_CHECKING:
    from forecast.monitoring.watching import Watched
    from forecast.store import Alarm, DayScore

NOMINAL = 0.8
"""Share of the periods that the band is to hold."""


def days_figure(watched: Watched) -> Figure:
    """Error as share of demand, beside that of last week again, and the share within the band, from day to day."""
    table = watched.by_day
    figure, (error, share) = sheet(10, 5.2, rows=2, columns=1, sharex=True)
    at = stamps(pd.to_datetime(table["day"]).dt.tz_localize("UTC"))
    error.plot(at, 100 * table["mae"], color=FORECAST, marker="o", markersize=3, label="what was given out")
    naive = table["mae"] / (1 - table["skill"])
    error.plot(at, 100 * naive, color=QUIET, linewidth=1, label="last week again")
    error.set_ylim(bottom=0)
    _mark(error, watched, at)
    headline(error, "Error [% of demand]", f"mean over the series, up to {watched.day}; lines: alarms begin")
    legend(error, loc="upper left", ncols=2)
    share.plot(at, 100 * table["coverage"], color=FORECAST, marker="o", markersize=3)
    share.axhline(100 * NOMINAL, color=QUIET, linestyle="--", linewidth=1)
    share.set_ylim(0, 102)
    headline(share, "Demand within the 80 % band [%]")
    return figure


def _mark(axis: Axes, watched: Watched, at: Sequence[object]) -> None:
    """A line where an open alarm began."""
    first = pd.Timestamp(watched.by_day["day"].min(), tz="UTC") if len(watched.by_day) else None
    for day in sorted({one.day for one in watched.open}):
        moment = pd.Timestamp(day, tz="UTC")
        if first is not None and moment >= first:
            axis.axvline(stamps([moment])[0], color=PALETTE[1], linewidth=1)


def bands_figure(watched: Watched) -> Figure:
    """Error by local hour and by lead band."""
    figure, (hour, lead) = sheet(10, 3.4, rows=1, columns=2)
    hour.bar(watched.by_hour["hour"], 100 * watched.by_hour["mae"], color=FORECAST)
    headline(hour, "Error by local hour [% of demand]")
    lead.bar(np.arange(len(watched.by_lead)), 100 * watched.by_lead["mae"], color=FORECAST)
    begins = watched.by_lead["lead_hours"].astype(int)
    lead.set_xticks(np.arange(len(begins)), [f"{one}-{one + 6} h" for one in begins])
    headline(lead, "Error by lead [% of demand]")
    return figure


def alarm_figure(alarm: Alarm, scores: Sequence[DayScore]) -> Figure:
    """Demand and what was forecast of one series, over the days about an alarm.

    Args:
        alarm: of the series.
        scores: of these days.
    """
    figure, (axis,) = sheet(10, 2.8)
    for number, one in enumerate(scores):
        at = stamps(pd.DatetimeIndex(one.ds_P * 1_000_000_000, tz="UTC"))
        demand_P, middle_P, low_P, high_P, _ = one.values_P5.T
        told = number == 0
        axis.fill_between(at, low_P, high_P, color=FORECAST, alpha=0.2, linewidth=0, label="80 %" if told else None)
        axis.plot(at, middle_P, color=FORECAST, linewidth=1.2, label="forecast" if told else None)
        axis.plot(at, demand_P, color=ACTUAL, linewidth=1.2, label="measured" if told else None)
    axis.axvline(stamps([pd.Timestamp(alarm.day, tz="UTC")])[0], color=PALETTE[1], linewidth=1)
    unit = scores[0].unit if scores else ""
    headline(axis, f"{alarm.unique_id}: {alarm.kind} since {alarm.day} [{unit}]")
    legend(axis, loc="upper left", ncols=3)
    return figure
