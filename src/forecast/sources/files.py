"""CSV and Parquet files."""

from __future__ import annotations

import csv
import gzip
import io
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple

import pandas as pd
import pyarrow
import pyarrow.parquet

from forecast.errors import DataError
from forecast.sources.declaration import Declaration
from forecast.sources.raw import Raw, roles_of
from forecast.sources.tidy import demand_of
from forecast.tables import Demand

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


@dataclass(frozen=True)
class CsvFile:
    """A CSV file, plain or gzipped, in UTF-8; the separator is read from its header.

    Attributes:
        path: where it is.
        declaration: how to read it.
        renamed: names of its header, and what they are called in the declaration.
    """

    endings: ClassVar[tuple[str, ...]] = (".csv", ".csv.gz")
    path: Path
    declaration: Declaration
    renamed: Mapping[str, str] = field(default_factory=dict)

    def headers(self) -> tuple[str, ...]:
        """The names of its columns; raises `DataError`."""
        return _header(content(self.path), self.path, self.renamed).names

    def raw(self) -> Raw:
        """The table with the line of every row.

        Raises:
            DataError: the file is missing, empty, not UTF-8, not a table, or lacks a column.
        """
        text = content(self.path)
        header = _header(text, self.path, self.renamed)
        roles = roles_of(header.names, self.declaration)
        frame = _csv_frame(text, header, roles.texts, self.declaration.decimal, self.path)
        frame = frame[list(roles.used)].dropna(how="all")
        if frame.empty:
            raise DataError(f"{self.path} holds a header and no rows", "rows of demand", "check the export")
        separator = SEPARATORS[header.separator]
        notes = () if separator == "comma" else (f"columns are separated by {separator}s",)
        return Raw(frame, roles, tuple(filter(None, header.names)), str(self.path), "line", notes)

    def read(self) -> Demand:
        """The checked table; raises `DataError`."""
        return demand_of(self.raw(), self.declaration)


class _Header(NamedTuple):
    names: tuple[str, ...]
    separator: str
    line: int


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Turns what a system answers about a file into sentences."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"no file {path}", "a file that exists", "check the path") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder", "one file", "name a file in it") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be unpacked ({error})", "a whole gzip file", "copy it again") from None
    except OSError as error:
        if error.errno is None:
            raise  # pyarrow's word for content that it cannot decode
        raise DataError(f"{path} cannot be read ({error.strerror})", "a readable file") from None


def content(path: Path) -> bytes:
    """A file's text as UTF-8 bytes without a byte order mark, unpacked.

    Raises:
        DataError: the file is missing, empty, damaged, or not UTF-8.
    """
    with opening(path):
        text = path.read_bytes()
        if path.name.lower().endswith(".gz"):
            text = gzip.decompress(text)
    text = text.removeprefix(b"\xef\xbb\xbf")
    if not text.strip():
        raise DataError(f"{path} is empty", "a header and rows", "check the export")
    if b"\0" in text and not text.startswith((b"\xff\xfe", b"\xfe\xff")):
        line = text.count(b"\n", 0, text.index(b"\0")) + 1
        raise DataError(f"{path} is damaged (line {line} holds zero bytes)", "text", "copy or export it again")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path} is not UTF-8 text (line {line} holds the byte 0x{text[error.start]:02x})", "a CSV in UTF-8",
            "save it as UTF-8 (iconv -f latin1 -t utf-8 turns what most spreadsheets write)",
        ) from None  # fmt: skip
    return text


