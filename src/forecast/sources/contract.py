"""The contract of every source that feeds the store: what is new since the mark, in batches with their next marks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd

from forecast.tables import Columns, SeriesInfo

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


class Source(Protocol):
    """Anywhere that demand or its covariates come from.

    Attributes:
        name: under which the store keeps the mark: the same for the same origin, without secrets.
    """

    @property
    def name(self) -> str:
        """Under which the store keeps the mark."""

    def batches(self, mark: Mark | None) -> Iterator[Batch]:
        """What is new since `mark`, oldest first, in batches small enough to hold; None: from the beginning.

        Raises:
            DataError: the source answers something that it should not; batches given before stay good.
            SourceError: the source does not answer, or refuses (key, quota).
        """
