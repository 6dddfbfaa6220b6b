"""Stamps of a wall clock -> moments (UTC), through the hours that clocks skip and repeat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np
import pandas as pd

from forecast import clock
from forecast.errors import DataError


def moments_of_local(
    stamps: pd.Series, unique_ids: pd.Series, zones: dict[str, str | None], column: str, word: str
) -> pd.Series:
    """The moments (UTC) of stamps that a wall clock wrote, row by row under the same index.

    Of a stamp that occurs twice in a series, where the clock was set back, the first is the earlier moment. One that
    occurs once is placed by its neighbours: after a step back of the stamps it is the later moment, before one the
    earlier; without a step back it continues the row before, else leads to the row after, else is the earlier.

    Args:
        stamps: times without a zone, in the order in which they happened.
        unique_ids: the series of every row.
        zones: the clock of every series.
        column: what messages call the column.
        word: what messages call a row.

    Raises:
        DataError: a series has no zone, or stamps fall into an hour that the clock skipped.
    """
    undeclared = [name for name in unique_ids.unique() if zones.get(str(name)) is None]
    if undeclared:
        raise DataError(
            "the stamps carry no zone", "a declared civil zone, or stamps with an offset",
            "declare it, for instance --zone Europe/Lisbon, or --zone +10:00 for a clock that never changes",
            column=column, series=str(undeclared[0]) if any(zones.values()) else None,
        )  # fmt: skip
    names = unique_ids.astype(str).map(zones)
    moments = np.empty(len(stamps), dtype="datetime64[ns]")
    for name in names.unique():
        inside = (names == name).to_numpy()
        read = _in_zone(stamps[inside], unique_ids[inside], str(name), column, word)
        moments[inside] = read.to_numpy(dtype="datetime64[ns]")
    return pd.Series(moments, index=stamps.index).dt.tz_localize("UTC")


def _in_zone(stamps: pd.Series, unique_ids: pd.Series, name: str, column: str, word: str) -> pd.Series:
    codes, distinct = pd.factorize(stamps)
    written = pd.DatetimeIndex(distinct)
    ones = np.ones(len(written), dtype=bool)
    earlier, later = (
        written.tz_localize(clock.zone(name), ambiguous=choice, nonexistent="NaT").tz_convert("UTC")
        for choice in (ones, ~ones)
    )
    skipped = earlier.isna()[codes]
    if skipped.any():
        raise DataError(
            f"{int(skipped.sum())} stamps never occurred in {name}, whose clock was set forward then",
            f"stamps of the clock in {name}", _hint_fixed(clock.zone(name), stamps[skipped].iloc[0], name),
            column=column,
            stamps=[f"{word} {row}: {stamp}" for row, stamp in stamps[skipped].items()],
        )  # fmt: skip
    frame = pd.DataFrame(
        {"id": unique_ids.to_numpy(), "stamp": stamps.to_numpy(), "earlier": earlier[codes], "later": later[codes]},
        index=stamps.index,
    )
    is_later = np.zeros(len(frame), dtype=bool)
    repeated = (frame["earlier"] != frame["later"]).to_numpy()
    if repeated.any():
        touched = frame["id"].isin(frame.loc[repeated, "id"].unique()).to_numpy()
        is_later[touched] = _is_later(frame[touched].reset_index(drop=True), repeated[touched])
    return frame["earlier"].where(~is_later, frame["later"])


def _is_later(frame: pd.DataFrame, repeated: np.ndarray) -> np.ndarray:
    """Whether each row is the second of the two moments that its stamp can mean."""
    order = np.argsort(pd.factorize(frame["id"])[0], kind="stable")
    rows = frame.iloc[order].reset_index(drop=True)
    flag = pd.Series(repeated[order])
    nanoseconds = pd.Series(rows["stamp"].to_numpy(dtype="datetime64[ns]").astype(np.int64))
    inside = rows["id"].eq(rows["id"].shift())
    before = nanoseconds.diff().where(inside)
    run = (~(flag & flag.shift(fill_value=False) & inside)).cumsum()
    back = (before < 0) & flag & flag.shift(fill_value=False) & inside
    after_back = back.groupby(run).cumsum() > 0
    has_back = back.groupby(run).transform("any")
    nth = rows.groupby(["id", "stamp"], sort=False).cumcount()
    twice = rows.groupby(["id", "stamp"], sort=False)["stamp"].transform("size") > 1
    alone = after_back | (~has_back & _leads_on(before, inside, run))
    chosen = flag & pd.Series(np.where(twice, nth > 0, alone))
    result = np.empty(len(rows), dtype=bool)
    result[order] = chosen.to_numpy()
    return result


def _leads_on(before: pd.Series, inside: pd.Series, run: pd.Series) -> pd.Series:
    """Whether a run of repeated stamps without a step back joins the row after it, and not the row before."""
    step = before[before > 0].mode()
    if step.empty:
        return pd.Series(False, index=run.index)
    joins_before = (before == step.iloc[0]).groupby(run).transform("first")
    after = before.shift(-1).where(inside.shift(-1, fill_value=False))
    joins_after = (after == step.iloc[0]).groupby(run).transform("last")
    return ~joins_before & joins_after


def _hint_fixed(place: tzinfo, stamp: pd.Timestamp, name: str) -> str:
    """Names the standard time of the zone: stamps of a skipped hour come from a clock that never changes."""
    year = [datetime(stamp.year, month, 1, tzinfo=UTC).astimezone(place) for month in range(1, 13)]
    offset = min((moment.utcoffset() or timedelta(0)) for moment in year)
    sign, minutes = ("-", -offset) if offset < timedelta(0) else ("+", offset)
    hours, rest = divmod(int(minutes.total_seconds()) // 60, 60)
    fixed = f"{sign}{hours:02d}:{rest:02d}"
    return (
        f"the clock of this table seems never to change: keep --zone {name} and add --stamp-zone {fixed}, "
        "its standard time"
    )
