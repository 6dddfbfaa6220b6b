"""`ParquetFolder`: a table in many Parquet files, in folders that say what their rows share, such as group=north."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.dataset as files

from forecast.errors import DataError
from forecast.sources.declaration import Declaration
from forecast.sources.files import opening
from forecast.sources.raw import Raw, Roles, roles_of
from forecast.sources.tidy import demand_of
from forecast.tables import Demand

ROWS = 65_536
"""So many rows are unpacked at once, of one row group of one file at a time."""


@dataclass(frozen=True)
class ParquetFolder:
    """A folder of Parquet files, which may be larger than memory as long as what is asked for fits.

    Of every file only the columns that have a role are read, and of the series that are asked for (`--only`) only the
    row groups that can hold them: files written series by series, or partitioned by group, are mostly skipped. A
    folder named like month=2024-05 is a column `month` of the rows in it. Hidden files and those that begin with _ are
    left out.

    Attributes:
        path: where it is.
        declaration: how to read it.
    """

    path: Path
    declaration: Declaration

    @classmethod
    def is_one(cls, path: Path) -> bool:
        """Whether a path is a folder with a Parquet file in it."""
        return path.is_dir() and next(path.rglob("*.parquet"), None) is not None

    def headers(self) -> tuple[str, ...]:
        """The names of its columns, those of its folders last; raises `DataError`."""
        with self._dataset() as dataset:
            return tuple(dataset.schema.names)

    def raw(self) -> Raw:
        """The rows that are asked for, counted from 1 among them.

        Raises:
            DataError: a file is broken, the files have different columns, one is not there, or no row is left.
        """
        with self._dataset() as dataset:
            headers = tuple(dataset.schema.names)
            roles = roles_of(headers, self.declaration)
            table = _scanner(dataset, roles, self.declaration.only).to_table()
            frame = table.to_pandas(ignore_metadata=True, date_as_object=False, self_destruct=True)
        frame = frame[list(roles.used)]
        if frame.empty:
            of = f" of {', '.join(self.declaration.only)}" if self.declaration.only else ""
            raise DataError(f"{self.path} holds no rows{of}", "rows of demand", "check the export, or --only")
        frame.index += 1
        return Raw(frame, roles, headers, str(self.path), "row")

    def read(self) -> Demand:
        """The checked table; raises `DataError`."""
        return demand_of(self.raw(), self.declaration)

    @contextmanager
    def _dataset(self) -> Iterator[Any]:
        try:
            with opening(self.path):
                yield files.dataset(self.path, format="parquet", partitioning="hive", exclude_invalid_files=False)
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            told = str(error).splitlines()[0]
            raise DataError(
                f"{self.path} is no readable folder of Parquet files ({told})", "whole files with the same columns",
                "write or copy what is broken again",
            ) from None  # fmt: skip


def _scanner(dataset: Any, roles: Roles, only: tuple[str, ...]) -> Any:
    """Reads the columns of some roles, and of some series the rows."""
    wanted = None
    if only and roles.series is not None:
        field = dataset.schema.field(roles.series)
        wanted = files.field(roles.series).isin(pyarrow.array(only).cast(_plain(field.type)))
    how = files.ParquetFragmentScanOptions(pre_buffer=False)
    return dataset.scanner(
        columns=list(dict.fromkeys(roles.used)), filter=wanted, batch_size=ROWS, batch_readahead=1,
        fragment_readahead=1, use_threads=False, fragment_scan_options=how,
    )  # fmt: skip


def _plain(kind: Any) -> Any:
    """The type of a column's values."""
    return kind.value_type if pyarrow.types.is_dictionary(kind) else kind
