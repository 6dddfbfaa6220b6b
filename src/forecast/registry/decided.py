"""`log_decision`: a decision on who is champion as a run in MLflow, with everything that was weighed."""

from __future__ import annotations

import pandas as pd

from forecast.metrics import score
from forecast.registry.decisions import Decision
from forecast.registry.pages import ui_of, version_page
from forecast.registry.runs import Run, running
from forecast.registry.store import open_store
from forecast.registry.words import score_table
from forecast.settings import Settings


def log_decision(
    decision: Decision, settings: Settings, *, rows: pd.DataFrame | None = None, unit: str = ""
) -> dict[str, str]:  # fmt: skip
    """Writes a run into the experiment of decisions, and its address onto the version.

    Args:
        decision: as `enact` kept it.
        settings: which store.
        rows: what both models said of the days, as a walk's table.
        unit: of these.

    Returns:
        pages of the UI: "decision", "version".

    Raises:
        RegistryError: the store cannot be opened.
    """
    store = open_store(settings, "promotion")
    tags = {
        "kind": "decision", "decision": decision.kind, "outcome": decision.outcome, "by": decision.by,
        "challenger": f"{decision.version} {decision.recipe}".strip(), "champion": decision.against or "none",
        "model": settings.model_name, "at": decision.at, "evidence": decision.evidence,
    }  # fmt: skip
    with running(store, run_name(decision), tags) as run:
        run.metrics(decision.figures)
        run.document(decision.model_dump(mode="json"), "decision")
        run.note(_note(decision, settings, rows, unit))
        if rows is not None:
            _log_rows(run, rows, unit)
    page = f"{ui_of(settings)}/{run.link}"
    store.client.set_model_version_tag(settings.model_name, decision.version, "decision_run", run.run_id)
    return {"decision": page, "version": version_page(settings, decision.version)}


def run_name(decision: Decision) -> str:
    """What a list of decisions shows: who, against whom, the outcome, on how many days; short, for columns are."""
    who = f"v{decision.version}" + (f" {decision.recipe}" if decision.recipe else "")
    against = f" against v{decision.against}" if decision.against else ""
    days = f" · {decision.figures['days']:.0f} days" if "days" in decision.figures else ""
    return f"{who}{against} · {decision.outcome}{days}"


def _note(decision: Decision, settings: Settings, rows: pd.DataFrame | None, unit: str) -> str:
    """The verdict first, then the reasons and the figures side by side."""
    span = f" on {decision.first_day} to {decision.last_day}" if decision.first_day else ""
    by = f", asked by {decision.by}" if decision.by else ""
    parts = [
        f"**{decision.sentence[0].upper()}{decision.sentence[1:]}**{span}{by}.",
        "\n".join(f"- {reason}" for reason in decision.reasons),
    ]
    if rows is not None:
        parts.append(score_table(score(rows), None, unit))
    links = [f"[version {one}]({version_page(settings, one)})" for one in (decision.version, decision.against) if one]
    return "\n\n".join([*parts, " · ".join(links)])


def _log_rows(run: Run, rows: pd.DataFrame, unit: str) -> None:
    from forecast import plots

    scores = score(rows)
    run.table(scores.sort_values("mae").reset_index(names="model"), "comparison")
    run.parquet(rows, "fresh days")
    if scores["mae"].notna().any():
        run.figure(
            plots.comparison_bars(scores, unit=unit, winner=None, subtitle="days that neither learned from"),
            "comparison",
        )
