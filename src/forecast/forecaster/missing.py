"""What a forecast had to do without, said in sentences that name the stamps."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from forecast.tables import Demand, Series
from forecast.windows import Bools, Ints


def what_is_missing(
    demand: Demand, cutoff: pd.Timestamp, context: int, horizon: int, blank: Collection[str] = ()
) -> tuple[str, ...]:
    """Warnings about a cutoff: history shorter than the context or holed, known-ahead values not given.

    Args:
        demand: the history.
        cutoff: the moment asked for (UTC).
        context, horizon: in steps.
        blank: series of whose missing history was told already.
    """
    if nothing_missing(demand, cutoff, context, horizon):
        return ()
    narrowed = demand.as_of(cutoff)
    told: list[str] = []
    for one in demand.series:
        origin = -((one.start.value - cutoff.value) // demand.step.value)
        known_T = np.isfinite(narrowed.observed(one))
        # A period that is not over, or whose value is still on its way, is no surprise: training saw the same.
        newest = min(origin, demand.last_known_row(one, cutoff) + 1)
        lost = _unknown(known_T, np.arange(origin - context, newest))
        if len(lost) and one.unique_id not in blank:
            told.append(
                f"series '{one.unique_id}': {len(lost)} of the {context} steps of context have no known y "
                f"({_name(demand, one, lost)}); they are padded and masked"
            )
        for name in demand.columns.known:
            lost = missing_ahead(demand, one, name, cutoff, horizon)
            if len(lost):
                told.append(
                    f"series '{one.unique_id}': known-ahead column '{name}' misses {len(lost)} of {horizon} steps "
                    f"({_name(demand, one, lost)}); a model that reads it did not learn to do without: in these steps "
                    "its errors can be several times larger and its intervals do not hold; append the column's "
                    f"forecast in rows without y, or train with --past {name}"
                )
    return tuple(told)


def nothing_missing(demand: Demand, cutoff: pd.Timestamp, context: int, horizon: int) -> bool:
    """Whether nothing is, of tables for which that is told at a glance; False sends the others to a closer look."""
    if demand.versions or not demand.shows_all_at(cutoff) or demand.doubted_R is not None:
        return False
    return all(_whole(demand, one, cutoff, context, horizon) for one in demand.series)


def _whole(demand: Demand, one: Series, cutoff: pd.Timestamp, context: int, horizon: int) -> bool:
    origin = -((one.start.value - cutoff.value) // demand.step.value)
    first, newest = origin - context, min(origin, demand.last_known_row(one, cutoff) + 1)
    if first < 0 or newest > len(one) or not np.isfinite(one.values_TC[first:newest, 0]).all():
        return False
    if one.available_at_T is not None and (one.available_at_T[first:newest] > cutoff.value).any():
        return False
    ahead_HK = one.values_TC[origin : origin + horizon, len(demand.columns.observed) :]
    return not demand.columns.known or (len(ahead_HK) == horizon and bool(np.isfinite(ahead_HK).all()))


def missing_ahead(demand: Demand, one: Series, name: str, cutoff: pd.Timestamp, horizon: int) -> Ints:
    """Rows of the horizon after a cutoff in which a known-ahead column of a series is not given."""
    origin = -((one.start.value - cutoff.value) // demand.step.value)
    return _unknown(np.isfinite(demand.observed(one, name)), np.arange(origin, origin + horizon))


def _unknown(known_T: Bools, rows: Ints) -> Ints:
    inside = (rows >= 0) & (rows < len(known_T))
    known = np.zeros(len(rows), dtype=bool)
    known[inside] = known_T[rows[inside]]
    return rows[~known]


def _name(demand: Demand, one: Series, rows: Ints) -> str:
    """The first and last stamp of each unbroken stretch, three stretches at the most."""
    breaks = np.flatnonzero(np.diff(rows) > 1)
    begins, ends = rows[np.r_[0, breaks + 1]], rows[np.r_[breaks, len(rows) - 1]]
    spans = []
    for begin, end in list(zip(begins, ends, strict=True))[:3]:
        first, last = (f"{one.start + int(row) * demand.step:%Y-%m-%dT%H:%MZ}" for row in (begin, end))
        spans.append(first if begin == end else f"{first} to {last}")
    more = f" and {len(begins) - 3} more stretches" if len(begins) > 3 else ""
    return ", ".join(spans) + more
