"""`log_day`: a day of monitoring as a run in MLflow, one per delivery day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from forecast.registry.runs import Run, running
from forecast.registry.store import NOTE, open_store
from forecast.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from forecast.monitoring.page import Report
    from forecast.monitoring.watching import Watched

KIND = "day"


def log_day(settings: Settings, watched: Watched, told: Report, verdict: str) -> str:
    """Writes the figures, tables and pages of a day into the experiment of monitoring; again, into the same run.

    Args:
        settings: which MLflow.
        watched: what was found.
        told: the report.
        verdict: whether a retraining is due, as a sentence.

    Returns:
        the run's page, relative to the UI's address.

    Raises:
        RegistryError: MLflow cannot be opened.
    """
    store, day = open_store(settings, "monitoring"), watched.day.isoformat()
    wanted = f"tags.kind = '{KIND}' and tags.day = '{day}' and tags.model_name = '{settings.model_name}'"
    found = store.client.search_runs([store.experiment], wanted, max_results=1)
    tags = {"kind": KIND, "day": day, "model_name": settings.model_name}
    if found:
        run = Run(store, str(found[0].info.run_id), str(found[0].info.run_name))
        _write(run, watched, told, verdict)
        return run.link
    with running(store, f"{day} forecasts", tags) as run:
        _write(run, watched, told, verdict)
    return run.link


def _write(run: Run, watched: Watched, told: Report, verdict: str) -> None:
    run.metrics(told.figures)
    alarms = [f"- {one.unique_id or 'all'}: {one.kind} since {one.day}" for one in watched.alarms]
    note = "\n".join([told.headline, "", verdict + ".", "", *alarms])
    run.tags({NOTE: note, "verdict": f"{len(watched.alarms)} alarms" if watched.alarms else "quiet"})
    for name, table in _tables(watched).items():
        if len(table):
            run.table(table.assign(day=table["day"].astype(str)) if "day" in table else table, name)
    run.store.client.log_text(run.run_id, told.html, "report.html")


def _tables(watched: Watched) -> Mapping[str, pd.DataFrame]:
    worst = watched.table.sort_values("ratio", ascending=False).head(MOST) if len(watched.table) else watched.table
    return {"series": worst, "by hour": watched.by_hour, "by lead": watched.by_lead, "late inputs": watched.stale}


MOST = 200
"""So many series the UI shows, those with the largest errors for their season."""
