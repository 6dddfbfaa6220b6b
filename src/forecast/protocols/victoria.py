"""Victoria 2012-2014 as hourly means: half a year day ahead, and the December that skforecast publishes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd

from forecast.errors import DataError
from forecast.protocols.files import read_table
from forecast.protocols.protocol import Protocol
from forecast.tables import Columns, Demand

MELBOURNE = "Australia/Melbourne"
FILE = "the half-hourly Victoria table"


def victoria(path: Path, *, temperature: str) -> Demand:
    """Victoria 2012-2014 as hourly means in MW; `temperature` "known" or "past".

    An hour is the mean of the half-hours that start at its minute 0 and 30, and its `ds` is its true start. The hour
    that `resample("1h", closed="left", label="right")` stamps 00:00 is the one with `ds` 23:00 of the day before.

    Raises:
        DataError: the file is not the half-hourly table with timestamp, demand, temperature and holiday.
    """
    frame = read_table(path, ("timestamp", "demand", "temperature", "holiday"), FILE)
    if not isinstance(frame["timestamp"].dtype, pd.DatetimeTZDtype):
        raise DataError(f"{path} has stamps without a zone", f"{FILE}, stamps in UTC", "give its path with --data")
    hourly = (
        frame.set_index("timestamp").resample("1h").agg({"demand": "mean", "temperature": "mean", "holiday": "max"})
    )
    hourly = hourly.reset_index().rename(columns={"timestamp": "ds", "demand": "y"})
    hourly = hourly.assign(unique_id="VIC", holiday=hourly["holiday"].astype(float))
    columns = (
        Columns(known=("temperature", "holiday")) if temperature == "known"
        else Columns(past=("temperature",), known=("holiday",))
    )  # fmt: skip
    return Demand.from_frame(hourly, columns=columns, zone=MELBOURNE, country="AU-VIC", source=path.name)


HALF_YEAR = {"day": {"mae": 323.7}, "week": {"mae": 252.1}}
VIC_A = Protocol(
    name="vic-a",
    about="Victoria, hourly, day ahead from local midnight, temperature known over the horizon",
    read=partial(victoria, temperature="known"),
    days=("2014-07-01", "2014-12-31"),
    clock=MELBOURNE,
    horizon=24,
    scored=4416,
    checks=HALF_YEAR,
    assumptions=("the temperature of the horizon is the measured one",),
)
VIC_B = Protocol(
    name="vic-b",
    about="Victoria, hourly, day ahead from local midnight, no temperature after the cutoff",
    read=partial(victoria, temperature="past"),
    days=("2014-07-01", "2014-12-31"),
    clock=MELBOURNE,
    horizon=24,
    scored=4416,
    checks=HALF_YEAR,
)
VIC_DEC = Protocol(
    name="vic-dec",
    about="Victoria, hourly, 30 days from 2014-11-30 23:00 UTC, temperature and holiday known: skforecast's table",
    read=partial(victoria, temperature="known"),
    days=("2014-12-01", "2014-12-30"),
    # The published days begin at the stamp 00:00 UTC, the END of the hour from 23:00: midnights of the clock UTC+1.
    clock="+01:00",
    horizon=24,
    scored=720,
    checks={"day": {"mae": 308.4}},
    assumptions=("the temperature of the horizon is the measured one",),
)
