"""`Batch`: some rows that somebody brings to the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from forecast.tables.series import Columns
from forecast.tables.series_info import SeriesInfo

Mark = Mapping[str, Any]
"""How far a source has been read: plain JSON, written and understood by that source alone."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows of a source, and where to go on once they are stored.

    The store writes rows and mark in one transaction: a process that dies loses neither and doubles neither. Rows
    that are stored already are no news; a number that differs from the stored one is a revision.

    Attributes:
        frame: `unique_id`; `ds` (aware, START of the period); `available_at` (aware, NaT where the source does not
            say; the column may be left out); then one float column per value: `y` in the unit of its series,
            covariates. NaN says nothing about that value. Any order.
        columns: roles of the covariates in `frame`; `static` ones belong into `series`.
        series: what the source says of the series that it brings; what is None there is left as it is stored.
        mark: the mark to hand over at the next call, once this batch is stored.
        notes: what the user should know, one sentence each.
    """

    frame: pd.DataFrame
    columns: Columns = field(default_factory=Columns)
    series: tuple[SeriesInfo, ...] = ()
    mark: Mark = field(default_factory=dict)
    notes: tuple[str, ...] = ()
