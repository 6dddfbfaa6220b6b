"""`mask`: what a report finds wrong becomes missing, so that nothing learns from it and nothing is scored on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from forecast.quality.finding import Done, Finding, QualityReport
from forecast.tables import Demand, Series

TOUCHING: tuple[Done, ...] = ("masked", "repaired for context")


def mask(demand: Demand, report: QualityReport) -> Demand:
    """The same table, `y` missing wherever a finding is not kept; of a column with versions, in all of them.

    Covariates stay, and so does the table that was given. Series of the report that the table lacks are passed over.

    Args:
        demand: the table that was examined, or a part of it.
        report: what was found; `treating` says what is done with a rule's findings.
    """
    wrong_R = arena_rows(demand, [one for one in report.findings if one.done in TOUCHING])
    if not wrong_R.any():
        return demand
    return with_y(demand, np.where(wrong_R, np.float32(np.nan), demand.arena_RC[:, 0]), wrong_R)


def arena_rows(demand: Demand, findings: Sequence[Finding]) -> np.ndarray:
    """Rows of the arena [R] that findings span."""
    spanned_R = np.zeros(len(demand.arena_RC), dtype=bool)
    named = {one.unique_id: one for one in (*demand.beside, *demand.series)}
    for finding in findings:
        if finding.series in named:
            first, last = rows_between(demand, named[finding.series], finding)
            spanned_R[first:last] = True
    return spanned_R


def rows_between(demand: Demand, one: Series, finding: Finding) -> tuple[int, int]:
    """First row of the arena that a finding spans, and the row after its last."""
    first, last = ((stamp - one.start) // demand.step for stamp in (finding.first, finding.last))
    low, high = (min(max(row, 0), len(one)) for row in (first, last + 1))
    return one.first_row + low, one.first_row + high


def with_y(demand: Demand, y_R: np.ndarray, wrong_R: np.ndarray) -> Demand:
    """The table with another `y` in its arena, and without the versions of `y` in some rows."""
    arena_RC = demand.arena_RC.copy()
    arena_RC[:, 0] = y_R
    arena_RC.flags.writeable = False
    series, beside = (tuple(one.viewing(arena_RC) for one in group) for group in (demand.series, demand.beside))
    versions = dict(demand.versions)
    if "y" in versions:
        versions["y"] = versions["y"].only(~np.repeat(wrong_R, np.diff(versions["y"].first_R1)))
    return replace(demand, arena_RC=arena_RC, series=series, beside=beside, versions=versions)
