"""`examine`: every rule over every series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from forecast.quality.clock_slips import clock_slips
from forecast.quality.finding import Finding, QualityReport, found
from forecast.quality.gaps import clock_changes, gaps
from forecast.quality.impossible import impossible
from forecast.quality.late import late
from forecast.quality.levels import level_shifts
from forecast.quality.limits import Limits
from forecast.quality.readings import Bools, Ints, Readings
from forecast.quality.spikes import spikes
from forecast.quality.stuck import stuck
from forecast.quality.unit_slips import unit_slips
from forecast.tables import Demand, Series, SeriesInfo, power_unit

THOUSAND = {"kW": 1.0, "MW": 1e3, "GW": 1e6}


def examine(
    demand: Demand, info: Mapping[str, SeriesInfo] | None = None, limits: Limits | None = None
) -> QualityReport:
    """Everything that is wrong with a table, as far as it shows itself.

    A table that is narrowed by `as_of` is judged by what was known then: whatever learns or is scored behind a cutoff
    must be examined at that cutoff.

    Args:
        demand: the table.
        info: what is known of its series; `capacity` tells what is impossible.
        limits: from where on each rule speaks.
    """
    told, chosen = info or {}, limits or Limits()
    return found(one for series in demand.series for one in _series(demand, series, told, chosen))


def _series(demand: Demand, one: Series, info: Mapping[str, SeriesInfo], limits: Limits) -> list[Finding]:
    readings = Readings.of(demand, one)
    if not np.isfinite(readings.y_T).any():
        return []
    findings = [*gaps(readings), *late(readings, _first_known(demand, one), limits)]
    # What is surely wrong is taken away before the rules that compare: it must not widen what is usual.
    for rule in (clock_changes, unit_slips, stuck):
        findings += rule(readings, limits)
        readings = readings.without(rows_of(findings, readings))
    findings += impossible(readings, limits, _capacity(demand, info.get(one.unique_id)))
    readings = readings.without(rows_of(findings, readings))
    findings += spikes(readings, limits)
    readings = readings.without(rows_of(findings, readings))
    return findings + level_shifts(readings, limits) + clock_slips(readings, limits)


def rows_of(findings: Sequence[Finding], readings: Readings) -> Bools:
    """Rows of a series [T] that findings do not leave as they are."""
    wrong_T = np.zeros(len(readings), dtype=bool)
    for one in findings:
        if one.done != "kept":
            first, last = ((stamp - readings.start) // readings.step for stamp in (one.first, one.last))
            wrong_T[max(0, first) : last + 1] = True
    return wrong_T


def _first_known(demand: Demand, one: Series) -> Ints | None:
    """When each period's first value became known (UTC nanoseconds), where the table says so."""
    if "y" not in demand.versions:
        return one.available_at_T
    versions = demand.versions["y"].rows(one.first_row, len(one))
    last = max(len(versions) - 1, 0)
    return versions.available_V[np.minimum(versions.first_R1[:-1], last)] if len(versions) else None


def _capacity(demand: Demand, info: SeriesInfo | None) -> float | None:
    """The capacity in the power that the table holds."""
    if info is None or info.capacity is None:
        return None
    stated = power_unit(info.unit or demand.unit)
    return info.capacity * THOUSAND[stated] / THOUSAND[power_unit(demand.unit)]
