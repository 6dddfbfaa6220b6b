"""Figures of one forecast taken apart: its causes by lead, where attention looked, the days that were alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from forecast import clock
from forecast.errors import DataError
from forecast.explanations import Explanation, explain
from forecast.forecaster import Forecaster
from forecast.plots.paper import FORECAST, INK, PALETTE, QUIET, headline, sheet, stamps, time_axis
from forecast.tables import Demand

# Named, so that a group keeps its colour where another is missing.
COLOURS = {"calendar": PALETTE[4], "weather": PALETTE[1], "inertia": PALETTE[5], "error correction": PALETTE[3]}
SHADES = LinearSegmentedColormap.from_list("attention", ["#ffffff", "#9cc3dd", FORECAST, "#00304d"])
FAINTEST = 0.35


def attribution_bars(explanation: Explanation) -> Figure:
    """Above: forecast and baseline. Beneath: what each cause adds at every step; the bars add up to their distance."""
    figure, (top, bottom) = sheet(9, 5.6, rows=2, sharex=True, gridspec_kw={"height_ratios": (2, 3)})
    at, unit = stamps(explanation.ds), explanation.unit
    top.plot(at, explanation.forecast_H, color=FORECAST, linewidth=2, label="forecast (median)")
    top.plot(at, explanation.baseline_H, color=QUIET, linewidth=1.4, linestyle=(0, (4, 2)), label="baseline")
    _stack(bottom, explanation)
    net_H = explanation.forecast_H - explanation.baseline_H
    bottom.plot(at, net_H, color=INK, linewidth=1.3, marker="o", markersize=2.5, label="forecast − baseline")
    bottom.axhline(0, color=QUIET, linewidth=0.9)
    held_against = f"baseline: what it says on average for {len(explanation.references)} past days at the same clock"
    _headline(top, f"Why {explanation.model} says so", f"{_subject(explanation)} · {held_against}")
    for axis, label in ((top, f"demand [{unit}]"), (bottom, f"added to the baseline [{unit}]")):
        axis.set_ylabel(label, color=INK, fontsize=9)
        axis.margins(x=0.01)
    time_axis(bottom, explanation.zone)
    _legend_below(figure, top, bottom)
    return figure


def attention_map(explanation: Explanation) -> Figure:
    """The weight of each stretch of history (across) at each lead (down); unknown stretches are grey.

    Raises:
        DataError: the model attends to nothing; the sentence says why.
    """
    attention = explanation.attention
    if attention is None:
        raise DataError(f"no attention to draw: {explanation.no_attention}", "a network whose decoder attends")
    figure, (axis,) = sheet(9, 4.6)
    leads_H, hours = explanation.lead_hours, (explanation.ds[-1] - explanation.ds[0]) / pd.Timedelta(hours=1)
    height = hours / max(1, len(leads_H) - 1) or 1.0
    begin, end = attention.ds[0], attention.ds[-1] + attention.length
    box = (*(float(date2num(one.to_pydatetime())) for one in (begin, end)), leads_H[-1] + height, leads_H[0])
    shown_HL = np.where(attention.known_L, 100 * attention.weights_HL, np.nan)
    axis.set_facecolor("#eeeeee")
    picture = axis.imshow(shown_HL, aspect="auto", extent=box, cmap=SHADES, interpolation="nearest")
    axis.grid(visible=False)
    axis.xaxis_date(tz=clock.zone(explanation.zone))
    bar = figure.colorbar(picture, ax=axis, pad=0.01)
    bar.outline.set_visible(False)
    even = 100 / max(1, int(attention.known_L.sum()))
    bar.set_label(f"weight [% per {_length(attention.length)}; even: {even:.2g}]", fontsize=9, color=INK)
    averaged = f"mean of {attention.networks} networks" if attention.networks > 1 else "mean of all heads"
    told = f"{_subject(explanation)} · {averaged}, each row adds up to 100 %"
    _headline(axis, f"Where {explanation.model} looked", told)
    axis.set_ylabel("lead [hours from the cutoff]", color=INK, fontsize=9)
    time_axis(axis, explanation.zone)
    return figure


def similar_days_fan(explanation: Explanation) -> Figure:
    """Today's forecast with its widest band, over what happened on the past days most like today."""
    figure, (axis,) = sheet(9, 4.2)
    at = stamps(explanation.ds)
    low_H, high_H = explanation.quantiles_HQ[:, 0], explanation.quantiles_HQ[:, -1]
    if len(explanation.levels) > 1:
        share = 100 * (explanation.levels[-1] - explanation.levels[0])
        axis.fill_between(at, low_H, high_H, color=FORECAST, alpha=0.15, linewidth=0, label=f"{share:.0f} % band")
    days = explanation.similar.days
    for rank, day in enumerate(days):
        strength = 1 - (1 - FAINTEST) * rank / max(1, len(days) - 1)
        told = f"{_day(day.cutoff, explanation.zone)} ({day.similarity:.3f})"
        axis.plot(at, day.outcome_H, color=PALETTE[1], alpha=strength, linewidth=1.3, label=told)
    axis.plot(at, explanation.forecast_H, color=FORECAST, linewidth=2.2, label="forecast (median)")
    space = explanation.similar.space.removesuffix(" (the model has no encoder)")
    _headline(axis, "What happened on days like this", f"{_subject(explanation)} · cosine of {space}")
    axis.set_ylabel(f"demand [{explanation.unit}]", color=INK, fontsize=9)
    axis.margins(x=0.01)
    time_axis(axis, explanation.zone)
    _legend_below(figure, axis, columns=4)
    return figure


