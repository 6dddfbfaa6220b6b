"""`log_quality`: what was found in a table, on a run's page."""

from __future__ import annotations

import pandas as pd

from forecast.quality import RULES, QualityReport
from forecast.registry.runs import Run
from forecast.tables import Demand


def log_quality(run: Run, demand: Demand, report: QualityReport) -> None:
    """Logs the findings as a table and as figures, and their number in all and by rule as metrics.

    Args:
        run: which page.
        demand: the table that was examined.
        report: what was found.
    """
    from forecast.plots.quality import quality_closeups, quality_overview, worst

    counts = {f"quality/{rule.replace(' ', '_')}": float(len(report.of(rule))) for rule in RULES}
    run.metrics({"quality/findings": float(len(report)), **{name: count for name, count in counts.items() if count}})
    run.table(_shown(report), "quality")
    run.figure(quality_overview(demand, report), "quality")
    if worst(demand, report):
        run.figure(quality_closeups(demand, report), "quality from close by")


def _shown(report: QualityReport) -> pd.DataFrame:
    """The findings as the UI has room for them: stamps to the minute, and first what one looks for."""
    frame = report.frame()
    stamps = {name: pd.to_datetime(frame[name], utc=True).dt.strftime("%Y-%m-%d %H:%MZ") for name in ("first", "last")}
    return frame.assign(**stamps)[["series", "rule", "first", "last", "size", "done", "severity"]]
