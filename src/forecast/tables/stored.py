"""A `Demand` as one Parquet file, so that steps hand each other a path and a digest instead of a table."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from forecast.errors import DataError
from forecast.tables.demand import Columns, Demand
from forecast.tables.units import power_unit

_KEY = b"forecast.demand"


def save_demand(demand: Demand, path: Path) -> None:
    """Writes the table with what it declares; a file that broke off half-way is never left under this name."""
    frame = demand.to_frame()
    if any(one.available_at_T is not None for one in demand.series):
        stamps = [pd.to_datetime(one.available_at_T, utc=True) for one in demand.series]
        frame["available_at"] = stamps[0].append(stamps[1:])
    told = {
        "past": demand.columns.past, "known": demand.columns.known, "static": demand.columns.static,
        "zones": demand.zones, "unit": demand.unit, "step": str(demand.step),
        "delay": str(demand.delay), "source": demand.source, "country": demand.country,
    }  # fmt: skip
    table = pa.Table.from_pandas(frame, preserve_index=False)
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
    demand = Demand.from_frame(
        table.to_pandas(), columns=Columns(*(tuple(told[role]) for role in ("past", "known", "static"))),
        zone=told["zones"], unit=power_unit(told["unit"]), freq=told["step"], delay=told["delay"],
        source=told["source"], country=told["country"],
    )  # fmt: skip
    return demand.in_unit(told["unit"])
