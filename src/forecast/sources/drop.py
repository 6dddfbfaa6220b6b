"""`DropFolder`: a folder into which others put CSV and Parquet files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from forecast.errors import DataError, ForecastError, PartlyRead
from forecast.sources.arrivals import Arrival, Arrivals
from forecast.sources.contract import Batch, Mark
from forecast.sources.declaration import Declaration
from forecast.sources.delivery import Delivery, check_pieces, news
from forecast.sources.dropmark import DropMark
from forecast.sources.files import CsvFile, ParquetFile, content
from forecast.sources.fingerprints import declared_digest, file_digest
from forecast.sources.raw import Roles, roles_of

SETTLE = pd.Timedelta("10s")


@dataclass(frozen=True)
class DropFolder:
    """Every complete file of a folder, once, in the order of modification, then of names.

    A file is known by its content: delivered again under another name it is no news, changed under its name it is
    read again. A broken file is set aside and nothing of it is given; the others are read, and then the run ends
    with an error that names all broken ones. They are tried again at the next run.

    Attributes:
        folder: where files are dropped; folders in it are not looked into.
        declaration: how every file is read.
        renamed: names of columns in later files, and what they are called in the declaration.
        settle: for how long a file must have kept still to be complete.
        since: rows before it are left out.
        line_end: whether the last line of a CSV must end, as a sign that it is whole.
    """

    folder: Path
    declaration: Declaration
    renamed: Mapping[str, str] = field(default_factory=dict)
    settle: pd.Timedelta = SETTLE
    since: pd.Timestamp | None = None
    line_end: bool = True

    def __post_init__(self) -> None:
        check_pieces(self.declaration)

    @property
    def name(self) -> str:
        """The folder's absolute path."""
        return str(self.folder.absolute())

    def batches(self, mark: Mark | None) -> Iterator[Batch]:
        """The rows of every file that is new since `mark`.

        A `DataError` that is thrown into the iterator sets the file in hand aside, too.

        Raises:
            DataError: there is no such folder.
            PartlyRead: at the end, if files are broken.
        """
        memory = DropMark.of(mark, declared_digest(self.declaration, self.since))
        arrivals = Arrivals.of(self.folder, self.settle)
        memory.forget_all_but(arrivals.present)
        run, stored = _Run([*_anew(mark, memory), *arrivals.notes]), mark
        for arrival in arrivals.ready:
            before = memory.written()
            delivery = self._delivery(arrival, memory, run)
            if delivery is None:
                continue
            try:
                yield from delivery.telling(run.told).batches(before, memory.written())
                stored = memory.written()
            except DataError as error:  # thrown in by who stores: the rows do not fit what is there
                memory = DropMark.of(before, memory.declared)
                run.set_aside(arrival, error)
        if run.notes or not _same(memory.written(), stored):
            yield news(memory.written(), *run.notes)
        if run.broken:
            raise _set_aside(self.folder, run.broken)

    def _delivery(self, arrival: Arrival, memory: DropMark, run: _Run) -> Delivery | None:
        """What a file brings, and remembers it; None where it brings nothing, is broken, or changes meanwhile."""
        if memory.has(arrival):
            return None
        try:
            digest = file_digest(arrival.path)
            twin = memory.twin(arrival, digest)
            delivery, roles = (None, None) if twin else self._read(arrival.path, memory.roles)
        except ForecastError as error:
            run.set_aside(arrival, error)
            return None
        if run.left(arrival):
            return None
        if twin is not None and twin != arrival.name:
            run.notes.append(f"{arrival.name} holds what {twin} held: no news")
        memory.remember(arrival, digest, roles)
        return delivery

    def _read(self, path: Path, earlier: Roles | None) -> tuple[Delivery, Roles]:
        is_csv = path.name.lower().endswith(CsvFile.endings)
        file = (CsvFile if is_csv else ParquetFile)(path, self.declaration, self.renamed)
        self._check_columns(path.name, file.headers(), earlier)
        if is_csv and self.line_end and not content(path).endswith((b"\n", b"\r")):
            raise DataError(
                "the last line does not end", "a line end, without which the file may be cut off",
                "deliver it again, or declare --no-line-end if files are always written so",
            )  # fmt: skip
        raw = file.raw()
        return Delivery.of(raw, self.declaration, self.since, piece=True), raw.roles

    def _check_columns(self, name: str, headers: tuple[str, ...], earlier: Roles | None) -> None:
        """Whether the file speaks in the columns of those before it; a column that says when rows became known may
        come in later."""
        try:
            roles = roles_of(headers, self.declaration)
        except DataError as error:
            if earlier is None:
                raise
            raise _renamed(f"{error.found}", headers, earlier) from None
        if earlier is not None and roles not in (earlier, earlier._replace(available_at=roles.available_at)):
            raise _renamed("the columns are others than those of the files before", headers, earlier)
        if earlier is not None and roles.available_at is None and earlier.available_at is not None:
            raise _renamed(f"no column '{earlier.available_at}'", headers, earlier)


def _renamed(found: str, headers: tuple[str, ...], earlier: Roles) -> DataError:
    strange = [header for header in headers if header not in earlier.used]
    lost = [name for name in earlier.used if name not in headers]
    example = f"{strange[0]}={lost[0]}" if strange and lost else "NEW=OLD"
    return DataError(
        f"{found}; the file has {', '.join(headers) or 'no columns'}",
        f"the columns of earlier files ({', '.join(earlier.used)})",
        f"if a column was renamed, declare it with --renamed \"{example}\"",
    )  # fmt: skip


@dataclass
class _Run:
    """What is found out while a folder is read: notes, notes that were given, broken files."""

    notes: list[str]
    told: set[str] = field(default_factory=set)
    broken: dict[str, ForecastError] = field(default_factory=dict)

    def left(self, arrival: Arrival) -> bool:
        """Whether a file is no longer what it was when it was found."""
        changed = Arrival.at(arrival.path) != arrival
        if changed:
            self.notes.append(f"left for the next run: {arrival.name} (changed while it was read)")
        return changed

    def set_aside(self, arrival: Arrival, error: ForecastError) -> None:
        """Notes a broken file, unless somebody is still at it."""
        if not self.left(arrival):
            self.broken[arrival.name] = error


def _same(one: Mark, other: Mark | None) -> bool:
    """Whether two marks say the same, also where one of them was stored as JSON."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _anew(mark: Mark | None, memory: DropMark) -> list[str]:
    changed = mark is not None and mark["declared"] != memory.declared
    return ["the options are not those of the last run: every file is read again"] if changed else []


def _set_aside(folder: Path, broken: dict[str, ForecastError]) -> PartlyRead:
    named = "; ".join(f"{name}: {str(error).removesuffix('.')}" for name, error in broken.items())
    count = f"{len(broken)} files of {folder} were" if len(broken) > 1 else f"1 file of {folder} was"
    return PartlyRead(
        f"{count} set aside, nothing of it is stored: {named}",
        do="mend or remove what is named and run again; all other files are stored",
    )
