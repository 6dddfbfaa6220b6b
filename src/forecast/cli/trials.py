"""What a search shows: its best trials, and what choosing promised beside what it kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

if TYPE_CHECKING:
    from forecast.search import Search


def trials_table(found: Search) -> Table:
    """The ten best trials, and how many there were."""
    counts = found.trials["state"].value_counts()
    title = f"{len(found.trials)} trials, {int(counts.get('pruned', 0))} of them pruned; study {found.name}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("trial", "inner score", *found.params):
        table.add_column(name, justify="right")
    whole = found.trials[found.trials["state"] == "complete"].sort_values(["score", "number"])
    for place, (_, row) in enumerate(whole.head(10).iterrows()):
        values = [_short(row[name]) for name in found.params]
        table.add_row(str(row["number"]), f"{row['score']:.4f}", *values, style="bold green" if place == 0 else "")
    return table


def all_alike(found: Search) -> bool:
    """Whether trials of different values all reached one score."""
    whole = found.trials[found.trials["state"] == "complete"]
    return len(whole.drop_duplicates(list(found.params))) > 1 and whole["score"].nunique() == 1


def folds_table(folds: pd.DataFrame) -> Table:
    """Inner beside outer: what choosing promised and what it kept."""
    table = Table(
        title="What the choosing promised (inner) and kept (outer)", title_justify="left", box=SIMPLE_HEAD,
        caption="scores are scaled losses; gap = outer / inner - 1; gains are over the base recipe on the same days",
        caption_justify="left", padding=(0, 1, 0, 0),
    )  # fmt: skip
    shares = ("gap", "promised", "delivered")
    for name in folds.columns:
        table.add_column(name, justify="left" if name == "from" else "right")
    for _, row in folds.iterrows():
        cells = [f"{row['from']:%Y-%m-%d}"]
        for name in folds.columns[1:]:
            cells.append(f"{row[name]:+.1%}" if name in shares and pd.notna(row[name]) else _short(row[name]))
        table.add_row(*cells)
    return table


def _short(value: object) -> str:
    if isinstance(value, float):
        return "–" if pd.isna(value) else f"{value:.4g}"
    return str(value)
