"""A family's rows of a forecast as one array, when every member speaks of the same moments.

N series of the family, K moments (cutoff and period), Q levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from forecast.errors import DataError
from forecast.reconciliation.family import Doubles, Family, Ints
from forecast.tables import Forecast, quantile_columns
from forecast.tables.forecast import KEYS

MOMENT = ["cutoff", "ds"]


@dataclass(frozen=True, eq=False)
class Layout:
    """Where a family stands in a forecast.

    Attributes:
        rows_NK: the row of each series and moment; moments by cutoff, then period.
        cutoff_K: the cutoff of each moment.
        values_NKQ: the quantiles there.
    """

    rows_NK: Ints
    cutoff_K: pd.DatetimeIndex
    values_NKQ: Doubles

    @classmethod
    def of(cls, forecast: Forecast, family: Family) -> Self:
        """Lays out a family.

        Raises:
            DataError: a member is not in the forecast, has another step, or lacks a moment that another has.
        """
        rows_R = np.flatnonzero(forecast.frame["unique_id"].isin(family.names))
        frame = forecast.frame.iloc[rows_R][KEYS]
        _check_members(frame, family)
        place = {name: at for at, name in enumerate(family.names)}
        series_R = frame["unique_id"].map(place).to_numpy(dtype=np.int64)
        moment_R = frame.groupby(MOMENT, sort=True).ngroup().to_numpy()
        rows_NK = np.full((len(place), moment_R.max() + 1), -1, dtype=np.int64)
        rows_NK[series_R, moment_R] = rows_R
        if (rows_NK < 0).any():
            raise _missing(frame, family, rows_NK < 0)
        quantiles_RQ = forecast.frame[quantile_columns(forecast.levels)].to_numpy(dtype=np.float64)
        cutoff_K = pd.DatetimeIndex(forecast.frame["cutoff"].iloc[rows_NK[0]])
        return cls(rows_NK, cutoff_K, quantiles_RQ[rows_NK])


def _check_members(frame: pd.DataFrame, family: Family) -> None:
    present = set(frame["unique_id"])
    absent = [name for name in family.names if name not in present]
    if absent:
        raise DataError(
            f"the forecast has no {', '.join(absent[:5])}{' and others' if len(absent) > 5 else ''}",
            f"every series of the family of '{family.parents[0]}'", "forecast them too, or correct the parents",
        )  # fmt: skip


def _missing(frame: pd.DataFrame, family: Family, lacking_NK: np.ndarray) -> DataError:
    """What to say of a family whose members do not speak of the same moments."""
    steps = {str(name): step_of(part) for name, part in frame.groupby("unique_id", sort=False)}
    lengths = sorted({step for step in steps.values() if step is not None})
    if len(lengths) > 1:
        told = [f"{name}: {steps[name]}" for name in family.names if steps[name] is not None]
        return DataError(
            f"the family of '{family.parents[0]}' has mixed frequencies", "one step for parents and children",
            "forecast them on one step, or sum the finer ones up first", stamps=told,
        )  # fmt: skip
    moments = frame[MOMENT].drop_duplicates().sort_values(MOMENT)
    lacking = np.flatnonzero(lacking_NK.any(axis=1))
    name = family.names[int(lacking[0])]
    others = [family.names[at] for at in lacking[1:]]
    return DataError(
        f"no forecast of it at {int(lacking_NK[lacking[0]].sum())} moments that its family has"
        + (f"; nor of {', '.join(others[:5])} at some" if others else ""),
        f"forecasts of {', '.join(family.names[:5])} for the same cutoffs and periods", "forecast the family together",
        series=name, stamps=moments["ds"].to_numpy()[lacking_NK[lacking[0]]],
    )  # fmt: skip


def step_of(frame: pd.DataFrame) -> pd.Timedelta | None:
    """Length of a period: the shortest distance between two stamps; None where there is one stamp only."""
    stamps = pd.DatetimeIndex(np.sort(frame["ds"].unique()))
    return pd.Timedelta(np.diff(stamps).min()) if len(stamps) > 1 else None
