"""`Versions`: every value that a column ever had, and when each became known."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
ALWAYS = 0
"""The moment (UTC nanoseconds) since which a value counts that was always known, such as a calendar."""
NEVER = np.iinfo(np.int64).max
"""Later than every moment."""


@dataclass(frozen=True, eq=False)
class Versions:
    """The values of one column, arena row after arena row, oldest first within a row.

    R rows of the arena, V versions. Metered values are revised; a weather forecast for the same hour is issued again
    and again. What a cutoff knows of a row is the last version whose `available_at` is not after it.

    Attributes:
        first_R1: int64 [R + 1], place of each row's first version; the last entry is V.
        available_V: when each became known, UTC nanoseconds, ascending within a row.
        values_V: float32.
    """

    first_R1: Ints
    available_V: Ints
    values_V: Floats

    def __len__(self) -> int:
        return len(self.available_V)

    @cached_property
    def settled_R(self) -> Ints:
        """When each row got its newest value; `NEVER` where it has none."""
        last_R = np.maximum(self.first_R1[1:] - 1, 0)
        filled_R = self.first_R1[1:] > self.first_R1[:-1]
        newest_R = self.available_V[last_R] if len(self) else np.zeros(len(last_R), np.int64)
        return np.where(filled_R, newest_R, NEVER)

    @cached_property
    def newest_R(self) -> Floats:
        """The newest value of each row, NaN where there is none."""
        if not len(self):
            return np.full(len(self.first_R1) - 1, np.nan, np.float32)
        last_R = np.maximum(self.first_R1[1:] - 1, 0)
        return np.where(self.settled_R != NEVER, self.values_V[last_R], np.float32(np.nan))

    def at(self, rows_N: Ints, moments_N: Ints) -> tuple[Floats, Bools]:
        """Values [N] of some rows as they were known at a moment (UTC nanoseconds) each, and whether one was.

        Rows whose newest version is known are one look-up; the others halve their versions until one is left.
        """
        values_N, known_N = self.newest_R[rows_N], self.settled_R[rows_N] <= moments_N
        open_M = np.flatnonzero(~known_N)
        low_M, moment_M = self.first_R1[rows_N[open_M]], moments_N[open_M]
        high_M = self.first_R1[rows_N[open_M] + 1]
        first_M = low_M.copy()
        while len(low_M) and (low_M < high_M).any():
            middle_M = (low_M + high_M) // 2
            inside_M = low_M < high_M
            early_M = inside_M & (self.available_V[np.where(inside_M, middle_M, 0)] <= moment_M)
            low_M = np.where(early_M, middle_M + 1, low_M)
            high_M = np.where(inside_M & ~early_M, middle_M, high_M)
        found_M = low_M > first_M
        values_N[open_M] = self.values_V[np.maximum(low_M - 1, 0)] if len(self) else np.nan
        known_N[open_M] = found_M
        return np.where(known_N, values_N, np.float32(np.nan)), known_N

    def until(self, moment: int) -> Versions:
        """Only what was known at a moment (UTC nanoseconds)."""
        return self.only(self.available_V <= moment)

    def only(self, keep_V: Bools) -> Versions:
        """Some of the versions, each still in its row."""
        kept_V1 = np.concatenate([[0], np.cumsum(keep_V)])
        return Versions(kept_V1[self.first_R1], self.available_V[keep_V], self.values_V[keep_V])

    def rows(self, first: int, size: int) -> Versions:
        """The versions of some rows in a row, as a column of their own."""
        begin_R1 = self.first_R1[first : first + size + 1]
        part = slice(int(begin_R1[0]), int(begin_R1[-1]))
        return Versions(begin_R1 - begin_R1[0], self.available_V[part], self.values_V[part])

    def overwritten_after(self, moment: int, value: float) -> tuple[Versions, int]:
        """A copy in which everything that became known after a moment is another value, and how much that is."""
        late_V = self.available_V > moment
        return replace(self, values_V=np.where(late_V, np.float32(value), self.values_V)), int(late_V.sum())


def versions_of(rows_N: Ints, available_N: Ints, values_N: npt.NDArray[np.floating], size: int) -> Versions:
    """Versions of an arena of `size` rows, from loose values in any order; equal moments keep their given order."""
    if len(rows_N) and not _ascending(rows_N, available_N):
        order = np.lexsort((available_N, rows_N))
        rows_N, available_N, values_N = rows_N[order], available_N[order], values_N[order]
    counts_R = np.bincount(rows_N, minlength=size)
    first_R1 = np.concatenate([[0], np.cumsum(counts_R)]).astype(np.int64)
    return Versions(first_R1, available_N.astype(np.int64), values_N.astype(np.float32))


def _ascending(rows_N: Ints, available_N: Ints) -> bool:
    forward = np.diff(rows_N)
    return bool(((forward > 0) | ((forward == 0) & (np.diff(available_N) >= 0))).all())


def needed(
    versions: Mapping[str, Versions], known_ahead: Collection[str], rule_R: Ints
) -> tuple[dict[str, Versions], Ints | None]:
    """The columns whose versions say more than a rule does, and, where rows say it, when each became known."""
    ahead = {name: one for name, one in versions.items() if name in known_ahead and not _always(one)}
    observed = {name: one for name, one in versions.items() if name not in known_ahead}
    if any((np.diff(one.first_R1) > 1).any() for one in observed.values()):
        return {**observed, **ahead}, None
    known = [(one.settled_R != NEVER, one.settled_R) for one in observed.values()]
    stated_R = rule_R.copy()
    for filled_R, settled_R in known:
        stated_R[filled_R] = settled_R[filled_R]
    if any((settled_R[filled_R] != stated_R[filled_R]).any() for filled_R, settled_R in known):
        return {**observed, **ahead}, None
    return ahead, None if (stated_R == rule_R).all() else stated_R


def _always(one: Versions) -> bool:
    return bool((one.available_V == ALWAYS).all())
