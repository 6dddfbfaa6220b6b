"""Figures that judge: where the errors are, whether the bands are honest, who is best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forecast.errors import DataError
from forecast.metrics import Zones, sliced
from forecast.plots.paper import FORECAST, INK, PALE_GREYS, QUIET, headline, is_naive, sheet, styles
from forecast.tables import quantile_column, quantile_levels

BAR = 0.42


def error_by_lead_and_hour(
    table: pd.DataFrame, *, zones: Zones | None = None, unit: str = "MW", title: str = "Where the errors are"
) -> Figure:
    """Mean absolute error of the median by lead and by local hour, a line per model.

    Args:
        table: a walk's table.
        zones: civil zone of each series; UTC without it.
        unit: of its numbers.
        title: over the figure.
    """
    figure, (left, right) = sheet(10, 4.2, columns=2, sharey=True)
    lines = styles(list(map(str, pd.unique(table["model"]))))
    _error_lines(left, sliced(table, "lead"), lines, "lead: hours from the cutoff")
    names = sorted({str(zone) for zone in zones.values()}) if zones else ["UTC"]
    told = ", ".join(names[:2]) + (" and others" if len(names) > 2 else "")
    _error_lines(right, sliced(table, "hour", zones=zones), lines, f"hour of the day ({told})")
    right.set_xticks(range(0, 24, 3))
    left.set_ylim(bottom=0)
    left.set_ylabel(f"mean absolute error [{unit}]", color=INK, fontsize=9)
    headline(left, title, "lower is better")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(5, len(labels)), frameon=False, fontsize=9)
    return figure


def calibration_diagram(
    table: pd.DataFrame, *, zones: Zones | None = None, title: str = "Are the bands honest?"
) -> Figure:
    """Left: the share of periods below each quantile against its level. Right: cover of the 80 % band by hour.

    Args:
        table: a walk's table; models whose quantiles are all missing are left out.
        zones: civil zone of each series; UTC without it.
        title: over the figure.

    Raises:
        DataError: the table has no quantiles.
    """
    levels = quantile_levels(table)
    if not levels:
        raise DataError("the table has no quantile columns", "q0.1 … q0.9")
    figure, (left, right) = sheet(10, 4.4, columns=2)
    lines = styles(list(map(str, pd.unique(table["model"]))))
    left.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=(0, (2, 2)), label="honest")
    for model, part in table[table["y"].notna()].groupby("model", sort=False):
        shares = [float((part["y"] <= part[quantile_column(level)]).mean()) for level in levels]
        left.plot(levels, shares, marker="o", markersize=4, label=str(model), **lines[str(model)])
    left.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    _name_axes(left, "quantile level", "share of periods below it")
    headline(left, title, "on the dotted line: as often below as promised")
    if {"q0.1", "q0.9"} <= set(table.columns):
        _cover_lines(right, sliced(table, "hour", zones=zones), lines)
    else:
        right.set_axis_off()
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(labels)), frameon=False, fontsize=9)
    return figure


def comparison_bars(
    scores: pd.DataFrame, *, metric: str = "mae", unit: str = "MW", winner: str | None = None,
    title: str = "Walk-forward error", subtitle: str = "",
) -> Figure:  # fmt: skip
    """One bar per model, best on top, the winner coloured, naive yardsticks pale; each bar says its number.

    Args:
        scores: one row per model (index or column `model`), a column `metric`; smaller is better.
        metric: the column drawn.
        unit: of that column.
        winner: the promoted model; the best that is no yardstick where None.
        title, subtitle: over the figure.

    Raises:
        DataError: no finite number to draw.
    """
    indexed = scores.set_index("model") if "model" in scores.columns else scores
    values = indexed[metric].astype(float).dropna().sort_values(ascending=False)
    if values.empty:
        raise DataError(f"no model has a figure '{metric}'", "at least one finite number")
    rivals = [str(model) for model in values.index if not is_naive(str(model))]
    chosen = winner or (rivals[-1] if rivals else str(values.index[-1]))
    figure, (axis,) = sheet(8, 1.2 + BAR * len(values))
    colours = [_bar_colour(str(model), chosen) for model in values.index]
    axis.barh([str(model) for model in values.index], values, color=colours, height=0.68)
    for row, (model, value) in enumerate(values.items()):
        bold = "bold" if str(model) == chosen else "normal"
        axis.annotate(f"{value:,.4g}", (value, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9,
                      color=INK, fontweight=bold)  # fmt: skip
    axis.grid(visible=False, axis="y")
    axis.margins(x=0.12, y=0.02)
    axis.set_xlabel(
        f"{metric} [{unit}], lower is better" if unit else f"{metric}, lower is better", color=QUIET, fontsize=9
    )
    headline(axis, title, subtitle)
    return figure


def _bar_colour(model: str, winner: str) -> str:
    if model == winner:
        return FORECAST
    return PALE_GREYS[2] if is_naive(model) else "#9cc3dd"


def _error_lines(axis: Axes, slices: pd.DataFrame, lines: Mapping[str, dict[str, Any]], label: str) -> None:
    for model, part in slices.groupby("model", sort=False):
        alone = {"marker": "o"} if len(part) == 1 else {}
        axis.plot(part["slice"].astype(float), part["mae"], label=str(model), **lines[str(model)], **alone)
    _name_axes(axis, label, "")


def _cover_lines(axis: Axes, slices: pd.DataFrame, lines: Mapping[str, dict[str, Any]]) -> None:
    axis.axhline(80, color=QUIET, linewidth=1, linestyle=(0, (2, 2)))
    for model, part in slices.groupby("model", sort=False):
        axis.plot(part["slice"].astype(float), 100 * part["coverage_80"], **lines[str(model)])
    lowest = float(np.nanmin(100 * slices["coverage_80"])) if slices["coverage_80"].notna().any() else 0.0
    axis.set_ylim(max(0.0, min(50.0, 10 * np.floor(lowest / 10))), 100)
    axis.set_xticks(range(0, 24, 3))
    _name_axes(axis, "local hour of the day", "periods inside the 80 % band [%]")
    headline(axis, "At every hour?", "80 % is promised")


def _name_axes(axis: Axes, x: str, y: str) -> None:
    axis.set_xlabel(x, color=QUIET, fontsize=9)
    if y:
        axis.set_ylabel(y, color=INK, fontsize=9)
