"""`reconciled_walk`: a walk's forecasts as they were said and made to add up, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from forecast.errors import DataError
from forecast.reconciliation.hierarchy import Hierarchy
from forecast.reconciliation.past_errors import of_model
from forecast.reconciliation.reconcile import reconcile
from forecast.reconciliation.weights import METHODS
from forecast.tables import Forecast

AS_FORECAST = "as forecast"
TIME_LIMIT_S = 300.0
MOMENT = ["cutoff", "ds"]


def reconciled_walk(
    walk: pd.DataFrame,
    hierarchy: Hierarchy,
    methods: Sequence[str] = METHODS,
    *,
    unit: str,
    model: str | None = None,
    delay: str | pd.Timedelta = "0h",
    time_limit_s: float = TIME_LIMIT_S,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """What a walk would have said, had its forecasts been reconciled.

    At each cutoff only those errors of the walk teach that were known by then, as they would have.

    Args:
        walk: the table that `backtest.walk` makes.
        hierarchy: who is a part of whom; series and families that are not in the walk are left out, and so are moments
            at which not all of a family was forecast.
        methods: as `reconcile` takes them.
        unit: of the walk's numbers.
        model: whose forecasts; needed where the walk holds several.
        delay: how long after its period's end a value became known.
        time_limit_s: of one method's search for values within bounds.

    Returns:
        The rows of all whole families once per method, which stands in `model`, and first of all as they were, as
        "as forecast"; and what is to be said of it.

    Raises:
        DataError: no moment tells all of a family. RequestError: an unknown method, or the walk holds several models.
    """
    mine = of_model(walk, model)
    base, told = _whole(mine, hierarchy)
    said = Forecast(base.drop(columns=["y", "model"], errors="ignore"), unit, model or "walk")
    parts, warnings = [base.assign(model=AS_FORECAST)], list(told)
    for method in methods:
        made = reconcile(said, hierarchy, method, errors=mine, delay=delay, time_limit_s=time_limit_s)
        parts.append(made.frame.assign(y=base["y"], model=method))
        warnings += made.warnings
    return pd.concat(parts, ignore_index=True)[list(parts[0].columns)], tuple(dict.fromkeys(warnings))


def _whole(walk: pd.DataFrame, hierarchy: Hierarchy) -> tuple[pd.DataFrame, list[str]]:
    """The rows of families at the moments at which every member was forecast, and how many moments were not."""
    parts, told = [], []
    for family in hierarchy.families:
        rows = walk[walk["unique_id"].isin(family.names)]
        if rows.empty:
            continue
        whole = rows.groupby(MOMENT)["unique_id"].transform("count") == len(family.names)
        parts.append(rows[whole])
        moments, lacking = (len(some[MOMENT].drop_duplicates()) for some in (rows, rows[~whole]))
        if lacking:
            told.append(
                f"{lacking} of {moments} moments of the walk lack a series of the family of '{family.parents[0]}':"
                " they are left out"
            )
    if not any(len(one) for one in parts):
        raise DataError(
            "a walk that nowhere forecasts all series of a family", "every series of one family at the same moments",
            "walk over all of them, or correct the parents",
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True), told
