"""Two models side by side: the rows that both answered, and their loss at each origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError
from forecast.metrics import row_losses

Loss = Literal["absolute_error", "pinball"]
ROW = ["unique_id", "cutoff", "ds"]
DAY = pd.Timedelta(days=1)


@dataclass(frozen=True, eq=False)
class Pairs:
    """The origins that all of some models answered.

    Attributes:
        table: the walk's rows that all models answered, for these models only.
        losses: index cutoff (ascending), one column per model: mean loss of the origin.
        dropped_origins: (series, cutoff) pairs that lost every row.
        answered: per model, the share of the rows with demand and any model's forecast that it answered.
        overlap: origins that the span of one forecast covers.
    """

    table: pd.DataFrame
    losses: pd.DataFrame
    dropped_origins: int
    answered: dict[str, float]
    overlap: int

    @property
    def day_N(self) -> npt.NDArray[np.int64]:
        """UTC day number of each origin."""
        return np.asarray((self.losses.index - pd.Timestamp(0, tz="UTC")) // DAY, dtype=np.int64)


def pair(table: pd.DataFrame, models: Sequence[str], loss: Loss, scales: Mapping[str, float] | None) -> Pairs:
    """Keeps the rows (series, cutoff, period) that every model answered and averages their loss by origin.

    The rows of a series at one cutoff are averaged and divided by the series' scale, then the series of a cutoff are
    averaged: series move together, so a cutoff counts as one observation. A series without a scale is dropped.

    Raises:
        DataError: a model is not in the table, or the models were scored against different demand.
    """
    present = set(table["model"].astype(str)) if "model" in table.columns else set()
    missing = [model for model in models if model not in present]
    if missing:
        raise DataError(f"the table holds no model {', '.join(missing)}", f"some of {', '.join(sorted(present))}")
    table = table[table["model"].astype(str).isin(list(models))].reset_index(drop=True)
    rows = row_losses(table)
    _check_same_demand(rows)
    scale_R = rows["unique_id"].map(dict(scales)) if scales is not None else pd.Series(1.0, index=rows.index)
    rows = rows.assign(loss=rows[loss] / scale_R.where(scale_R > 0))
    answered = rows[rows["loss"].notna()]
    everyone = answered.groupby(ROW, sort=False)["model"].transform("count") == len(models)
    shared = answered[everyone]
    by_series = shared.groupby(["model", "unique_id", "cutoff"], sort=False)["loss"].mean()
    losses = by_series.groupby(["cutoff", "model"]).mean().unstack("model").reindex(columns=list(models))
    asked = rows.loc[rows["y"].notna() & rows[loss].notna(), ROW].drop_duplicates()
    return Pairs(
        table=table.loc[shared.index],
        losses=losses.sort_index(),
        dropped_origins=_origins(rows) - _origins(shared),
        answered={
            model: float((rows["model"] == model)[rows[loss].notna()].sum() / max(len(asked), 1)) for model in models
        },
        overlap=_overlap(shared),
    )


def _origins(rows: pd.DataFrame) -> int:
    return len(rows[["unique_id", "cutoff"]].drop_duplicates())


def _check_same_demand(rows: pd.DataFrame) -> None:
    demand = rows.groupby(ROW, sort=False)["y"]
    apart = demand.transform("max") - demand.transform("min") > 1e-6 * demand.transform("max").abs()
    if apart.any():
        raise DataError(
            "the models were scored against different demand", "one y per series and period",
            "score them in one walk over one table", column="y", stamps=rows.loc[apart, "ds"].drop_duplicates(),
        )  # fmt: skip


def _overlap(rows: pd.DataFrame) -> int:
    """Origins that fall within the span of one forecast, its period included."""
    cutoffs = rows["cutoff"].drop_duplicates().sort_values()
    if len(cutoffs) < 2:
        return 1
    ds = rows["ds"].drop_duplicates().sort_values()
    step = ds.diff().min() if len(ds) > 1 else pd.Timedelta(0)
    span = (rows["ds"] - rows["cutoff"]).max() + step
    return max(1, int(np.ceil(span / cutoffs.diff().median())))
