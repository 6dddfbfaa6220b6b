"""`reconcile`: a forecast whose children sum to their parents at every quantile level, cutoff and period."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecast.errors import RequestError
from forecast.reconciliation.bounded import Deadline, within
from forecast.reconciliation.family import Doubles, Family, Ints
from forecast.reconciliation.hierarchy import Hierarchy
from forecast.reconciliation.layout import Layout
from forecast.reconciliation.past_errors import PastErrors
from forecast.reconciliation.projection import Projection
from forecast.reconciliation.weights import Method, check_method, too_few, weights_at
from forecast.tables import Forecast, mean_of_quantiles, quantile_columns

COHERENT = 1e-6
"""Largest difference between a parent and its children's sum, as a share of what is added up."""
TIME_LIMIT_S = 30.0


def reconcile(
    forecast: Forecast,
    hierarchy: Hierarchy,
    method: str | None = None,
    *,
    errors: pd.DataFrame | PastErrors | None = None,
    delay: str | pd.Timedelta = "0h",
    non_negative: bool = True,
    time_limit_s: float = TIME_LIMIT_S,
) -> Forecast:
    """Makes children sum to their parents at every quantile level, cutoff and period.

    Each level is projected onto the coherent values as a point forecast is. Where that breaks a bound, the nearest
    coherent values within the bounds are taken instead: levels are gone through outwards from the median, and none
    passes the one before it. Series without a family pass through unchanged, and so does what is coherent already.

    Args:
        forecast: all series of every family that it has one of, for the same cutoffs and periods.
        hierarchy: who is a part of whom; families of which the forecast has no series are left out.
        method: "bottom-up" (parents are the sums of the leaves), or weighted least squares: "structural" (by the number
            of leaves), "spread" (by the width of the forecast's own intervals), "variance" or "mint" (by variances or
            the shrunk covariance of past errors). None: mint where errors are given, else spread.
        errors: past errors: the table of a walk, a matrix (see `PastErrors.of`), or `PastErrors`. For each cutoff only
            those count that were known by then.
        delay: how long after its period's end a value of a walk's table became known.
        non_negative: leaves whose base forecasts are nowhere negative stay so, and parents of such leaves alone with
            them; a leaf that is negative anywhere (net load) is never bounded. False bounds nothing.
        time_limit_s: of the search for the nearest values within bounds, all families together. What is not found by
            then is cut at its bounds, the parents being sums; the forecast's warnings say so.

    Returns:
        the same rows; `mean` of the families is the expectation of their new quantiles.

    Raises:
        RequestError: an unknown method, errors that it lacks, or no series of the hierarchy in the forecast.
        DataError: a family is not whole, mixes frequencies, lacks moments, or has no past errors.
    """
    chosen = check_method(method or ("spread" if errors is None else "mint"), errors=errors is not None)
    past = PastErrors.of(errors, forecast.model, delay) if errors is not None else None
    deadline, told = Deadline(time_limit_s), list(forecast.warnings)
    frame, names = forecast.frame.copy(), quantile_columns(forecast.levels)
    columns = frame[["mean", *names]].to_numpy(dtype=np.float64)
    for family in present(forecast, hierarchy):
        layout = Layout.of(forecast, family)
        work = _Work(family, layout.values_NKQ, forecast.levels, non_negative, deadline)
        said_NKQ = layout.values_NKQ.copy()
        unlearned: list[pd.Timestamp] = []
        for moments_K, weight, lacking in _weights(family, layout, chosen, past):
            said_NKQ[:, moments_K] = work.done(moments_K, weight)
            unlearned += [layout.cutoff_K[moments_K[0]]] if lacking else []
        told += too_few(family, unlearned, chosen)
        _check(family, said_NKQ)
        columns[layout.rows_NK, 1:] = said_NKQ
        columns[layout.rows_NK, 0] = mean_of_quantiles(said_NKQ, forecast.levels)
    frame[["mean", *names]] = columns
    return replace(forecast, frame=frame, warnings=(*told, *told_of(deadline)))


