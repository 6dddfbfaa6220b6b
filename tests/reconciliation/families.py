"""Toy families and forecasts of them: any tree, any quantiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from forecast.reconciliation import Hierarchy
from forecast.tables import LEVELS, Forecast, mean_of_quantiles, quantile_columns
from tests.builders import utc

CUTOFF = "2024-03-01"
CITY = Hierarchy(
    {"north": "city", "south": "city", "hill": "north", "lake": "north", "port": "south", "mill": "south"}
)  # fmt: skip
"""Three levels: the city, two halves, two quarters in each."""


def said(
    values: Mapping[str, np.ndarray], *, levels: Sequence[float] = LEVELS, cutoffs: Sequence[str] = (CUTOFF,),
    freq: str = "1h", unit: str = "MW", model: str = "ridge",
) -> Forecast:  # fmt: skip
    """A forecast from quantiles [K, Q] by series; K runs over the periods of each cutoff."""
    quantiles_NKQ = np.stack([np.asarray(one, dtype=float) for one in values.values()])
    count, moments, _ = quantiles_NKQ.shape
    starts = pd.DatetimeIndex([utc(cutoff) for cutoff in cutoffs]).repeat(moments // len(cutoffs))
    ahead = np.tile(np.arange(moments // len(cutoffs)), len(cutoffs)) * pd.Timedelta(freq)
    data = {
        "unique_id": np.repeat(np.array(list(values), dtype=object), moments),
        "cutoff": starts[np.tile(np.arange(moments), count)],
        "ds": (starts + ahead)[np.tile(np.arange(moments), count)],
        "mean": mean_of_quantiles(quantiles_NKQ, levels).ravel(),
    }
    columns = dict(zip(quantile_columns(levels), quantiles_NKQ.reshape(count * moments, -1).T, strict=True))
    return Forecast(pd.DataFrame({**data, **columns}), unit, model)


def drawn(names: Sequence[str], rng: np.random.Generator, steps: int = 3, low: float = 0.0) -> dict[str, np.ndarray]:
    """Any ascending quantiles, incoherent, from `low` upwards; some are zero or equal."""
    made = {}
    for name in names:
        values_KQ = np.maximum(np.sort(rng.normal(3, 4, (steps, len(LEVELS))), axis=-1), low)
        made[name] = np.round(values_KQ, 1)
    return made


def wide(forecast: Forecast, column: str = "q0.5") -> pd.DataFrame:
    """A column by moment and series."""
    return forecast.frame.pivot(index=["cutoff", "ds"], columns="unique_id", values=column)


def values(forecast: Forecast, names: Sequence[str]) -> np.ndarray:
    """Quantiles [N, K, Q]; moments by cutoff, then period."""
    frame = forecast.frame[forecast.frame["unique_id"].isin(list(names))]
    place = frame["unique_id"].map({name: at for at, name in enumerate(names)})
    ordered = frame.assign(place=place).sort_values(["place", "cutoff", "ds"])
    return ordered[quantile_columns(forecast.levels)].to_numpy().reshape(len(names), -1, len(forecast.levels))


def errors(names: Sequence[str], seed: int = 0, count: int = 300) -> pd.DataFrame:
    """Past errors of a family: correlated, of different size."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(count, len(names))) @ rng.normal(size=(len(names), len(names)))
    return pd.DataFrame(mixed * rng.uniform(0.5, 2, len(names)), columns=list(names))
