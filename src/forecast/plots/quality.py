"""Figures of what is wrong with a table: where everything lies, and the worst from close by."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from forecast.errors import DataError
from forecast.plots.paper import ACTUAL, INK, PALETTE, QUIET, headline, sheet, stamps, time_axis
from forecast.quality import RULES, Finding, QualityReport
from forecast.tables import Demand

COLOURS: Mapping[str, str] = {"gap": "#8f8f8f", "late data": "#303030"} | dict(
    zip([rule for rule in RULES if rule not in ("gap", "late data")], PALETTE, strict=True)
)
TRACK = "#eeeeee"
"""Under the marks: paler than the greys among them."""
MOST_SERIES, MOST_FINDINGS = 40, 8
THIN = 300
"""A span is drawn at least as wide as this part of the axis."""
ORDER = ("error", "warning", "note")


def quality_overview(demand: Demand, report: QualityReport, *, title: str = "What was found") -> Figure:
    """A row per series, a mark per finding, coloured by rule; the series with most findings where there are many.

    Args:
        demand: the table that was examined.
        report: what was found.
        title: over the figure.
    """
    counts = pd.Series([one.series for one in report.findings], dtype=object).value_counts()
    named = [one.unique_id for one in demand.series]
    shown = sorted(named, key=lambda name: -int(counts.get(name, 0)))[:MOST_SERIES]
    shown = [name for name in named if name in shown]
    figure, (axis,) = sheet(10, 1.6 + 0.26 * len(shown))
    ends = {name: (demand.by_id[name].start, demand.by_id[name].start + len(demand.by_id[name]) * demand.step)
            for name in shown}  # fmt: skip
    for row, name in enumerate(shown):
        axis.plot(stamps(ends[name]), [row, row], color=TRACK, linewidth=5, solid_capstyle="butt")
    least = (max(end for _, end in ends.values()) - min(start for start, _ in ends.values())) / THIN
    for one in report.findings:
        if one.series in ends:
            span = stamps([one.first, max(one.last + demand.step, one.first + least)])
            axis.plot(span, [shown.index(one.series)] * 2, color=COLOURS[one.rule], linewidth=5, solid_capstyle="butt")
    axis.set_yticks(range(len(shown)), shown)
    axis.set_ylim(len(shown) - 0.4, -0.6)
    axis.grid(visible=False, axis="y")
    left_out = f"; the {len(shown)} series with most" if len(shown) < len(named) else ""
    headline(axis, title, f"{len(report):,} findings in {len(counts):,} of {len(named):,} series{left_out}")
    time_axis(axis, demand.series[0].zone)
    _legend(figure, [one.rule for one in report.findings])
    return figure


def quality_closeups(demand: Demand, report: QualityReport, *, title: str = "From close by") -> Figure:
    """The worst findings, each with the demand around it; every rule's worst comes first.

    Args:
        demand: the table that was examined.
        report: what was found.
        title: over the figure.

    Raises:
        DataError: nothing was found in the series of the table.
    """
    chosen = worst(demand, report)
    if not chosen:
        raise DataError("the report has no finding in these series", "at least one", "nothing is to be drawn")
    rows = -(-len(chosen) // 2)
    figure, axes = sheet(11, 0.8 + 2.3 * rows, rows=rows, columns=2)
    for axis, one in zip(axes, chosen, strict=False):
        _closeup(axis, demand, one)
    for axis in axes[len(chosen) :]:
        axis.set_axis_off()
    figure.get_layout_engine().set(h_pad=0.09)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
    return figure


def worst(demand: Demand, report: QualityReport) -> list[Finding]:
    """At most eight findings to look at: one of every rule before a second of any, errors first."""
    mine = [one for one in report.findings if one.series in demand.by_id]
    ranked = sorted(mine, key=lambda one: ORDER.index(one.severity))
    rounds: dict[str, int] = {}
    turns: list[tuple[int, int, int, int]] = []
    for one in ranked:
        rounds[one.rule] = rounds.get(one.rule, 0) + 1
        turns.append((rounds[one.rule], ORDER.index(one.severity), RULES.index(one.rule), len(turns)))
    return [ranked[turn[3]] for turn in sorted(turns)[:MOST_FINDINGS]]


def _closeup(axis: Axes, demand: Demand, one: Finding) -> None:
    series = demand.by_id[one.series]
    around = max(pd.Timedelta("2D"), (one.last - one.first) / 4, 8 * demand.step)
    ds, y = demand.stamps(series), demand.observed(series) * demand.output_factor
    near = (ds >= one.first - around) & (ds <= one.last + around)
    axis.plot(stamps(ds[near]), y[near], color=ACTUAL, linewidth=1.1, marker="." if near.sum() < 60 else "")
    axis.axvspan(*stamps([one.first, one.last + demand.step]), color=COLOURS[one.rule], alpha=0.35, linewidth=0)
    axis.set_ylabel(demand.unit, color=INK, fontsize=9)
    axis.ticklabel_format(axis="y", style="plain")
    headline(axis, f"{one.series}: {one.rule}", f"{one.size}; {one.done}"[:80])
    time_axis(axis, series.zone)
    axis.title.set_fontsize(10)


def _legend(figure: Figure, rules: list[str]) -> None:
    handles = [Patch(color=COLOURS[rule], label=rule) for rule in RULES if rule in rules]
    if handles:
        figure.legend(
            handles=handles, loc="outside lower center", ncols=min(6, len(handles)), frameon=False, fontsize=9,
            labelcolor=QUIET,
        )  # fmt: skip
