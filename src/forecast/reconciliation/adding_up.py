"""`add_up`: a forecast of a table, reconciled, with what its history says against the sums."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from forecast.reconciliation.hierarchy import Hierarchy
from forecast.reconciliation.reconcile import reconcile
from forecast.reconciliation.sums import check_sums
from forecast.tables import Demand, Forecast


def add_up(
    said: Forecast, demand: Demand, hierarchy: Hierarchy, method: str | None = None, errors: pd.DataFrame | None = None
) -> Forecast:
    """What `forecast predict --parents` and the retraining flow do with a forecast.

    Args:
        said: of all series of every family.
        demand: the table that it was made from; its delay says when the errors became known.
        hierarchy, method: as `reconcile` takes them.
        errors: a walk's table.

    Returns:
        The reconciled forecast; its warnings tell where parents were not sums in the history known to it.

    Raises:
        DataError, RequestError: as `reconcile` and `check_sums`.
    """
    made = reconcile(said, hierarchy, method, errors=errors, delay=demand.delay)
    known = demand.as_of(said.frame["cutoff"].min())
    return replace(made, warnings=(*made.warnings, *check_sums(known, hierarchy)))
