"""Tetouan 2017: three zones of a city, every ten minutes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from forecast.errors import DataError
from forecast.protocols.files import read_table
from forecast.protocols.protocol import Protocol
from forecast.tables import Columns, Demand

# The table shows no trace of Morocco's clock changes.
CLOCK = "+01:00"
ZONES = ("zone1", "zone2", "zone3")
WEATHER = ("temperature", "humidity", "wind_speed", "diffuse_general", "diffuse")
FILE = "the ten-minute Tetouan table"


def tetouan(path: Path) -> Demand:
    """Three zones in kW, ten-minute steps, weather known up to the cutoff.

    Raises:
        DataError: the file is not the Tetouan table.
    """
    frame = read_table(path, ("timestamp", "series_id", "demand", *WEATHER), FILE)
    if not pd.api.types.is_datetime64_dtype(frame["timestamp"]) or set(frame["series_id"]) != set(ZONES):
        raise DataError(
            f"{path} holds other series or stamps",
            f"{', '.join(ZONES)} on the local clock",
            "give its path with --data",
        )
    ds = frame["timestamp"].dt.tz_localize(CLOCK).dt.tz_convert("UTC")
    frame = frame.assign(ds=ds).rename(columns={"series_id": "unique_id", "demand": "y"})
    return Demand.from_frame(
        frame, columns=Columns(past=WEATHER), zone=CLOCK, unit="kW", country="MA", source=path.name
    )


def by_zone(by_series: pd.DataFrame, _: pd.DataFrame) -> pd.DataFrame:
    """`mae_zone1` to `mae_zone3` of each model, in kW."""
    return by_series.pivot(index="model", columns="unique_id", values="mae").add_prefix("mae_")


TET = Protocol(
    name="tet",
    about="Tetouan, three zones, 144 ten-minute steps from local midnight, weather before the cutoff only",
    read=tetouan,
    days=("2017-11-01", "2017-12-29"),
    clock=CLOCK,
    horizon=144,
    scored=59 * 144 * 3,
    checks={
        "day": {"mae_zone1": 975.2, "mae_zone2": 1141.4, "mae_zone3": 701.6},
        "week": {"mae_zone1": 892.1, "mae_zone2": 992.0, "mae_zone3": 1298.9},
    },
    figures=by_zone,
    headline=tuple(f"mae_{zone}" for zone in ZONES),
)
