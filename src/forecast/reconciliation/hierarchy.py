"""`Hierarchy`: which series is a part of which, checked when it is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from forecast.errors import DeclarationError
from forecast.reconciliation.family import Family
from forecast.tables import SeriesInfo


@dataclass(frozen=True)
class Hierarchy:
    """Parents of series: several levels and several roots; a series that is named nowhere has no family.

    Attributes:
        parents: the parent of every child.

    Raises:
        DeclarationError: nothing is declared, or a series is its own ancestor.

    >>> [family.names for family in Hierarchy({"north": "all", "south": "all"}).families]
    [('all', 'north', 'south')]
    """

    parents: Mapping[str, str]

    def __post_init__(self) -> None:
        if not self.parents:
            raise DeclarationError(
                "no series has a parent", "a parent of one series or more", "leave out the hierarchy"
            )
        object.__setattr__(self, "parents", dict(self.parents))
        known_good: set[str] = set()
        for child in self.parents:
            known_good.update(self._way_up(child, known_good))

    @classmethod
    def of_series(cls, series: Iterable[SeriesInfo]) -> Self:
        """The hierarchy that the registry of series tells.

        Raises:
            DeclarationError: a parent is not among the series, and as for the class.
        """
        told = {one.unique_id: one.parent for one in series}
        for child, parent in told.items():
            if parent is not None and parent not in told:
                raise DeclarationError(
                    f"its parent '{parent}' is not known", f"one of {', '.join(sorted(told)[:10])}",
                    "register the parent, or correct the name", series=child,
                )  # fmt: skip
        return cls({child: parent for child, parent in told.items() if parent is not None})

    @property
    def names(self) -> set[str]:
        """Every series that has a family."""
        return {*self.parents, *self.parents.values()}

    @cached_property
    def families(self) -> tuple[Family, ...]:
        """One per root, in the order of the roots' names."""
        children: dict[str, list[str]] = {}
        for child, parent in self.parents.items():
            children.setdefault(parent, []).append(child)
        roots = sorted(set(children) - set(self.parents))
        return tuple(Family.of(root, children) for root in roots)

    def _way_up(self, child: str, known_good: set[str]) -> list[str]:
        """A series and its ancestors up to one that is known to have a root."""
        way = [child]
        while way[-1] in self.parents and way[-1] not in known_good:
            above = self.parents[way[-1]]
            if above in way:
                circle = [*way[way.index(above) :], above]
                raise DeclarationError(
                    f"a circle of parents: {' is a part of '.join(circle)}", "parents that end at a root",
                    "correct one of them",
                )  # fmt: skip
            way.append(above)
        return way
