"""`Forecast`: what we say, checked when it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError, RequestError

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
KEYS = ["unique_id", "cutoff", "ds"]


def quantile_column(level: float) -> str:
    """The column of a quantile level.

    >>> quantile_column(0.1)
    'q0.1'
    """
    return f"q{level:g}"


def quantile_columns(levels: Sequence[float] = LEVELS) -> list[str]:
    """The columns of several levels, in their order."""
    return list(_columns(tuple(levels)))


@lru_cache(maxsize=256)
def _columns(levels: tuple[float, ...]) -> tuple[str, ...]:
    return tuple(map(quantile_column, levels))


def quantile_levels(frame: pd.DataFrame) -> list[float]:
    """The levels that a frame holds, ascending."""
    names = [name for name in map(str, frame.columns) if name.startswith("q0.")]
    return sorted(float(name[1:]) for name in names)


def check_levels(wanted: Sequence[float], offered: Sequence[float]) -> tuple[float, ...]:
    """The wanted levels, ascending, when all are offered.

    Raises:
        RequestError: a level is not among those that the model was trained for.
    """
    unknown = [level for level in wanted if not any(abs(level - known) < 1e-9 for known in offered)]
    if unknown or not wanted:
        raise RequestError(
            f"quantiles {', '.join(f'{level:g}' for level in unknown) or '(none)'} are not offered",
            f"some of {', '.join(f'{level:g}' for level in offered)}",
            "ask for these levels or train a recipe with others",
        )
    return tuple(sorted({round(level, 9) for level in wanted}))


def mean_of_quantiles(quantiles_Q: npt.NDArray[np.floating], levels: Sequence[float]) -> npt.NDArray[np.float64]:
    """Expectation of the quantile function that the levels describe.

    Between levels the function is linear; each tail continues the outermost segment's slope to level 0 or 1. With a
    single level the mean is that quantile.

    Args:
        quantiles_Q: [..., Q], non-decreasing along Q.
        levels: the Q levels, ascending within (0, 1).

    Returns:
        [...], in the unit of the quantiles.

    >>> float(mean_of_quantiles(np.array([1.0, 2.0, 3.0]), [0.25, 0.5, 0.75]))
    2.0
    """
    values = np.asarray(quantiles_Q, dtype=np.float64)
    if values.shape[-1] == 1:
        return np.asarray(values[..., 0])
    p = np.asarray(levels, dtype=np.float64)
    inner = ((values[..., 1:] + values[..., :-1]) / 2 * np.diff(p)).sum(-1)
    low_slope = (values[..., 1] - values[..., 0]) / (p[1] - p[0])
    high_slope = (values[..., -1] - values[..., -2]) / (p[-1] - p[-2])
    low = values[..., 0] * p[0] - low_slope * p[0] ** 2 / 2
    high = values[..., -1] * (1 - p[-1]) + high_slope * (1 - p[-1]) ** 2 / 2
    return np.asarray(inner + low + high)


@dataclass(frozen=True, eq=False)
class Forecast:
    """Quantiles of demand per series, cutoff and period.

    Attributes:
        frame: unique_id, cutoff, ds (both UTC), mean, one column per quantile level; in `unit`.
        unit: the unit of the numbers.
        model: the name of what made it.
        warnings: what the reader should know (padded history, missing columns).
    """

    frame: pd.DataFrame
    unit: str
    model: str
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        missing = [name for name in [*KEYS, "mean"] if name not in self.frame.columns]
        levels = quantile_levels(self.frame)
        if missing or not levels:
            found = f"a forecast without {', '.join(missing) or 'quantiles'}"
            raise DataError(found, "unique_id, cutoff, ds, mean, q*")
        for name in ("cutoff", "ds"):
            if getattr(self.frame[name].dtype, "tz", None) is None:
                raise DataError("forecast stamps carry no zone", "aware UTC stamps", column=name)
        values = self.frame[["mean", *quantile_columns(levels)]].to_numpy(dtype=np.float64)
        if not np.isfinite(values).all():
            raise DataError("a forecast holds numbers that are not finite", "finite numbers")
        if (np.diff(values[:, 1:], axis=1) < 0).any():
            raise DataError("forecast quantiles cross", "quantiles that do not decrease with their level")
        if self.frame.duplicated(KEYS).any():
            raise DataError("a forecast says the same period twice", "one row per series, cutoff and period")

    @classmethod
    def trusted(cls, frame: pd.DataFrame, unit: str, model: str, warnings: tuple[str, ...] = ()) -> Self:
        """A forecast out of a frame that was checked before: what the ledger holds, thousands of them at once."""
        made = cls.__new__(cls)
        for name, value in (("frame", frame), ("unit", unit), ("model", model), ("warnings", warnings)):
            object.__setattr__(made, name, value)
        return made

    @property
    def levels(self) -> list[float]:
        """The quantile levels, ascending."""
        return quantile_levels(self.frame)