def explanation_figures(explanation: Explanation) -> dict[str, Figure]:
    """Every figure that the explanation has, by the name under which it is kept."""
    figures = {"explanation": attribution_bars(explanation), "similar days": similar_days_fan(explanation)}
    if explanation.attention is not None:
        figures["attention"] = attention_map(explanation)
    return figures


def figures(
    forecaster: Forecaster, demand: Demand, cutoff: pd.Timestamp, *, unique_id: str | None = None,
    horizon: int | None = None,
) -> dict[str, Figure]:  # fmt: skip
    """The figures of `explain(forecaster, demand, cutoff)` in one call, for a run's page.

    Raises:
        ForecastError: as `explanations.explain`.
    """
    return explanation_figures(explain(forecaster, demand, cutoff, unique_id=unique_id, horizon=horizon))


def _stack(axis: Axes, explanation: Explanation) -> None:
    """Bars of all groups, those that add upwards from zero and those that take away downwards."""
    ds = explanation.ds
    step = ds[1] - ds[0] if len(ds) > 1 else pd.Timedelta(hours=1)
    up_H, down_H = np.zeros(len(ds)), np.zeros(len(ds))
    for name, share_H in explanation.groups.items():
        foot_H = np.where(share_H >= 0, up_H, down_H)
        axis.bar(stamps(ds), share_H, bottom=foot_H, width=(0.82 * step).to_pytimedelta(), color=COLOURS[name],
                 label=explanation.label(name), linewidth=0)  # fmt: skip
        up_H, down_H = up_H + np.maximum(share_H, 0), down_H + np.minimum(share_H, 0)


def _headline(axis: Axes, title: str, subtitle: str) -> None:
    """A headline whose length does not squeeze the picture."""
    headline(axis, title, subtitle)
    for text in axis.texts:
        text.set_in_layout(False)


def _legend_below(figure: Figure, *axes: Axes, columns: int = 6) -> None:
    handles: list[Any] = []
    labels: list[str] = []
    for axis in axes:
        drawn, told = axis.get_legend_handles_labels()
        handles, labels = [*handles, *drawn], [*labels, *told]
    figure.legend(handles, labels, loc="outside lower left", ncols=min(columns, len(labels)), frameon=False, fontsize=9)


def _subject(explanation: Explanation) -> str:
    local = explanation.cutoff.tz_convert(clock.zone(explanation.zone))
    return f"series {explanation.unique_id} · from {local:%d %b %Y %H:%M}"


def _day(cutoff: pd.Timestamp, zone: str) -> str:
    return f"{cutoff.tz_convert(clock.zone(zone)):%a %d %b %Y}"


def _length(length: pd.Timedelta) -> str:
    minutes = int(length / pd.Timedelta(minutes=1))
    return f"{minutes // 60} h" if minutes % 60 == 0 and minutes > 60 else "hour" if minutes == 60 else f"{minutes} min"
