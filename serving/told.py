"""`Told` and `Answered`: what the service says, as arrays: every rung, the ledger and every format use them.

H steps, Q levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.calendars import told as as_lived
from forecast.store.issued import CHAMPION
from forecast.tables import Forecast, quantile_column
from serving.loader import Served

Doubles = npt.NDArray[np.float64]
Stamps = npt.NDArray[np.datetime64]


@dataclass(frozen=True, eq=False)
class Told:
    """What is said about one series.

    Attributes:
        unique_id: its name.
        ds_H: START of each period, UTC, as it was lived (datetime64[ns]).
        mean_H: the expectation, in the answer's unit.
        quantiles_HQ: by level.
        rung: which step of the ladder of fallbacks said it.
        reason: why not a higher one; None of the champion.
    """

    unique_id: str
    ds_H: Stamps
    mean_H: Doubles
    quantiles_HQ: Doubles
    rung: str = CHAMPION
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class Answered:
    """The answer to one question.

    Attributes:
        told: the series, in the order of the request.
        levels: of the quantiles, ascending.
        cutoff: nothing that became known later was used (UTC, as it was lived).
        unit: of all numbers.
        served: the version whose model spoke on the highest rung that was used; None where none did.
        warnings: what to know about it.
    """

    told: tuple[Told, ...]
    levels: tuple[float, ...]
    cutoff: pd.Timestamp
    unit: str
    served: Served | None
    warnings: tuple[str, ...]


def by_series(forecast: Forecast, zones: dict[str, str], order: Sequence[str]) -> tuple[Told, ...]:
    """A forecast of one cutoff, series by series in a wanted order; its rows of a series lie side by side."""
    frame, levels = as_lived(forecast.frame, zones), forecast.levels
    names, ds = frame["unique_id"].to_numpy(), frame["ds"].to_numpy(dtype="datetime64[ns]")
    mean, quantiles = frame["mean"].to_numpy(), frame[[quantile_column(level) for level in levels]].to_numpy()
    begins = np.flatnonzero(np.r_[True, names[1:] != names[:-1]]) if len(names) else np.array([], dtype=int)
    parts = {
        str(names[begin]): Told(str(names[begin]), ds[begin:end], mean[begin:end], quantiles[begin:end])
        for begin, end in zip(begins, [*begins[1:], len(names)], strict=True)
    }
    return tuple(parts[name] for name in order)
