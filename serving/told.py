"""`Told` and `Answered`: what the service says, as arrays: every rung, the ledger and every format use them.

H steps, Q levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.store.issued import CHAMPION
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
