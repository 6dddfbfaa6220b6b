"""Groups of series that share a model: by zone, by country, or by a static column."""

from __future__ import annotations

import re
from collections.abc import Mapping

from forecast.tables.demand import Demand

ZONE, COUNTRY = "zone", "country"


def group_of(zone: str | None, country: str | None, static: Mapping[str, float], by: str) -> str | None:
    """The group of a series; None where it has none.

    >>> group_of("Europe/Lisbon", None, {"tariff": 2.0}, "tariff")
    '2'
    """
    if by == ZONE:
        return zone
    if by == COUNTRY:
        return country
    told = static.get(by)
    return None if told is None or told != told else f"{told:g}"


def groups_of(demand: Demand, by: str) -> dict[str, list[str]]:
    """The series of a table by group; those without one are left out."""
    found: dict[str, list[str]] = {}
    for one in demand.series:
        group = group_of(one.zone, one.country or demand.country, one.static, by)
        if group is not None:
            found.setdefault(group, []).append(one.unique_id)
    return found


def model_of_group(name: str, group: str) -> str:
    """The name under which the model of a group is registered.

    >>> model_of_group("demand", "Europe/Lisbon")
    'demand-Europe-Lisbon'
    """
    return f"{name}-{re.sub('[^A-Za-z0-9_.]+', '-', group)}"
