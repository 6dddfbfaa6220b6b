"""Who is a part of whom in a retraining's table: as asked for, or as the store that it came from tells."""

from __future__ import annotations

from pathlib import Path

from forecast.errors import DataError, DeclarationError
from forecast.reconciliation import Family, Hierarchy
from forecast.reconciliation.declared import declared_hierarchy
from forecast.sources import is_store
from forecast.tables import load_demand

Parents = dict[str, str]
"""The parent of every child; empty where nothing has to add up."""


def take_parents(table: Path, data: str, asked: str | None) -> tuple[Parents, tuple[str, ...]]:
    """The families that are whole in a stored table.

    Args:
        table: what `take_table` stored.
        data: what it was read from. A store tells parents itself: then nothing has to be asked for.
        asked: as `declared_hierarchy` takes it.

    Returns:
        The parents, and what is to be said of families of the store that are left out.

    Raises:
        DeclarationError: what is asked for cannot be read. StoreError: the store cannot be read.
        DataError: the table lacks a series of a family that is asked for, or all of them.
    """
    if asked is None and not is_store(data):
        return {}, ()
    try:
        hierarchy = declared_hierarchy("store" if asked is None else asked, data)
    except DeclarationError:
        # A store without parents, or with half of a tree, is no mistake of who did not ask for sums.
        if asked is None:
            return {}, ()
        raise
    known = {one.unique_id for one in load_demand(table).series}
    broken = [family for family in hierarchy.families if known.intersection(family.names) - _whole(known, family)]
    if asked is not None:
        _refuse(known, hierarchy, broken)
    kept = {name for family in hierarchy.families for name in _whole(known, family)}
    told = tuple(
        f"the family of '{one.parents[0]}' is not whole in this table: nothing is made to add up" for one in broken
    )
    return {child: parent for child, parent in hierarchy.parents.items() if child in kept}, told


def _whole(known: set[str], family: Family) -> set[str]:
    """The series of a family, where all of them are known."""
    return set(family.names) if known.issuperset(family.names) else set()


def _refuse(known: set[str], hierarchy: Hierarchy, broken: list[Family]) -> None:
    """Raises a DataError where what is asked for is not whole in the table."""
    lacking = sorted({name for family in broken for name in family.names} - known)
    if lacking:
        raise DataError(
            f"the table has no {', '.join(lacking[:5])}", "every series of a family", "correct --parents, or add it"
        )
    if not known & hierarchy.names:
        raise DataError(
            f"parents of {', '.join(sorted(hierarchy.names)[:5])}, and a table of {', '.join(sorted(known)[:5])}",
            "a family that is in the table", "correct --parents",
        )  # fmt: skip
