"""`Once`: a table that is read as a whole, as a source with one mark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pandas as pd

from forecast.addresses import shown
from forecast.errors import DeclarationError
from forecast.sources.contract import Batch, Mark
from forecast.sources.declaration import Declaration
from forecast.sources.delivery import Delivery, news
from forecast.sources.files import CsvFile, ParquetFile
from forecast.sources.fingerprints import declared_digest, file_digest, frame_digest, text_digest
from forecast.sources.opening import Table, open_source
from forecast.sources.remembered import is_store
from forecast.sources.sql import SqlQuery


@dataclass(frozen=True)
class Once:
    """A file, the answer to a query, or the sample: new as long as its content is.

    The mark is a fingerprint of the content and of the options. While both stay, a second reading is no news; where
    one changes, everything is read again, and what differs from the store is a revision.

    Attributes:
        table: what is read.
        since: rows before it are left out.
    """

    table: Table
    since: pd.Timestamp | None = None

    @classmethod
    def of(
        cls, data: str | Path, declaration: Declaration | None = None, query: str | None = None,
        since: pd.Timestamp | None = None,
    ) -> Self:  # fmt: skip
        """The table that `data` names, as in `open_source`.

        Raises:
            DataError, DeclarationError: as `open_source`; a store is none.
        """
        if is_store(str(data)):
            raise DeclarationError(f"{data} is read into a store", "something else than a store", "name its source")
        return cls(open_source(data, declaration, query), since)

    @property
    def name(self) -> str:
        """The absolute path; a URL without secrets and a fingerprint of its query; or the word sample."""
        table = self.table
        if isinstance(table, (CsvFile, ParquetFile)):
            return str(table.path.absolute())
        return f"{shown(table.url)}#{text_digest(table.query)}" if isinstance(table, SqlQuery) else "sample"

    def batches(self, mark: Mark | None) -> Iterator[Batch]:
        """The whole table, unless it is the one of the mark.

        Raises:
            DataError: the table is wrong; then nothing of it is given.
        """
        told = {"declared": declared_digest(self.table.declaration, self.since)}
        if isinstance(self.table, (CsvFile, ParquetFile)):
            told["content"] = file_digest(self.table.path)
            if told == mark:
                yield news(told, self._unchanged)
                return
        delivery = Delivery.of(self.table.raw(), self.table.declaration, self.since)
        told = {"content": frame_digest(delivery.frame), **told}
        if told == mark:
            yield news(told, self._unchanged)
        else:
            yield from delivery.batches(mark or {}, told)

    @property
    def _unchanged(self) -> str:
        return f"{self.name} is what it was when it was last read"
