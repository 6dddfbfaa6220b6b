"""The nearest coherent values within bounds on the leaves: a quadratic programme per column, time-boxed.

M leaves, K columns, A leaves that are held at a bound.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import linalg

from forecast.reconciliation.family import Doubles, Ints
from forecast.reconciliation.projection import Projection

ROUNDING = 1e-10
"""Share of a column's size that counts as nothing."""
PATIENCE = 10
"""Exchanges of all wrong leaves at once that need not improve, before leaves are exchanged one at a time."""


@dataclass(eq=False)
class Deadline:
    """When to stop, and what was left undone by then.

    Attributes:
        seconds: the limit.
        asked, cut: columns that needed bounds, and those of them that were cut.
    """

    seconds: float
    asked: int = 0
    cut: int = 0
    _begun: float = field(default_factory=time.monotonic)

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() - self._begun >= self.seconds


def within(projection: Projection, free_MK: Doubles, low_MK: Doubles, high_MK: Doubles, deadline: Deadline) -> Doubles:
    """Leaves [M, K] in [low, high], as near as can be to the projected `free_MK` in the metric of the projection.

    A column whose time is up is cut: every leaf at its bound, which is coherent and within bounds, but not nearest.

    Source: block principal pivoting, Wickramasuriya, Turlach and Hyndman (2020), Optimal non-negative forecast
    reconciliation; Kim and Park (2011) for the exchange of one leaf at a time, with which it ends.
    """
    size_K = np.abs(free_MK).max(axis=0, initial=0.0) * ROUNDING
    outside_K = ((free_MK < low_MK - size_K) | (free_MK > high_MK + size_K)).any(axis=0)
    near_MK = free_MK.copy()
    covariance = _Covariance(projection)
    for at in np.flatnonzero(outside_K):
        deadline.asked += 1
        found_M = _column(covariance, free_MK[:, at], low_MK[:, at], high_MK[:, at], size_K[at], deadline)
        deadline.cut += found_M is None
        if found_M is not None:
            near_MK[:, at] = found_M
    return np.clip(near_MK, low_MK, high_MK)


class _Covariance:
    """The leaves' covariance, row by row as leaves are first held."""

    def __init__(self, projection: Projection) -> None:
        count = len(projection.family.leaves)
        self.projection, self.rows_MM, self.known_M = projection, np.empty((count, count)), np.zeros(count, dtype=bool)

    def rows(self, held_A: Ints) -> Doubles:
        """The rows [A, M] of some leaves."""
        new = held_A[~self.known_M[held_A]]
        if len(new):
            self.rows_MM[new] = self.projection.covariance(new).T
            self.known_M[new] = True
        return np.asarray(self.rows_MM[held_A])


def _column(
    covariance: _Covariance, free_M: Doubles, low_M: Doubles, high_M: Doubles, size: float, deadline: Deadline
) -> Doubles | None:
    """One column's leaves, or None when the time is up first, or the covariance is too nearly singular."""
    side_M = _sides(free_M, low_M, high_M, size)
    fewest, patience = len(free_M) + 1, PATIENCE
    while not deadline.over:
        try:
            near_M, push_A, held_A = _held(covariance, free_M, low_M, high_M, side_M)
        except linalg.LinAlgError:
            return None
        wanted_M = np.where(side_M == 0, _sides(near_M, low_M, high_M, size), side_M)
        # A bound may only push inwards; where both bounds are one, either may.
        let_go_A = (push_A * side_M[held_A] > 0) & (low_M[held_A] < high_M[held_A])
        wanted_M[held_A[let_go_A]] = 0
        wrong = np.flatnonzero(wanted_M != side_M)
        if not len(wrong):
            return near_M
        if len(wrong) < fewest:
            fewest, patience = len(wrong), PATIENCE
        else:
            patience -= 1
        changed = wrong if patience >= 0 else wrong[-1:]
        side_M[changed] = wanted_M[changed]
    return None


def _sides(values_M: Doubles, low_M: Doubles, high_M: Doubles, size: float) -> npt.NDArray[np.int8]:
    """-1 below the lower bound, 1 above the upper one, 0 within."""
    return np.asarray((values_M > high_M + size).astype(np.int8) - (values_M < low_M - size).astype(np.int8))


def _held(
    covariance: _Covariance, free_M: Doubles, low_M: Doubles, high_M: Doubles, side_M: npt.NDArray[np.int8]
) -> tuple[Doubles, Doubles, Ints]:
    """The nearest values with some leaves at their bounds, and how hard each bound pushes upwards."""
    held_A = np.flatnonzero(side_M)
    if not len(held_A):
        return free_M, np.zeros(0), held_A
    bound_A = np.where(side_M[held_A] < 0, low_M[held_A], high_M[held_A])
    rows_AM = covariance.rows(held_A)
    push_A = linalg.cho_solve(linalg.cho_factor(rows_AM[:, held_A]), bound_A - free_M[held_A])
    near_M = free_M + push_A @ rows_AM
    near_M[held_A] = bound_A
    return near_M, np.asarray(push_A), held_A
