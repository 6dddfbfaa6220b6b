"""`Issued`: a forecast that was given out, with who said it, when and on what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd

from forecast.errors import DataError, StoreError
from forecast.tables import Forecast

CHAMPION = "champion"
"""The rung of an answer by whom it was asked of."""


@dataclass(frozen=True, eq=False)
class Issued:
    """A forecast that was given out.

    Attributes:
        id: under which it is found again.
        forecast: what was said; its `model` is the name of who said it.
        issued_at: when (UTC, whole seconds).
        model_version: of the registered model.
        data_digest: of the table that was read.
        rung: which step of the fallbacks answered.
        reason: why that one.
        delivery_day: the civil day that was asked for, such as 2024-07-01.
        gate: when it was due, such as D-1T10:00.

    Raises:
        DataError: the id is empty, the moment has no zone, or the day is none.
    """

    id: str
    forecast: Forecast
    issued_at: pd.Timestamp
    model_version: str | None = None
    data_digest: str | None = None
    rung: str = CHAMPION
    reason: str | None = None
    delivery_day: str | None = None
    gate: str | None = None

    def __post_init__(self) -> None:
        if not self.id or not self.rung:
            raise DataError("a forecast to record without an id or a rung", "both")
        if self.issued_at.tzinfo is None:
            raise DataError(f"the moment of issue {self.issued_at} carries no zone", "an aware stamp")
        object.__setattr__(self, "issued_at", self.issued_at.tz_convert("UTC").floor("s"))
        if self.delivery_day is not None:
            try:
                date.fromisoformat(self.delivery_day)
            except ValueError:
                raise DataError(
                    f"the delivery day '{self.delivery_day}' is no date", "a day such as 2024-07-01"
                ) from None


def aware(moment: pd.Timestamp | str) -> pd.Timestamp:
    """A moment in UTC; raises a StoreError where it carries no zone."""
    stamp = pd.Timestamp(moment)
    if stamp.tzinfo is None:
        raise StoreError(f"the moment {stamp} carries no zone", "an aware stamp such as 2024-07-01T00:00Z")
    return stamp.tz_convert("UTC")
