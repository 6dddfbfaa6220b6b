"""The paper that all figures are drawn on: colours, quiet axes, a local time axis that names its zone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, num2date
from matplotlib.figure import Figure

from forecast import clock

INK, QUIET, GRID = "#222222", "#6b6b6b", "#e4e4e4"
ACTUAL, FORECAST = "#111111", "#0072B2"
# Okabe and Ito (2008), "Color Universal Design"; yellow is left out: it vanishes on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6A3D9A", "#8C510A")
PALE_GREYS = ("#6b6b6b", "#9a9a9a", "#bdbdbd")
# A tick alone says its day and month; matplotlib's own says "13".
DATES = ["%Y", "%b %Y", "%d %b", "%H:%M", "%H:%M", "%S.%f"]
DATES_AT_ZERO = ["", "%Y", "%d %b", "%d %b", "%H:%M", "%H:%M"]
NARROW_INCHES, CROWDED = 5.0, 0.75
"""A time axis that has room for few dates; the share of the usual distance below which a date crowds the next one."""
Style = dict[str, Any]


def sheet(width: float, height: float, rows: int = 1, columns: int = 1, **grid: Any) -> tuple[Figure, list[Axes]]:
    """A figure of `width` x `height` inches and its axes, row by row."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    axes = figure.subplots(rows, columns, squeeze=False, **grid)
    for one in axes.flat:
        one.spines[["top", "right"]].set_visible(False)
        one.spines[["left", "bottom"]].set_color(QUIET)
        one.tick_params(colors=QUIET, labelcolor=INK, labelsize=9)
        one.grid(color=GRID, linewidth=0.7)
        one.set_axisbelow(True)
    return figure, list(axes.flat)


def headline(axis: Axes, title: str, subtitle: str = "") -> None:
    """A left-aligned title, and what one has to know beneath it."""
    axis.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK, pad=22 if subtitle else 8)
    if subtitle:
        axis.text(0, 1.02, subtitle, transform=axis.transAxes, fontsize=9, color=QUIET, va="bottom")


def legend(axis: Axes, **options: Any) -> None:
    """A legend without a frame."""
    axis.legend(frameon=False, fontsize=9, labelcolor=INK, **options)


def time_axis(axis: Axes, zone: str) -> None:
    """Dates on the zone's clock, the zone named."""
    local: tzinfo = clock.zone(zone)
    inches = axis.get_position().width * axis.get_figure().get_figwidth()
    least, most = (3, 7) if inches < NARROW_INCHES else (4, 9)
    locator = _EvenDates(tz=local, minticks=least, maxticks=most)
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(_Dates(locator, tz=local, formats=DATES, zero_formats=DATES_AT_ZERO))
    axis.set_xlabel(f"local time ({zone})", color=QUIET, fontsize=9)
    axis.xaxis.get_offset_text().set(color=QUIET, fontsize=9)


class _EvenDates(AutoDateLocator):  # type: ignore[misc]
    """Dates without those that crowd the next one: every second day ends at 31 and begins again at 1."""

    def __call__(self) -> Any:
        ticks = np.asarray(super().__call__())
        apart = np.diff(ticks)
        return ticks[np.append(apart >= CROWDED * np.median(apart), True)] if len(apart) > 1 else ticks


class _Dates(ConciseDateFormatter):  # type: ignore[misc]
    """Dates, and at the end of the axis the day or the years that none of them tells."""

    def format_ticks(self, values: Any) -> Any:
        self.ends = [num2date(values[place], tz=self._tz) for place in (0, -1)] if len(values) else []
        return super().format_ticks(values)

    def get_offset(self) -> str:
        if not super().get_offset() or not self.ends:
            return ""
        first, last = self.ends
        same_day = first.date() == last.date()
        return f"{last:%d %b %Y}" if same_day else "–".join(dict.fromkeys(f"{one:%Y}" for one in self.ends))


def stamps(values: Any) -> Any:
    """UTC stamps as matplotlib takes them."""
    return pd.DatetimeIndex(values).tz_convert("UTC").to_pydatetime()


def is_naive(model: str) -> bool:
    """Whether a model is the yardstick that all others are held against."""
    return "naive" in model


def styles(models: Iterable[str]) -> Mapping[str, Style]:
    """A line style per model: colours for models, dashed grey for the naive ones."""
    colours, greys = iter(PALETTE * 9), iter(PALE_GREYS * 9)
    return {
        model: {"color": next(greys), "linestyle": (0, (4, 2)), "linewidth": 1.4}
        if is_naive(model)
        else {"color": next(colours), "linestyle": "-", "linewidth": 1.7}
        for model in models
    }
