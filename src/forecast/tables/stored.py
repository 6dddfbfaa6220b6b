"""A `Demand` as one Parquet file, so that steps hand each other a path and a digest instead of a table."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from forecast.errors import DataError
from forecast.tables.demand import Demand
from forecast.tables.series import Columns
from forecast.tables.units import power_unit
from forecast.tables.versions import Versions

_KEY = b"forecast.demand"
_AT, _VALUES = "versions known at: ", "versions of: "


def save_demand(demand: Demand, path: Path) -> None:
    """Writes the table with what it declares; a file that broke off half-way is never left under this name."""
    frame = demand.to_frame()
    if any(one.available_at_T is not None for one in demand.series):
        stamps = [pd.to_datetime(one.available_at_T, utc=True) for one in demand.series]
        frame["available_at"] = stamps[0].append(stamps[1:])
    if demand.doubted_R is not None:
        raise DataError("a table with repaired values", "one whose values are as they were measured", "store that one")
    told = {
        "past": demand.columns.past, "known": demand.columns.known, "static": demand.columns.static,
        "zones": demand.zones, "unit": demand.unit, "step": str(demand.step),
        "delay": str(demand.delay), "source": demand.source, "country": demand.country,
        "versions": list(demand.versions),
        "countries": {one.unique_id: one.country for one in demand.series if one.country is not None},
    }  # fmt: skip
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for name in demand.versions:
        one = _in_order(demand, name)
        table = table.append_column(_AT + name, pa.LargeListArray.from_arrays(one.first_R1, one.available_V))
        table = table.append_column(_VALUES + name, pa.LargeListArray.from_arrays(one.first_R1, one.values_V))
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _KEY: json.dumps(told).encode()})
    fresh = path.with_suffix(".new")
    pq.write_table(table, fresh)
    os.replace(fresh, path)


def load_demand(path: Path) -> Demand:
    """The table again, with the same digest.

    Raises:
        DataError: the file is missing or was not written by `save_demand`.
    """
    try:
        table = pq.read_table(path)
        told = json.loads(table.schema.metadata[_KEY])
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        found = f"{path} is no stored table ({error})"
        raise DataError(found, "a file that save_demand wrote", "read it again") from error
    kept = told.get("versions", [])
    versions = {name: _read(table, name) for name in kept}
    demand = Demand.from_frame(
        table.drop_columns([word + name for name in kept for word in (_AT, _VALUES)]).to_pandas(),
        columns=Columns(*(tuple(told[role]) for role in ("past", "known", "static"))),
        zone=told["zones"], unit=power_unit(told["unit"]), freq=told["step"], delay=told["delay"],
        source=told["source"], country=told["country"],
    )  # fmt: skip
    return demand.in_unit(told["unit"]).with_versions(versions).with_countries(told.get("countries", {}))


def _in_order(demand: Demand, name: str) -> Versions:
    """The versions of a column in the order of the frame's rows."""
    parts = [demand.versions[name].rows(one.first_row, len(one)) for one in demand.series]
    counts_R = np.concatenate([np.diff(part.first_R1) for part in parts])
    return Versions(
        np.concatenate([[0], np.cumsum(counts_R)]).astype(np.int64),
        np.concatenate([part.available_V for part in parts]),
        np.concatenate([part.values_V for part in parts]),
    )


def _read(table: pa.Table, name: str) -> Versions:
    at, values = (table.column(word + name).combine_chunks() for word in (_AT, _VALUES))
    first_R1 = at.offsets.to_numpy()
    return Versions(first_R1 - first_R1[0], at.flatten().to_numpy(), values.flatten().to_numpy())
