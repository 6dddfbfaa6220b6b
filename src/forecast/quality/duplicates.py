"""Stamps that a raw table holds more than once; a checked `Demand` holds none."""

from __future__ import annotations

import pandas as pd

from forecast.errors import DataError
from forecast.quality.finding import USUAL, Finding, QualityReport, found

KEYS = ["unique_id", "ds"]


def duplicates(frame: pd.DataFrame) -> QualityReport:
    """Stretches of stamps that occur again: repeated values are a note, contradicting ones an error.

    Rows that say when they became known are doubled only where they became known at the same moment: the others are
    revisions.

    Args:
        frame: a raw long frame: unique_id, ds (aware, START of a period), y, perhaps available_at; rows in any order.

    Raises:
        DataError: one of the columns is missing.
    """
    missing = [name for name in (*KEYS, "y") if name not in frame.columns]
    if missing:
        raise DataError(f"no column {', '.join(map(repr, missing))}", "unique_id, ds, y")
    keys = [*KEYS, "available_at"] if "available_at" in frame.columns else KEYS
    doubled = frame[frame.duplicated(keys, keep=False)]
    if doubled.empty:
        return QualityReport()
    values = doubled.groupby(keys, dropna=False)["y"]
    table = pd.DataFrame({"rows": values.size(), "kinds": values.nunique(dropna=False)}).reset_index()
    return found(one for name, part in table.groupby("unique_id") for one in _stretches(str(name), part))


def _stretches(name: str, part: pd.DataFrame) -> list[Finding]:
    """One finding per run of doubled stamps that are evenly apart and of one kind."""
    part = part.sort_values("ds")
    gaps, unlike = part["ds"].diff(), part["kinds"] > 1
    usual = gaps[gaps > pd.Timedelta(0)].min()
    run = ((gaps > usual) | (unlike != unlike.shift())).cumsum()
    return [_finding(name, stretch) for _, stretch in part.groupby(run)]


def _finding(name: str, stretch: pd.DataFrame) -> Finding:
    unlike, extra = bool((stretch["kinds"] > 1).iloc[0]), int(stretch["rows"].sum() - len(stretch))
    size = f"{extra:,} rows again, " + ("with other values" if unlike else "with the same values")
    first, last = (pd.Timestamp(stamp).tz_convert("UTC") for stamp in (stretch["ds"].iloc[0], stretch["ds"].iloc[-1]))
    return Finding(name, first, last, "duplicate", "error" if unlike else "note", size, USUAL["duplicate"])
