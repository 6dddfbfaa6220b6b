"""`Series`, one metered demand on its regular clock, and `Columns`, the names of what is told beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DeclarationError

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Columns:
    """Names of the covariates: `past` are known up to the cutoff, `known` ahead of it, `static` once per series."""

    past: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    static: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = (*self.past, *self.known, *self.static)
        twice = sorted({name for name in names if names.count(name) > 1})
        reserved = [name for name in names if name in ("unique_id", "ds", "y", "available_at")]
        if twice or reserved:
            raise DeclarationError(
                f"the covariates name {', '.join(map(repr, twice or reserved))} " + ("twice" if twice else "again"),
                "each column in one role: the series, its stamps, its demand, or a past, known or static covariate",
            )

    @property
    def observed(self) -> tuple[str, ...]:
        """The columns that become known with time: y, then the past-only covariates."""
        return ("y", *self.past)

    @property
    def dynamic(self) -> tuple[str, ...]:
        """Every column of `Series.values_TC`, in its order."""
        return (*self.observed, *self.known)


@dataclass(frozen=True, eq=False)
class Series:
    """One metered demand on its regular clock.

    Attributes:
        unique_id: its name.
        zone: its civil zone.
        start: start of the first period (UTC).
        values_TC: float32 [T, C], a view of the arena; columns as `Columns.dynamic`, NaN where missing.
        available_at_T: UTC nanoseconds at which each row's observed values became known; None: by the delay rule.
        static: its static covariates.
        first_row: its first row in the arena.
        country: whose public holidays its calendar marks ("PT", "DE-BY"); None: its table's.
    """

    unique_id: str
    zone: str
    start: pd.Timestamp
    values_TC: Floats
    available_at_T: Ints | None = None
    static: Mapping[str, float] = field(default_factory=dict)
    first_row: int = 0
    country: str | None = None

    def __len__(self) -> int:
        return len(self.values_TC)

    def viewing(self, arena_RC: Floats) -> Series:
        """The same series as a view of another arena with the same rows."""
        return replace(self, values_TC=arena_RC[self.first_row : self.first_row + len(self)])
