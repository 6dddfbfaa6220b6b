"""`log_reconciled`: whether it pays that children sum to their parents, on a retraining's page."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from forecast.registry.runs import Run
from forecast.registry.store import NOTE, open_store
from forecast.settings import Settings

COLUMNS = {
    "mae_parents": "MAE, parents", "mae_leaves": "MAE, leaves", "pinball_parents": "pinball, parents",
    "pinball_leaves": "pinball, leaves", "gain_percent": "pinball gain %",
}  # fmt: skip
"""What the page's note shows of the scores."""


def log_reconciled(
    run_id: str, settings: Settings, scores: pd.DataFrame, by_series: pd.DataFrame, forecast: pd.DataFrame,
    method: str, told: Sequence[str],
) -> None:  # fmt: skip
    """Logs the figures as tables and metrics, the reconciled forecast as a file, and sentences below the page's note.

    Args:
        run_id: of the parent run of a retraining.
        settings: which store.
        scores: a row per way of reconciling, indexed by it.
        by_series: the same series by series.
        forecast: the next forecast, reconciled.
        method: the way whose figures are metrics, too, such as `reconciled/mae_parents`.
        told: what is to be said of it.

    Raises:
        RegistryError: the store cannot be opened.
    """
    store = open_store(settings)
    found = store.client.get_run(run_id)
    run = Run(store, run_id, str(found.info.run_name))
    run.table(scores.reset_index(), "reconciled")
    run.table(by_series, "reconciled by series")
    run.parquet(forecast, "next forecast reconciled")
    run.metrics({f"reconciled/{name}": float(value) for name, value in scores.loc[method].items()})
    before = found.data.tags.get(NOTE, "").rstrip()
    run.note(f"{before}\n\n**Children that sum to their parents**\n\n{_markdown(scores)}\n\n{_listed(told)}\n")


def _markdown(scores: pd.DataFrame) -> str:
    lines = [["forecasts", *COLUMNS.values()], ["---", *["---:"] * len(COLUMNS)]]
    for way, row in scores.iterrows():
        lines.append([str(way), *["" if pd.isna(row[name]) else f"{row[name]:.4g}" for name in COLUMNS]])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _listed(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {one}" for one in sentences)
