"""`reconcile_paths`: equally likely outcomes of a whole family, each of which adds up.

N series of a family, P parents, S paths, H periods, Q levels, D past cutoffs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import NotEnoughHistory, RequestError
from forecast.paths import COUNT, along, rank_outcomes, sample_quantiles
from forecast.reconciliation.bounded import Deadline, within
from forecast.reconciliation.family import Doubles, Family, Ints
from forecast.reconciliation.hierarchy import Hierarchy
from forecast.reconciliation.layout import Layout, step_of
from forecast.reconciliation.past_errors import PastErrors, of_model
from forecast.reconciliation.projection import Projection
from forecast.reconciliation.reconcile import TIME_LIMIT_S, present, told_of
from forecast.reconciliation.weights import check_method, too_few, weights_at
from forecast.tables import Forecast, quantile_columns
from forecast.tables.forecast import quantile_levels

Bools = npt.NDArray[np.bool_]
LEAST_DAYS = 20


@dataclass(frozen=True, eq=False)
class FamilyPaths:
    """Paths of one family from one cutoff; in every path and period the children sum to their parents.

    Attributes:
        names: the series, the root first.
        cutoff: the moment.
        ds_H: the periods.
        paths_NSH: the outcomes, in `unit`.
        unit, model, warnings: as a `Forecast` has them.
    """

    names: tuple[str, ...]
    cutoff: pd.Timestamp
    ds_H: pd.DatetimeIndex
    paths_NSH: Doubles
    unit: str
    model: str
    warnings: tuple[str, ...] = ()

    def forecast(self, levels: Sequence[float]) -> Forecast:
        """Each series' own quantiles: those of a parent are NOT the sums of its children's, its mean is."""
        quantiles_NHQ = sample_quantiles(np.swapaxes(self.paths_NSH, 1, 2), levels)
        count = len(self.ds_H)
        frame = pd.DataFrame({"unique_id": np.repeat(np.array(self.names, dtype=object), count)})
        frame["cutoff"] = self.cutoff
        frame["ds"] = np.tile(self.ds_H, len(self.names))
        frame["ds"] = pd.to_datetime(frame["ds"], utc=True)
        frame["mean"] = self.paths_NSH.mean(axis=1).ravel()
        frame[quantile_columns(levels)] = quantiles_NHQ.reshape(-1, len(levels))
        return Forecast(frame, self.unit, self.model, self.warnings)


def reconcile_paths(
    forecast: Forecast,
    hierarchy: Hierarchy,
    walk: pd.DataFrame,
    method: str | None = None,
    *,
    count: int = COUNT,
    seed: int = 0,
    delay: str | pd.Timedelta = "0h",
    non_negative: bool = True,
    time_limit_s: float = TIME_LIMIT_S,
) -> list[FamilyPaths]:
    """Draws joint paths of each family, and makes every one of them add up.

    The paths keep each series' own quantiles; which values occur together, over series and periods, is as it was in
    the past days of the walk. Then each path is projected as `reconcile` projects a level.

    Args:
        forecast: one cutoff, two levels or more.
        hierarchy, method, delay, non_negative, time_limit_s: as for `reconcile`.
        walk: past forecasts of the same model, series and leads, as `backtest.walk` makes the table; days count that
            were known at the cutoff.
        count: paths.
        seed: the same seed gives the same paths.

    Returns:
        the paths of each family.

    Raises:
        RequestError: several cutoffs, a single level, an unknown method. NotEnoughHistory: fewer than `LEAST_DAYS` past
        days of the walk tell all series and leads. DataError: as `reconcile`.

    Source: Clark et al. (2004), The Schaake shuffle; Panagiotelis, Gamakumara, Athanasopoulos and Hyndman (2023),
    Probabilistic forecast reconciliation, for the projection of paths.
    """
    if forecast.frame["cutoff"].nunique() != 1 or len(forecast.levels) < 2 or count < 1:
        raise RequestError("paths of several cutoffs, of a single level, or none", "one cutoff, two levels, one path")
    chosen, past = check_method(method or "mint", errors=True), PastErrors.of(walk, forecast.model, delay)
    made = []
    for family in present(forecast, hierarchy):
        layout = Layout.of(forecast, family)
        cutoff, deadline = layout.cutoff_K[0], Deadline(time_limit_s)
        ds_H = pd.DatetimeIndex(forecast.frame["ds"].iloc[layout.rows_NK[0]])
        rank_DNH = _past_ranks(of_model(walk, forecast.model), family, cutoff - pd.Timedelta(delay), ds_H - cutoff)
        place_SNH = _places(rank_DNH, count, seed)
        drawn = [along(values, forecast.levels, place_SNH[:, at]) for at, values in enumerate(layout.values_NKQ)]
        weight, lacking = weights_at(family, cutoff, chosen, past, layout.values_NKQ)
        bounded_N = np.asarray((layout.values_NKQ >= 0).all(axis=(1, 2)) & non_negative)
        paths_NSH = _projected(family, np.stack(drawn), weight, bounded_N, deadline)
        told = (*forecast.warnings, *too_few(family, [cutoff] if lacking else [], chosen), *told_of(deadline))
        made.append(FamilyPaths(family.names, cutoff, ds_H, paths_NSH, forecast.unit, forecast.model, told))
    return made


def _past_ranks(walk: pd.DataFrame, family: Family, until: pd.Timestamp, lead_H: pd.TimedeltaIndex) -> Doubles:
    """Where outcomes fell in their forecasts [D, N, H], for past cutoffs that tell all series at these leads.

    Only periods that ended by `until` count.
    """
    walk = walk[walk["unique_id"].isin(family.names)]
    lead_R = walk["ds"] - walk["cutoff"]
    step = step_of(walk)
    known = lead_R.isin(lead_H) & (walk["ds"] + (step if step is not None else pd.Timedelta(0)) <= until)
    walk = walk[known].assign(lead=lead_R)
    levels = quantile_levels(walk)
    quantiles_R1Q = walk[quantile_columns(levels)].to_numpy(dtype=np.float64)[:, None]
    y_R1 = walk["y"].to_numpy(dtype=np.float64)[:, None]
    ranked = walk.assign(rank=rank_outcomes(quantiles_R1Q, levels, y_R1, np.isfinite(y_R1))[:, 0])
    wide = ranked.pivot(index="cutoff", columns=["unique_id", "lead"], values="rank")
    wanted = pd.MultiIndex.from_product([family.names, lead_H])
    whole = wide.reindex(columns=wanted).dropna()
    if len(whole) < LEAST_DAYS:
        raise NotEnoughHistory(
            f"{len(whole)} past days tell all series of the family of '{family.parents[0]}' at these leads",
            f"{LEAST_DAYS} known before {until:%Y-%m-%dT%H:%MZ}", "walk over a longer span, with the same horizon",
        )  # fmt: skip
    return np.asarray(whole, dtype=np.float64).reshape(len(whole), len(family.names), len(lead_H))


def _places(rank_DNH: Doubles, count: int, seed: int) -> Ints:
    """Which of a series' ascending values each path takes in each period [S, N, H]: the order of past days' ranks.

    Days are drawn as often each; paths of the same day are told apart at random.
    """
    rng = np.random.default_rng(seed)
    row_S = rng.permutation(np.resize(rng.permutation(len(rank_DNH)), count))
    rank_SNH = rank_DNH[row_S]
    order_SNH = np.lexsort((rng.random(rank_SNH.shape), rank_SNH), axis=0)
    return np.asarray(np.argsort(order_SNH, axis=0, kind="stable"))


def _projected(
    family: Family, paths_NSH: Doubles, weight: Doubles | None, bounded_N: Bools, deadline: Deadline
) -> Doubles:
    """The paths, each coherent."""
    parents, flat_NK = len(family.parents), paths_NSH.reshape(len(paths_NSH), -1)
    low_M1 = np.where(bounded_N[parents:], 0.0, -np.inf)[:, None]
    if weight is None:
        leaves_MK = np.maximum(flat_NK[parents:], low_M1)
    else:
        projection = Projection.of(family, weight)
        free_MK = projection.leaves(flat_NK)
        low_MK = np.broadcast_to(low_M1, free_MK.shape)
        leaves_MK = within(projection, free_MK, low_MK, np.full(free_MK.shape, np.inf), deadline)
    return family.whole(leaves_MK).reshape(paths_NSH.shape)
