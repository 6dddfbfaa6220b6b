"""Whether a body says two things of one period."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from forecast.calendars import outside
from forecast.errors import DataError
from serving.problems import SHOWN_STAMPS
from serving.stamps import shown

KEYS = ["unique_id", "ds", "available_at"]


def check_agreeing(frame: pd.DataFrame, zones: Mapping[str, str]) -> None:
    """Refuses two numbers for one series, column, period and moment of knowledge; the same number twice is harmless.

    Args:
        frame: `unique_id`, `ds`, `available_at` where told, and numbers.
        zones: clocks of the series, to tell stamps as they were lived; UTC where left out.

    Raises:
        DataError: series and stamps are named.
    """
    keys = [name for name in KEYS if name in frame.columns]
    again = frame.duplicated(keys, keep=False)
    if not again.any():
        return
    doubled = frame[again]
    for column in (name for name in frame.columns if name not in KEYS):
        told = doubled[doubled[column].notna()]
        if len(told) < 2:
            continue
        numbers = told.groupby(keys, dropna=False, sort=False)[column].transform("nunique")
        if (numbers > 1).any():
            _refuse(told[numbers > 1], str(column), zones)


def _refuse(odd: pd.DataFrame, column: str, zones: Mapping[str, str]) -> None:
    name = str(odd["unique_id"].iloc[0])
    inside = pd.DatetimeIndex(odd.loc[odd["unique_id"] == name, "ds"]).unique().sort_values()
    stamps = outside(inside, zones.get(name, "UTC")).as_unit("ns").asi8
    raise DataError(
        f"{len(stamps)} stamps occur twice, with different numbers of {column}", "one number per period",
        "leave the wrong one out; a correction is sent later, or carries an `available_at` of its own",
        series=name, column="ds" if column == "y" else column, stamps=shown(stamps[:SHOWN_STAMPS]),
    )  # fmt: skip
