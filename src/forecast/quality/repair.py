"""`repaired`: values put right for whoever looks back on them, kept apart from the truth.

A unit slip is divided by its factor, and a clock slip is moved back by its hour. Nothing else is repaired: any other
filling would be taken from neighbours in time, some of which lie in the future of a cutoff.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.errors import DataError
from forecast.quality.examine import examine
from forecast.quality.finding import Finding, QualityReport
from forecast.quality.mask import arena_rows, mask, rows_between, with_y
from forecast.tables import Demand, Series


def repaired(demand: Demand, report: QualityReport) -> Demand:
    """The table with the findings put right that are to be "repaired for context", and those masked that are to be.

    What was put right stands in `Demand.doubted_R`: windows show it as context, and never as a target or a score. A
    value that is moved back to the period before becomes known no earlier than it did in its own.

    Raises:
        DataError: the table holds several versions of its values, of which each may be wrong in another way.
    """
    if "y" in demand.versions:
        raise DataError(
            "the table holds every version of its values", "one value per period", "mask such findings instead"
        )
    wanted = [one for one in report.findings if one.done == "repaired for context" and one.series in demand.by_id]
    whole, y_R = mask(demand, report), demand.arena_RC[:, 0]
    put_R = whole.arena_RC[:, 0].copy()
    known = {one.unique_id: _available(demand, one) for one in demand.series}
    moved = {finding.series for finding in wanted if _put(demand, finding, y_R, put_R, known[finding.series])}
    doubted_R = arena_rows(demand, wanted) & np.isfinite(put_R)
    table = with_y(whole, put_R, np.zeros(len(put_R), dtype=bool))
    series = [
        replace(one, available_at_T=known[one.unique_id]) if one.unique_id in moved else one for one in table.series
    ]
    return replace(table, series=tuple(series), doubted_R=doubted_R if doubted_R.any() else None)


def cleaned(demand: Demand) -> Demand:
    """The table without what `examine` finds wrong in it as far as it is known; unit slips are repaired for context.

    Of a table with several versions of `y` everything is masked.
    """
    report = examine(demand).treating("unit slip", "repaired for context")
    return mask(demand, report) if "y" in demand.versions else repaired(demand, report)


def _put(demand: Demand, finding: Finding, y_R: np.ndarray, put_R: np.ndarray, known_T: np.ndarray) -> bool:
    """Writes the values of one finding as they should have been; says whether some become known later by that."""
    one = demand.by_id[finding.series]
    first, last = rows_between(demand, one, finding)
    if finding.rule == "unit slip":
        put_R[first:last] = y_R[first:last] / np.float32(finding.factor)
        return False
    by = int(pd.Timedelta(hours=finding.factor) / demand.step)
    rows = np.arange(max(first, first - by), min(last, last - by))
    put_R[rows] = y_R[rows + by]
    places = rows - one.first_row
    known_T[places] = np.maximum(known_T[places], known_T[places + by])
    return by > 0


def _available(demand: Demand, one: Series) -> np.ndarray:
    """When each row became known, as stated or by the delay rule."""
    if one.available_at_T is not None:
        return one.available_at_T.copy()
    return np.asarray(one.start.value + np.arange(1, len(one) + 1) * demand.step.value + demand.delay.value)
