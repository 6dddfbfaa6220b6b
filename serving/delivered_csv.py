"""Observations as CSV: a long table of text, with what the address says of its series."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.calendars import checked_days, is_day_clock
from forecast.errors import DataError, RequestError
from forecast.store.catalogue import Entry
from forecast.tables import SeriesInfo
from serving.bodies import LARGEST, LONGEST_NAME, Clocked, plain_name
from serving.delivered import KEYS, Delivered, Doubles, stated
from serving.introduced import Introduced
from serving.stamps import read_stamps


def read_csv(
    raw: bytes, known: Iterable[str], entries: Mapping[str, Entry], said: Mapping[str, str | None]
) -> Delivered:  # fmt: skip
    """A long table as text: `unique_id`, `ds`, numbers, and `available_at` where it is told.

    Args:
        raw: the body.
        known: columns that are known ahead.
        entries: the series that the store knows.
        said: zone, unit and step of all its series; None where nothing is said.

    Raises:
        DataError, DeclarationError, RequestError: columns are missing, or cells cannot be read; rows are named.
    """
    try:
        lines = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise RequestError(f"the body is no CSV in UTF-8 ({error})", "text/csv with a header") from None
    header, rows = (lines[0] if lines else []), [line for line in lines[1:] if line]
    missing = [name for name in KEYS[:2] if name not in header]
    if missing or len(set(header)) < len(header):
        raise RequestError(
            f"the header is {', '.join(header)[:200] or 'empty'}", "unique_id, ds and columns of numbers, each once",
            "correct the first line",
        )  # fmt: skip
    ragged = [number for number, row in enumerate(rows, start=2) if len(row) != len(header)]
    if ragged:
        raise DataError(
            f"{len(ragged)} lines have another number of cells than the header", f"{len(header)} cells",
            stamps=[f"line {number}" for number in ragged[:6]],
        )  # fmt: skip
    columns = dict(zip(header, map(list, zip(*rows, strict=True)), strict=True)) if rows else {}
    if not rows:
        return Delivered([], frozenset(known))
    _check_names(columns["unique_id"])
    names = np.array(columns["unique_id"], dtype=object)
    zones = {name: one.info.zone for name, one in entries.items() if one.info.zone is not None}
    infos: list[SeriesInfo] = []
    if any(said.values()):
        for name in dict.fromkeys(map(str, names)):
            texts = [text for one, text in zip(names, columns["ds"], strict=True) if one == name]
            told = Introduced({"unique_id": name, "delay": None, "static": {}, **said}, Clocked(ds=texts), None)
            zones[name], info = told.info(entries.get(name), None)
            infos.append(info)
    data: dict[str, object] = {"unique_id": names, "ds": _stamps(names, columns["ds"], zones)}
    if "available_at" in columns:
        data["available_at"] = _available(names, columns["available_at"], zones)
    data |= {name: _numbers(name, cells) for name, cells in columns.items() if name not in KEYS}
    frame = pd.DataFrame(data)
    return Delivered([frame], frozenset(known), tuple(infos), tuple(dict.fromkeys(map(str, names))), zones)


def _check_names(names: Sequence[str]) -> None:
    odd = [row for row, name in enumerate(names) if not _is_name(name)]
    if odd:
        raise DataError(
            f"{len(odd)} names of series are empty, too long or hold control characters",
            f"1 to {LONGEST_NAME} characters, none of them U+0000 to U+001F or U+007F", column="unique_id",
            stamps=[f"line {row + 2}: {names[row]!r:.40}" for row in odd[:6]],
        )  # fmt: skip


def _is_name(text: str) -> bool:
    try:
        return 1 <= len(plain_name(text)) <= LONGEST_NAME
    except ValueError:
        return False


def _stamps(names: npt.NDArray[np.object_], texts: Sequence[str], zones: Mapping[str, str]) -> pd.DatetimeIndex:
    ds = read_stamps(texts, series=None, column="ds")
    for name in {str(one) for one in names if is_day_clock(zones.get(str(one)))}:
        mine = names == name
        ds[mine] = checked_days(pd.DatetimeIndex(ds[mine], tz="UTC"), zones[name]).asi8
    return pd.DatetimeIndex(ds, tz="UTC")


def _available(
    names: npt.NDArray[np.object_], texts: Sequence[str], zones: Mapping[str, str]
) -> pd.DatetimeIndex:  # fmt: skip
    """When rows became known, each on the clock of its series."""
    moments = stated(texts, None, "UTC").asi8.copy()
    for name in {str(one) for one in names if is_day_clock(zones.get(str(one)))}:
        mine = np.flatnonzero(names == name)
        moments[mine] = stated([texts[row] for row in mine.tolist()], name, zones[name]).asi8
    return pd.DatetimeIndex(moments.view("datetime64[ns]"), tz="UTC")


def _numbers(name: str, cells: Sequence[str]) -> Doubles:
    read = pd.to_numeric(pd.Series(cells, dtype=object).replace({"": None, "null": None}), errors="coerce")
    values: Doubles = read.to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = [row for row, cell in enumerate(cells) if cell not in ("", "null") and not abs(values[row]) <= LARGEST]
    if wrong:
        raise DataError(
            f"{len(wrong)} cells are no finite numbers of a possible size", "numbers, or nothing", column=name,
            stamps=[f"line {row + 2}: {cells[row]!r:.40}" for row in wrong[:6]],
        )  # fmt: skip
    return values
