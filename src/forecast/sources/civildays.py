"""Daily tables whose stamps are local midnights: kept by civil days."""

from __future__ import annotations

import pandas as pd

from forecast import calendars
from forecast.errors import DataError

DAY = pd.Timedelta(days=1)


def by_civil_days(
    frame: pd.DataFrame, zones: dict[str, str], declared: pd.Timedelta | None
) -> tuple[pd.DataFrame, dict[str, str]] | None:
    """A long frame and its zones on the day clock; None where its stamps are no local midnights of a changing clock.

    Args:
        frame: unique_id, ds (UTC), and `available_at` where told.
        zones: civil zone of every series.
        declared: the declared step.

    Raises:
        DataError: the series live in several zones; a day of one is not a day of the other.
    """
    if declared not in (None, DAY) or frame["ds"].isna().any():
        return None
    for name, part in frame.groupby("unique_id", sort=False):
        if not calendars.are_days(pd.DatetimeIndex(part["ds"]), zones[str(name)]):
            return None
    lived = list(dict.fromkeys(zones[str(name)] for name in frame["unique_id"].unique()))
    if len(lived) > 1:
        raise DataError(
            f"daily series of several zones ({', '.join(lived[:3])})", "one zone for a table of civil days",
            "split the table by zone",
        )  # fmt: skip
    zone = calendars.day_zone(lived[0])
    frame = frame.assign(ds=calendars.inside(pd.DatetimeIndex(frame["ds"]), zone))
    if "available_at" in frame.columns:
        stated = frame["available_at"].notna()
        frame.loc[stated, "available_at"] = calendars.inside(pd.DatetimeIndex(frame.loc[stated, "available_at"]), zone)
    return frame, {name: calendars.day_zone(one) for name, one in zones.items()}
