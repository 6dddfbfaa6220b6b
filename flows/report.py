"""What a retraining leaves in Prefect: the comparison as a table, the verdict in prose, links to MLflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

if TYPE_CHECKING:
    from forecast.registry.report import RetrainingLog
    from forecast.retraining import Judgement, Sums

COMPARED = ("mae", "rmse", "mape", "mase", "bias", "pinball", "coverage_80", "peak_mae")


def leave_artifacts(judgement: Judgement, log: RetrainingLog, unit: str, refit: str) -> None:
    """Writes the artifacts of the flow run that is under way."""
    create_table_artifact(
        table=comparison(judgement), key="comparison",
        description=f"Walked forward, refit {refit}; in {unit}, MAPE in %.",
    )  # fmt: skip
    create_markdown_artifact(markdown=prose(judgement, log), key="verdict", description=sentence(judgement, log))
    for name, link in log.urls.items():
        create_link_artifact(link=link, link_text=f"MLflow: {name}", key=f"mlflow-{name}")


def leave_sums(sums: Sums, unit: str) -> None:
    """Writes whether reconciliation pays as an artifact of the flow run that is under way."""
    rows = [
        {"forecasts": way} | {name: _short(value) for name, value in row.items()} for way, row in sums.scores.items()
    ]
    create_table_artifact(table=rows, key="reconciled", description=f"{sums.sentence} In {unit}.")


def comparison(judgement: Judgement) -> list[dict[str, Any]]:
    """A row per model, best first, the winner marked; six digits, None where a figure could not be had."""
    table = judgement.table.sort_values("mae")
    shown = [name for name in COMPARED if name in table.columns]
    rows = judgement.scores
    return [
        {"model": f"★ {model}" if model == judgement.winner else model}
        | {name: _short(rows[str(model)].get(name)) for name in shown}
        for model in table.index
    ]


def sentence(judgement: Judgement, log: RetrainingLog) -> str:
    """Who reigns now."""
    told = f"{judgement.winner} (version {log.version}) "
    if log.promoted:
        return told + "is the champion now."
    reigning = judgement.champion_version
    return told + "is not promoted; " + (f"version {reigning} stays champion." if reigning else "nothing reigns yet.")


def prose(judgement: Judgement, log: RetrainingLog) -> str:
    """The verdict with its reasons, and where to look further (Markdown)."""
    reasons = "\n".join(f"- {reason}" for reason in judgement.verdict.reasons)
    links = "\n".join(f"- [{name}]({link})" for name, link in log.urls.items())
    parts = [f"## {sentence(judgement, log)}", reasons, f"In MLflow, while its UI runs:\n\n{links}" if links else ""]
    return "\n\n".join(part for part in parts if part)


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
