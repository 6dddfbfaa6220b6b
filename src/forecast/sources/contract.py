"""The contract of every source that feeds the store: what is new since the mark, in batches with their next marks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from forecast.tables.batch import Batch, Mark

__all__ = ["Batch", "Mark", "Source"]


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
