"""Forecasts as fans: what was known, what was said with its bands, and what happened."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forecast.errors import DataError
from forecast.plots.paper import ACTUAL, FORECAST, INK, QUIET, headline, sheet, stamps, styles, time_axis
from forecast.tables import quantile_column, quantile_levels

HISTORY_PER_HORIZON = 3
LIGHTEST, DARKEST = 0.12, 0.34


def fan_chart(
    history: pd.DataFrame, forecast: pd.DataFrame, actual: pd.DataFrame | None = None, *,
    title: str = "Forecast", unit: str = "MW", zone: str = "UTC",
) -> Figure:  # fmt: skip
    """One forecast of one series: the end of its history, the median, bands between quantiles, and what happened.

    Args:
        history: ds, y of one series, up to the cutoff; its end is shown.
        forecast: ds, mean and quantile columns of one series and one cutoff.
        actual: ds, y of the horizon, where it is known already.
        title: over the figure.
        unit: of all numbers.
        zone: whose clock the time axis follows.

    Raises:
        DataError: the forecast is empty, or holds several series or cutoffs.
    """
    _check_single(forecast)
    forecast = forecast.sort_values("ds")
    figure, (axis,) = sheet(9, 4)
    first, last = forecast["ds"].iloc[0], forecast["ds"].iloc[-1]
    known = history[history["ds"] < first].sort_values("ds")
    known = known[known["ds"] >= first - HISTORY_PER_HORIZON * max(last - first, pd.Timedelta("12h"))]
    axis.plot(stamps(known["ds"]), known["y"], color=QUIET, linewidth=1.2, label="known before")
    _bands(axis, forecast)
    axis.plot(stamps(forecast["ds"]), _median(forecast), color=FORECAST, linewidth=2, label="forecast (median)")
    if actual is not None and actual["y"].notna().any():
        told = actual.sort_values("ds")
        axis.plot(
            stamps(told["ds"]), told["y"], color=ACTUAL, linewidth=1.4, linestyle=(0, (3, 1.5)), label="what happened"
        )
    cutoff = forecast["cutoff"].iloc[0] if "cutoff" in forecast.columns else first
    _mark_cutoff(axis, cutoff)
    _label(axis, title, _said(forecast), unit)
    time_axis(axis, zone)
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=len(labels), frameon=False, fontsize=9)
    return figure


def demo_picture(
    history: pd.DataFrame, walk: pd.DataFrame, *, model: str, yardstick: str | None = None,
    title: str = "Walking forward", unit: str = "MW", zone: str = "UTC", days: int = 7,
) -> Figure:  # fmt: skip
    """The last days of a walk, one forecast after the other, over what really happened; the errors beneath.

    Args:
        history: ds, y of the series, before and during the walk.
        walk: a walk's table of one series: ds, cutoff, y, model, mean, q*.
        model: whose forecasts are shown.
        yardstick: a model whose errors are shown beside (the seasonal naive).
        title, unit, zone: as in `fan_chart`.
        days: of the walk.

    Raises:
        DataError: the walk does not hold the model, or holds several series.
    """
    mine = _last_days(walk, model, days)
    figure, (top, bottom) = sheet(11, 5.6, rows=2, sharex=True, gridspec_kw={"height_ratios": (3, 1)})
    first = mine["ds"].iloc[0]
    before = history[(history["ds"] < first) & (history["ds"] >= first - pd.Timedelta(days=2))].sort_values("ds")
    top.plot(stamps(before["ds"]), before["y"], color=QUIET, linewidth=1.2, label="history")
    for number, (cutoff, one) in enumerate(mine.groupby("cutoff")):
        _bands(top, one, labelled=number == 0)
        top.plot(
            stamps(one["ds"]),
            _median(one),
            color=FORECAST,
            linewidth=1.8,
            label=f"{model} (median)" if not number else None,
        )
        top.axvline(stamps([cutoff])[0], color=QUIET, linewidth=0.6, linestyle=(0, (2, 3)))
    real = mine.drop_duplicates("ds")
    top.plot(stamps(real["ds"]), real["y"], color=ACTUAL, linewidth=1.2, label="what really happened")
    _label(top, title, "each fan was made at the dotted line to its left, from what was known then", unit)
    _errors(bottom, mine, _last_days(walk, yardstick, days) if yardstick else None, model, yardstick, unit)
    time_axis(bottom, zone)
    (upper, said), (lower, errors) = top.get_legend_handles_labels(), bottom.get_legend_handles_labels()
    figure.legend(
        [*upper, *lower],
        [*said, *errors],
        loc="outside lower left",
        ncols=min(7, len(said + errors)),
        frameon=False,
        fontsize=9,
    )
    return figure


def _errors(
    axis: Axes, mine: pd.DataFrame, theirs: pd.DataFrame | None, model: str, yardstick: str | None, unit: str
) -> None:
    told = []
    if theirs is not None and yardstick is not None:
        missed = (_median(theirs) - theirs["y"]).abs()
        axis.plot(stamps(theirs["ds"]), missed, **styles([yardstick])[yardstick], label=yardstick)
        told.append(f"{yardstick} {missed.mean():,.4g} {unit}")
    missed = (_median(mine) - mine["y"]).abs()
    axis.fill_between(stamps(mine["ds"]), 0, missed, color=FORECAST, alpha=0.55, linewidth=0, label=f"{model} (error)")
    told.insert(0, f"{model} {missed.mean():,.4g} {unit}")
    axis.set_title(f"mean absolute error of these days: {', '.join(told)}", loc="left", fontsize=9, color=INK, pad=5)
    axis.set_ylabel(f"error [{unit}]", color=INK, fontsize=9)
    axis.set_ylim(bottom=0)


def _last_days(walk: pd.DataFrame, model: str, days: int) -> pd.DataFrame:
    mine = walk[walk["model"] == model]
    if mine.empty:
        raise DataError(f"the walk holds no model '{model}'", f"one of {', '.join(map(str, walk['model'].unique()))}")
    if mine["unique_id"].nunique() > 1:
        raise DataError("the walk holds several series", "one", "select one with its unique_id")
    chosen = sorted(mine["cutoff"].unique())[-days:]
    return mine[mine["cutoff"].isin(chosen)].sort_values(["cutoff", "ds"])


def _bands(axis: Axes, forecast: pd.DataFrame, *, labelled: bool = True) -> None:
    """Bands between the outermost quantiles and inwards, darker towards the median."""
    levels = quantile_levels(forecast)
    pairs = [
        (low, round(1 - low, 9)) for low in levels if low < 0.5 and any(abs(1 - low - one) < 1e-9 for one in levels)
    ]
    at = stamps(forecast["ds"])
    for place, (low, high) in enumerate(pairs):
        share = LIGHTEST + (DARKEST - LIGHTEST) * place / max(1, len(pairs) - 1)
        told = f"{100 * (high - low):.0f} % band" if labelled and place in (0, len(pairs) - 1) else None
        axis.fill_between(
            at, forecast[quantile_column(low)], forecast[quantile_column(high)], color=FORECAST, alpha=share,
            linewidth=0, label=told,
        )  # fmt: skip


def _median(forecast: pd.DataFrame) -> Any:
    return forecast["q0.5"] if "q0.5" in forecast.columns else forecast["mean"]


def _mark_cutoff(axis: Axes, cutoff: pd.Timestamp) -> None:
    at = stamps([cutoff])[0]
    axis.axvline(at, color=INK, linewidth=0.9, linestyle=(0, (2, 2)))
    axis.annotate("cutoff", (at, 0.98), xycoords=("data", "axes fraction"), xytext=(-4, 0), textcoords="offset points",
                  ha="right", va="top", fontsize=8, color=QUIET)  # fmt: skip


def _label(axis: Axes, title: str, subtitle: str, unit: str) -> None:
    headline(axis, title, subtitle)
    axis.set_ylabel(f"demand [{unit}]", color=INK, fontsize=9)
    axis.margins(x=0.01)


def _said(forecast: pd.DataFrame) -> str:
    name = str(forecast["unique_id"].iloc[0]) if "unique_id" in forecast.columns else ""
    model = str(forecast["model"].iloc[0]) if "model" in forecast.columns else ""
    return " · ".join(part for part in (f"series {name}" if name else "", model) if part)


def _check_single(forecast: pd.DataFrame) -> None:
    if forecast.empty or not np.isfinite(_median(forecast)).all():
        raise DataError("the forecast to draw is empty or not finite", "the rows of one forecast")
    several = [name for name in ("unique_id", "cutoff", "model") if name in forecast and forecast[name].nunique() > 1]
    if several:
        raise DataError(f"the forecast to draw holds several {', '.join(several)}", "one of each", "select one")
