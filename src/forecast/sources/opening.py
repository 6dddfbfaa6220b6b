"""`Table`: demand that is read as a whole, chosen by what the user names."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from forecast.addresses import shown
from forecast.errors import DataError, DeclarationError
from forecast.sources.declaration import Declaration
from forecast.sources.files import CsvFile, ParquetFile
from forecast.sources.parquet_folder import ParquetFolder
from forecast.sources.raw import Raw
from forecast.sources.remembered import Remembered, is_store
from forecast.sources.sample import Sample, sample_declaration
from forecast.sources.sql import SqlQuery
from forecast.tables import Demand


class Table(Protocol):
    """Anything that can be read as demand, as a whole."""

    @property
    def declaration(self) -> Declaration:
        """How it is read."""

    def raw(self) -> Raw:
        """The table as it was found; raises `DataError`."""

    def read(self) -> Demand:
        """The checked table; raises `DataError`."""


def describes_itself(data: str) -> bool:
    """Whether the data tells its clock, unit and columns: the sample and the store do."""
    return data == "sample" or is_store(data)


def open_source(data: str | Path, declaration: Declaration | None = None, query: str | None = None) -> Table:
    """The source that `data` names.

    Args:
        data: a path of a .csv, .csv.gz or .parquet file or of a folder of Parquet files, an SQLAlchemy URL, the word
            "sample", or the word "store" (that of the settings; "store:URL" names another one).
        declaration: how to read it.
        query: SQL, for a URL.

    Raises:
        DeclarationError: a query without a URL, or a URL without a query.
        DataError: the file is of no kind that is known.
    """
    declaration, text = declaration or Declaration(), str(data)
    if is_store(text) and not query:
        return Remembered(text, declaration)
    if "://" in text:
        if not query:
            raise DeclarationError(f"the database {shown(text)} without a query", "a SELECT", "give it with --query")
        return SqlQuery(text, query, declaration)
    if query:
        raise DeclarationError(f"both --query and {text}", "a query with a database URL", "leave --query away")
    if text == "sample":
        return Sample(sample_declaration(declaration))
    if ParquetFolder.is_one(Path(text)):
        return ParquetFolder(Path(text), declaration)
    for kind in (CsvFile, ParquetFile):
        if text.lower().endswith(kind.endings):
            return kind(Path(text), declaration)
    raise DataError(
        f"{text} is of no known kind",
        "a .csv, .csv.gz or .parquet file, a folder of Parquet files, a database URL, or the word store or sample",
        "export it as CSV",
    )  # fmt: skip


def read(data: str | Path, declaration: Declaration | None = None, query: str | None = None) -> Demand:
    """The checked table of a source.

    Raises:
        DataError: the data is wrong; the message names lines, rows or stamps.
        DeclarationError: the options contradict each other.
    """
    return open_source(data, declaration, query).read()
