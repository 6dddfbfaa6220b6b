"""Answers as JSON, CSV, Parquet or an Arrow stream, by the header `Accept`; the three tables say the same, row by row.

H steps, Q levels.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from forecast.tables import quantile_column
from serving.ledger import Recorded
from serving.told import Answered, Told

JSON, CSV = "application/json", "text/csv"
PARQUET, ARROW = "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"
FORMATS = (JSON, CSV, PARQUET, ARROW)
"""The best first: what a caller gets who takes several equally."""
MOST_ACCEPT = 2000

Column = npt.NDArray[Any]
Columns = Mapping[str, Column]
"""The columns of a table, all of one length; stamps are datetime64, UTC."""


TABLES: dict[str, Any] = {CSV: {"schema": {"type": "string"}}} | {
    media: {"schema": {"type": "string", "format": "binary"}} for media in (PARQUET, ARROW)
}
"""How OpenAPI describes the tables."""
RUNGS = ("champion", "previous", "seasonal_naive", "group_profile", "constant")
"""From the highest step of the fallbacks to the lowest."""


@dataclass(frozen=True, eq=False)
class Part:
    """One series from one cutoff, as rows of a table."""

    cutoff: np.datetime64
    levels: tuple[float, ...]
    told: Told


def chosen(request: Request) -> str:
    """The format that a caller prefers.

    Raises:
        HTTPException: 406, none of ours is acceptable.
    """
    accept = ", ".join(request.headers.getlist("accept"))
    if not accept or accept == "*/*":
        return JSON
    ranges = _ranges(accept[:MOST_ACCEPT])
    weights = {media: _weight(media, ranges) for media in FORMATS}
    best = max(FORMATS, key=lambda media: weights[media])
    if weights[best] <= 0:
        raise HTTPException(406, f"Accept is '{accept[:200]}'; expected one of {', '.join(FORMATS)}")
    return best


def _ranges(accept: str) -> dict[str, float]:
    """The media ranges of a header with their weights."""
    found: dict[str, float] = {}
    for part in accept.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights = [one.partition("=")[2].strip() for one in parameters if one.partition("=")[0].strip() == "q"]
        try:
            found[media] = min(max(float(weights[0]), 0.0), 1.0) if weights else 1.0
        except ValueError:
            found[media] = 0.0
    return found


def _weight(media: str, ranges: Mapping[str, float]) -> float:
    """The weight of the narrowest range that a format falls into."""
    kind = f"{media.partition('/')[0]}/*"
    return next((ranges[name] for name in (media, kind, "*/*") if name in ranges), 0.0)


def table_response(columns: Columns, media: str, name: str) -> Response:
    """A table as CSV, Parquet or Arrow.

    Args:
        columns: of the table.
        media: one of `FORMATS` but JSON.
        name: of the file that a browser saves.
    """
    write, ending = {CSV: (_csv, "csv"), PARQUET: (_parquet, "parquet"), ARROW: (_arrow, "arrows")}[media]
    kind = f"{media}; charset=utf-8; header=present" if media == CSV else media
    headers = {"content-disposition": f'inline; filename="{name}.{ending}"', "vary": "Accept"}
    return Response(write(columns), headers=headers, media_type=kind)


def lowest(told: Sequence[Told]) -> str:
    """The lowest step of the fallbacks that any series needed."""
    return max((one.rung for one in told), key=lambda rung: RUNGS.index(rung) if rung in RUNGS else -1)


def parts(answered: Answered) -> list[Part]:
    """An answer, series by series."""
    cutoff = answered.cutoff.tz_convert(None).to_datetime64()
    return [Part(cutoff, answered.levels, one) for one in answered.told]


def told_beside(answered: Answered, kept: Recorded) -> dict[str, str]:
    """What a table has no place for, as headers."""
    told = {"x-recorded": str(kept.recorded).lower(), "x-unit": answered.unit}
    told |= {"x-forecast-id": kept.id} if kept.id is not None else {}
    warnings = [*answered.warnings, *kept.warnings]
    return told | ({"x-warnings": str(len(warnings))} if warnings else {})


def forecast_columns(parts: Sequence[Part]) -> Columns:
    """A long table of forecasts: unique_id, cutoff, ds, mean, quantiles, rung; a level that a part lacks is NaN."""
    sizes = [len(one.told.ds_H) for one in parts]
    levels = sorted({level for one in parts for level in one.levels})
    names = np.array([one.told.unique_id for one in parts], dtype=object)
    rungs = np.array([one.told.rung for one in parts], dtype=object)
    cutoffs = np.array([one.cutoff for one in parts], dtype="datetime64[s]")
    stamps = [one.told.ds_H.astype("datetime64[s]") for one in parts]
    columns: dict[str, Column] = {
        "unique_id": np.repeat(names, sizes), "cutoff": np.repeat(cutoffs, sizes),
        "ds": _together(stamps, "datetime64[s]"), "mean": _together([one.told.mean_H for one in parts], "float64"),
    }  # fmt: skip
    for level in levels:
        columns[quantile_column(level)] = _together([_quantile(one, level) for one in parts], "float64")
    return {**columns, "rung": np.repeat(rungs, sizes)}


def _quantile(part: Part, level: float) -> Column:
    if level not in part.levels:
        return np.full(len(part.told.ds_H), np.nan)
    return part.told.quantiles_HQ[:, part.levels.index(level)]


def _together(parts: Sequence[Column], kind: str) -> Column:
    return np.concatenate(parts) if parts else np.array([], dtype=kind)


def _csv(columns: Columns) -> bytes:
    """Every digit of every number; what is missing is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(_texts(values) for values in columns.values()), strict=True))
    return text.getvalue().encode()


def _texts(values: Column) -> list[Any]:
    if values.dtype.kind == "M":
        stamps = np.datetime_as_string(values, unit="s").tolist()
        return ["" if stamp == "NaT" else f"{stamp}Z" for stamp in stamps]
    if values.dtype.kind == "f":
        # One that is not equal to itself is missing.
        return [number if number == number else "" for number in values.tolist()]
    return list(values.tolist())


def _arrow(columns: Columns) -> bytes:
    import pyarrow as pa

    table, sink = _table(columns), io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue()


def _parquet(columns: Columns) -> bytes:
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(_table(columns), sink, compression="zstd")
    return sink.getvalue()


def _table(columns: Columns) -> Any:
    import pyarrow as pa

    arrays = {}
    for name, values in columns.items():
        if values.dtype.kind == "M":
            naive = pa.array(values.astype("datetime64[ms]"), type=pa.timestamp("ms"))
            arrays[name] = naive.cast(pa.timestamp("ms", "UTC"))
        elif values.dtype.kind == "f":
            arrays[name] = pa.array(values, from_pandas=True)
        else:
            arrays[name] = pa.array(values.tolist(), type=pa.string())
    return pa.table(arrays)
