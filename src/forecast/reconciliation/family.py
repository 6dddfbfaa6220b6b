"""`Family`: a root and everything below it, and the sums that hold among them.

N series of the family, P of them parents, M leaves (N = P + M).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Sparse = Any
"""A scipy sparse array; scipy has no types for us."""


@dataclass(frozen=True, eq=False)
class Family:
    """One tree of series.

    Attributes:
        parents: series with children, every parent before the parents below it.
        leaves: series without children.
        children: the children of each parent.
    """

    parents: tuple[str, ...]
    leaves: tuple[str, ...]
    children: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, root: str, children: Mapping[str, Sequence[str]]) -> Self:
        """The family below a root, level by level."""
        found = [root]
        for name in found:
            found.extend(children.get(name, ()))
        parents = tuple(name for name in found if name in children)
        leaves = tuple(name for name in found if name not in children)
        return cls(parents, leaves, {name: tuple(children[name]) for name in parents})

    @property
    def names(self) -> tuple[str, ...]:
        """All N series: parents, then leaves; the order of every axis N."""
        return (*self.parents, *self.leaves)

    @cached_property
    def constraints_PN(self) -> Sparse:
        """A row per parent: itself less its children; zero for coherent values."""
        place = {name: at for at, name in enumerate(self.names)}
        own = [(at, at, 1.0) for at in range(len(self.parents))]
        parts = [(at, place[child], -1.0) for at, name in enumerate(self.parents) for child in self.children[name]]
        rows, columns, values = zip(*own, *parts, strict=True)
        return sparse.csr_array((values, (rows, columns)), shape=(len(self.parents), len(self.names)))

    @cached_property
    def summing_PM(self) -> Sparse:
        """Which leaves each parent is the sum of."""
        below = {name: at for at, name in enumerate(self.leaves)}
        leaves: dict[str, list[int]] = {name: [at] for name, at in below.items()}
        for name in reversed(self.parents):
            leaves[name] = [at for child in self.children[name] for at in leaves[child]]
        columns = np.concatenate([np.sort(leaves[name]) for name in self.parents])
        starts = np.cumsum([0, *(len(leaves[name]) for name in self.parents)])
        shape = (len(self.parents), len(self.leaves))
        return sparse.csr_array((np.ones(len(columns)), columns, starts), shape=shape)

    def whole(self, leaves_MK: Doubles) -> Doubles:
        """Values [N, K] of the family from its leaves: parents are their sums."""
        return np.concatenate([self.summing_PM @ leaves_MK, leaves_MK])

    def gap(self, values_NK: Doubles) -> float:
        """The largest difference between a parent and its children's sum, as a share of what is added up."""
        apart_PK = np.abs(self.constraints_PN @ values_NK)
        size_PK = abs(self.constraints_PN) @ np.abs(values_NK)
        return float((apart_PK / np.maximum(size_PK, np.finfo(np.float64).tiny)).max(initial=0.0))
