"""`fit_features`: what the columns learn from the training part."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.calendars import YEAR_DAYS
from forecast.features.assembly import Features, FeatureState
from forecast.recipe import FeatureConfig
from forecast.tables import Demand

NEAR = 0.25
YEAR_ENDS = 3


def fit_features(config: FeatureConfig, demand: Demand, context: int) -> Features:
    """Reads from the training part where hinges bend, and which covariates are flags or run beside the demand.

    Args:
        config: which columns.
        demand: the training part (narrowed by `as_of`); known-ahead values are read up to `known_until` only.
        context: L, steps of history.
    """
    knots: dict[str, tuple[float, ...]] = {}
    binary, like_demand = [], []
    spans: dict[str, tuple[float, float]] = {}
    for name in (*demand.columns.past, *demand.columns.known):
        seen = np.concatenate([demand.observed(one, name)[demand.begun_rows(one)] for one in demand.series])
        seen = seen[np.isfinite(seen)]
        if len(seen):
            spans[name] = float(seen.min()), float(seen.max())
        if len(seen) and np.isin(seen, (0.0, 1.0)).all():
            binary.append(name)
        elif name in demand.columns.known and len(seen) and _runs_beside(demand, name):
            like_demand.append(name)
        elif len(seen):
            # Evenly spread in value, not in rank: demand bends hardest where days are rare.
            low, high = np.quantile(seen.astype(np.float64), [0.02, 0.99])
            bends = np.unique(np.linspace(low, high, config.knots).round(6))
            knots[name] = tuple(float(bend) for bend in bends)
    state = FeatureState(
        knots=knots, binary=tuple(binary), like_demand=tuple(like_demand),
        series=tuple(one.unique_id for one in demand.series), year_end=_year_ends(demand) >= YEAR_ENDS,
        seasons=_known_days(demand) >= YEAR_DAYS, bridge_days=True, weekends=True, seen=spans,
    )  # fmt: skip
    return Features(config, state, demand.columns, context)


def _year_ends(demand: Demand) -> int:
    """How often the turn of a year lies in the known history."""
    return int(demand.last_known_end().year - min(one.start for one in demand.series).year)


def _known_days(demand: Demand) -> float:
    """Days from the first known value of any series to the last."""
    known = [(one, np.isfinite(demand.observed(one))) for one in demand.series]
    first = min(one.start + int(known_T.argmax()) * demand.step for one, known_T in known if known_T.any())
    return float((demand.last_known_end() - first) / pd.Timedelta("1D"))


def _runs_beside(demand: Demand, name: str) -> bool:
    """Whether a covariate says about what the demand does: in most series, within a quarter of it half of the time."""
    near = []
    for one in demand.series:
        rows = demand.known_rows(one)
        y_T, x_T = (demand.observed(one, column)[rows].astype(np.float64) for column in ("y", name))
        with np.errstate(invalid="ignore"):
            both = np.isfinite(y_T) & np.isfinite(x_T) & (y_T != 0)
        if both.any():
            near.append(float(np.median(np.abs(x_T[both] / y_T[both] - 1))) < NEAR)
    return bool(near) and bool(np.mean(near) > 0.5)