def present(forecast: Forecast, hierarchy: Hierarchy) -> list[Family]:
    """The families that the forecast has a series of."""
    known = set(forecast.frame["unique_id"].unique())
    families = [family for family in hierarchy.families if known.intersection(family.names)]
    if not families:
        raise RequestError(
            f"a hierarchy of {', '.join(sorted(hierarchy.names)[:5])} and a forecast of "
            f"{', '.join(sorted(map(str, known))[:5])}", "a family that is forecast", "correct the parents",
        )  # fmt: skip
    return families


def _weights(
    family: Family, layout: Layout, method: Method, past: PastErrors | None
) -> Iterator[tuple[Ints, Doubles | None, bool]]:
    """Moments that share their weights, the weights (None: bottom-up), and whether too little was known for them."""
    every_K = np.arange(len(layout.cutoff_K))
    alone = method in ("bottom-up", "structural")
    for cutoff in layout.cutoff_K[:1] if alone else layout.cutoff_K.unique():
        at_K = every_K if alone else every_K[layout.cutoff_K == cutoff]
        yield at_K, *weights_at(family, cutoff, method, past, layout.values_NKQ[:, at_K])


@dataclass(frozen=True, eq=False)
class _Work:
    """One family's quantiles and how they are bounded."""

    family: Family
    values_NKQ: Doubles
    levels: list[float]
    non_negative: bool
    deadline: Deadline

    def done(self, moments_K: Ints, weight: Doubles | None) -> Doubles:
        """Coherent quantiles [N, K, Q] of some moments."""
        base_NKQ = self.values_NKQ[:, moments_K]
        if weight is None:
            leaves_MKQ = base_NKQ[len(self.family.parents) :]
        else:
            leaves_MKQ = self._ordered(Projection.of(self.family, weight), base_NKQ)
        return np.stack([self.family.whole(leaves_MKQ[..., level]) for level in range(len(self.levels))], axis=-1)

    def _ordered(self, projection: Projection, base_NKQ: Doubles) -> Doubles:
        """Leaves level by level outwards from the median: each within what the level before it and zero allow."""
        middle = int(np.abs(np.asarray(self.levels) - 0.5).argmin())
        count, moments, levels = base_NKQ.shape
        free_MKQ = projection.leaves(base_NKQ.reshape(count, -1)).reshape(-1, moments, levels)
        near_MKQ, least_MK = np.empty_like(free_MKQ), self._least(moments)
        for level in [*range(middle, levels), *range(middle - 1, -1, -1)]:
            low_MK = near_MKQ[..., level - 1] if level > middle else least_MK
            high_MK = near_MKQ[..., level + 1] if level < middle else np.full_like(least_MK, np.inf)
            near_MKQ[..., level] = within(projection, free_MKQ[..., level], low_MK, high_MK, self.deadline)
        return near_MKQ

    def _least(self, moments: int) -> Doubles:
        """Lower bounds [M, K] of the leaves."""
        base_MKQ = self.values_NKQ[len(self.family.parents) :]
        bounded_M = (base_MKQ >= 0).all(axis=(1, 2)) & self.non_negative
        return np.repeat(np.where(bounded_M, 0.0, -np.inf)[:, None], moments, axis=1)


def _check(family: Family, said_NKQ: Doubles) -> None:
    """The promise, looked at once more when all is done."""
    gap = family.gap(said_NKQ.reshape(len(said_NKQ), -1))
    if not gap <= COHERENT or (np.diff(said_NKQ, axis=-1) < 0).any():
        raise ArithmeticError(f"the family of '{family.parents[0]}' is not coherent after reconciliation: {gap:.2g}")


def told_of(deadline: Deadline) -> list[str]:
    """A warning where columns were cut."""
    if not deadline.cut:
        return []
    return [
        f"reconciliation: of {deadline.asked} columns of numbers that needed bounds (no negative demand, no crossing"
        f" quantiles), {deadline.cut} were not solved within {deadline.seconds:g} s; there the leaves were cut at their"
        " bounds and the parents are their sums: coherent, but not the nearest to the forecast"
    ]
