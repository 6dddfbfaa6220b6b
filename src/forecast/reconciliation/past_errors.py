"""`PastErrors`: how wrong earlier forecasts of all series were at the same moments, and since when that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from forecast.errors import DataError, RequestError
from forecast.reconciliation.layout import step_of

MEDIAN = "q0.5"


@dataclass(frozen=True, eq=False)
class PastErrors:
    """Errors (measured less forecast) of many series at common moments.

    Attributes:
        table: a column per series, a row per moment; NaN where unknown; in the unit of the forecast.
        known_at: when each row became known (UTC), or None: everything was known before any forecast it is used for.
    """

    table: pd.DataFrame
    known_at: pd.DatetimeIndex | None = None

    @classmethod
    def of(cls, errors: pd.DataFrame | PastErrors, model: str | None = None, delay: str | pd.Timedelta = "0h") -> Self:
        """Errors of a walk's table, or of a matrix with a column per series.

        Args:
            errors: the table that `backtest.walk` makes (unique_id, ds, cutoff, y, mean, q*, model), or a matrix,
                whose index says when each row became known where it holds aware stamps.
            model: the model of the walk; needed where it holds several and none has the forecast's name.
            delay: how long after its period's end a value of the walk became known.

        Raises:
            DataError: columns are missing. RequestError: the walk holds several models and none is named.
        """
        if isinstance(errors, PastErrors):
            return cls(errors.table, errors.known_at)
        if "unique_id" in errors.columns:
            return cls._of_walk(errors, model, pd.Timedelta(delay))
        stamped = isinstance(errors.index, pd.DatetimeIndex) and errors.index.tz is not None
        return cls(errors.astype(np.float64), errors.index.tz_convert("UTC") if stamped else None)

    @classmethod
    def _of_walk(cls, walk: pd.DataFrame, model: str | None, delay: pd.Timedelta) -> Self:
        missing = [name for name in ("ds", "cutoff", "y", "mean") if name not in walk.columns]
        if missing:
            raise DataError(f"past errors without {', '.join(missing)}", "the columns that a walk writes")
        walk = of_model(walk, model)
        point = walk[MEDIAN] if MEDIAN in walk.columns else walk["mean"]
        long = walk[["cutoff", "ds", "unique_id"]].assign(error=walk["y"] - point)
        if long.duplicated(["cutoff", "ds", "unique_id"]).any():
            raise DataError("past errors that tell a period twice", "one row per series, cutoff and period")
        table = long.pivot(index=["cutoff", "ds"], columns="unique_id", values="error")
        step = step_of(walk)
        if step is None:
            raise DataError("past errors of a single period", "two periods or more", "walk over a longer span")
        return cls(table, pd.DatetimeIndex(table.index.get_level_values("ds")) + step + delay)

    def known(self, names: Sequence[str], cutoff: pd.Timestamp) -> np.ndarray:
        """Errors [moments, names] that were known at a cutoff and complete.

        Raises:
            DataError: a series has no past errors at all.
        """
        absent = [name for name in names if name not in self.table.columns]
        if absent:
            raise DataError(
                f"no past errors of {', '.join(absent[:5])}", "errors of every series of the family",
                "walk over all series, or choose the method spread",
            )  # fmt: skip
        rows = self.table[list(names)].to_numpy(dtype=np.float64)
        if self.known_at is not None:
            rows = rows[np.asarray(self.known_at <= cutoff)]
        return np.asarray(rows[np.isfinite(rows).all(1)])


def of_model(walk: pd.DataFrame, model: str | None) -> pd.DataFrame:
    """The rows of one model of a walk.

    Raises:
        RequestError: there are several, and none has the name.
    """
    if "model" not in walk.columns:
        return walk
    models = [str(name) for name in pd.unique(walk["model"])]
    if len(models) == 1:
        return walk
    if model not in models:
        raise RequestError(
            f"past errors of {', '.join(models)}, and a forecast of '{model}'", "errors of one model",
            "keep the rows of the model that forecasts",
        )  # fmt: skip
    return walk[walk["model"] == model]
