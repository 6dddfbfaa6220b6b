"""Whether parents were the sum of their children in the history, and by how much they were not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.errors import DataError
from forecast.reconciliation.hierarchy import Hierarchy
from forecast.tables import Demand

TOLERANCE = 0.001
"""Mean difference, as a share of the parent's mean size, that is taken for rounding."""


def check_sums(history: Demand | pd.DataFrame, hierarchy: Hierarchy, tolerance: float = TOLERANCE) -> list[str]:
    """Warnings about parents that are not the sum of their children where all of them were measured.

    Args:
        history: the table, or a long frame of unique_id, ds and y in one unit.
        hierarchy: families of which the history has no series are left out.
        tolerance: share of the parent's mean size up to which nothing is said.

    Returns:
        a sentence for each such parent, and for each that was never measured together with all its children.

    Raises:
        DataError: the history has only a part of a family.
    """
    frame = history.to_frame() if isinstance(history, Demand) else history
    known = set(frame["unique_id"].unique())
    families = [family for family in hierarchy.families if known.intersection(family.names)]
    absent = sorted({name for family in families for name in family.names} - known)
    if absent:
        raise DataError(
            f"the history has no {', '.join(absent[:5])}", "every series of a family", "correct the parents, or add it"
        )
    wanted = [name for family in families for name in family.names]
    wide = frame[frame["unique_id"].isin(wanted)].pivot(index="ds", columns="unique_id", values="y")
    told = [
        _apart(wide, parent, family.children[parent], tolerance) for family in families for parent in family.parents
    ]
    return [sentence for sentence in told if sentence]


def _apart(wide: pd.DataFrame, parent: str, children: tuple[str, ...], tolerance: float) -> str:
    both = wide[[parent, *children]].astype(np.float64).dropna()
    if both.empty:
        return f"'{parent}' was never measured together with all its children: whether they add up is not known"
    more = both[list(children)].sum(axis=1) - both[parent]
    size = float(both[parent].abs().mean())
    apart = float(more.abs().mean())
    if apart <= tolerance * size:
        return ""
    worst = more.abs().idxmax()
    share = f"{apart / size:.2%}" if size else f"{apart:.4g}, where it is zero,"
    return (
        f"in the history '{parent}' is not the sum of its {len(children)} children: they differ by {share} on average"
        f" ({'more' if more.mean() > 0 else 'less'} by {abs(float(more.mean())):.4g} over {len(both)} periods, by"
        f" {float(more[worst]):+.4g} at {pd.Timestamp(worst):%Y-%m-%dT%H:%MZ}); reconciled they add up all the same"
    )
