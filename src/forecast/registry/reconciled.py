"""`log_reconciled`: whether it pays that children sum to their parents, on a retraining's page."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from forecast.registry.runs import Run
from forecast.registry.store import NOTE, open_store
from forecast.settings import Settings


def log_reconciled(
    run_id: str, settings: Settings, scores: pd.DataFrame, by_series: pd.DataFrame, forecast: pd.DataFrame,
    told: Sequence[str],
) -> None:  # fmt: skip
    """Logs the figures as tables and metrics, the reconciled forecast as a file, and sentences below the page's note.

    Args:
        run_id: of the parent run of a retraining.
        settings: which store.
        scores: a row per way of reconciling, indexed by it; a metric each, such as `reconciled/mint/mae_parents`.
        by_series: the same series by series.
        forecast: the next forecast, reconciled.
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
    for way, row in scores.iterrows():
        run.metrics({f"reconciled/{str(way).replace(' ', '_')}/{name}": float(value) for name, value in row.items()})
    note = found.data.tags.get(NOTE, "").rstrip()
    lines = "\n".join(f"- {sentence}" for sentence in told)
    run.note(f"{note}\n\n**Children that sum to their parents**\n\n{lines}\n")