def _header(content: bytes, path: Path, renamed: Mapping[str, str]) -> _Header:
    """The first line that is not empty: its names, the separator between them, its number counted from 1."""
    for line, text in enumerate(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"), start=1):
        if text.strip():
            separator = _separator(text)
            fields = next(csv.reader([text.rstrip("\r\n")], delimiter=separator, skipinitialspace=True))
            names = (name.strip() for name in fields)
            return _Header(tuple(renamed.get(name, name) for name in names), separator, line)
    raise DataError(f"{path} is empty", "a header and rows", "check the export")


def _separator(text: str) -> str:
    """The separator that splits a header into most fields; csv.Sniffer guesses wrongly on short ones."""
    counts = {mark: len(next(csv.reader([text], delimiter=mark))) for mark in SEPARATORS}
    return max(SEPARATORS, key=lambda mark: counts[mark])


def _csv_frame(content: bytes, header: _Header, texts: tuple[str, ...], decimal: str, path: Path) -> pd.DataFrame:
    """Every column under its name; the index is the line, so blank lines are kept until rows are counted."""
    unique = [name if name not in header.names[:at] else f"{name}#{at}" for at, name in enumerate(header.names)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # pandas would drop what stands too much
            frame = pd.read_csv(
                io.BytesIO(content), sep=header.separator, names=[*unique, "#rest"], header=None, index_col=False,
                skiprows=header.line, skip_blank_lines=False, skipinitialspace=True, decimal=decimal,
                dtype=dict.fromkeys((*texts, "#rest"), str), low_memory=False, encoding="utf-8",
            )  # fmt: skip
    except pd.errors.EmptyDataError:
        raise DataError(f"{path} holds a header and no rows", "rows of demand", "check the export") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, ValueError) as error:
        raise DataError(
            f"{path} is not a table ({str(error).strip().removeprefix('Error tokenizing data. C error: ')})",
            f"{len(unique)} fields in every line, as in the header",
            "close the quotation mark" if "inside string" in str(error) else _hint_fields(header),
        ) from None  # fmt: skip
    frame.index += header.line + 1
    longer = frame["#rest"].notna()
    if longer.any():
        raise DataError(
            f"{int(longer.sum())} lines have more fields than the {len(unique)} of the header",
            "as many fields in every line", _hint_fields(header),
            stamps=[f"line {line}" for line in frame.index[longer]],
        )  # fmt: skip
    return frame.drop(columns="#rest")


def _hint_fields(header: _Header) -> str:
    if header.separator == ",":
        return "comma decimals need another separator than the comma: export with semicolons and declare --decimal ,"
    return "correct these lines"


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file.

    Attributes:
        path: where it is.
        declaration: how to read it.
        renamed: names of its columns, and what they are called in the declaration.
    """

    endings: ClassVar[tuple[str, ...]] = (".parquet",)
    path: Path
    declaration: Declaration
    renamed: Mapping[str, str] = field(default_factory=dict)

    def headers(self) -> tuple[str, ...]:
        """The names of its columns; raises `DataError`."""
        with self._file() as file:
            return self._names(file)

    def raw(self) -> Raw:
        """The table with the number of every row, counted from 1; only used columns are read.

        Raises:
            DataError: the file is missing, broken, empty, or lacks a column.
        """
        with self._file() as file:
            headers = self._names(file)
            roles = roles_of(headers, self.declaration)
            written = dict(zip(headers, file.schema_arrow.names, strict=True))
            table = file.read(columns=[written[name] for name in roles.used])
            frame = table.to_pandas(ignore_metadata=True, date_as_object=False)
        frame = frame.rename(columns={written[name]: name for name in roles.used})[list(roles.used)]
        if frame.empty:
            raise DataError(f"{self.path} holds no rows", "rows of demand", "check the export")
        frame.index += 1
        return Raw(frame, roles, headers, str(self.path), "row")

    def read(self) -> Demand:
        """The checked table; raises `DataError`."""
        return demand_of(self.raw(), self.declaration)

    @contextmanager
    def _file(self) -> Iterator[pyarrow.parquet.ParquetFile]:
        try:
            with opening(self.path), self.path.open("rb") as stream:
                yield pyarrow.parquet.ParquetFile(stream)
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            told = str(error).splitlines()[0]
            raise DataError(
                f"{self.path} is not a readable Parquet file ({told})", "a whole Parquet file", "write or copy it again"
            ) from None

    def _names(self, file: pyarrow.parquet.ParquetFile) -> tuple[str, ...]:
        return tuple(self.renamed.get(name, name) for name in file.schema_arrow.names)
