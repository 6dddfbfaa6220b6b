"""`explain`: one forecast taken apart, with nothing but what its cutoff knew."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.calibration import middle_of
from forecast.errors import RequestError
from forecast.explanations.attention import attention_of
from forecast.explanations.attribution import (
    CALENDAR,
    CORRECTION,
    Attribution,
    ColumnGroups,
    attribute,
    covariate_groups,
)
from forecast.explanations.explanation import NOT_GIVEN, PARTLY, Explanation
from forecast.explanations.past import inputs_at, past_days
from forecast.explanations.similar import similar_days
from forecast.features import Inputs
from forecast.forecaster import Forecaster
from forecast.forecaster.forecaster import BATCH
from forecast.forecaster.missing import missing_ahead
from forecast.tables import Demand, Series, quantile_column, quantile_columns
from forecast.windows import Ints

Doubles = npt.NDArray[np.float64]

REFERENCE_DAYS = 28
"""Four weeks: every weekday counts the same in the baseline."""
ROUNDING = 1e-6
"""A forecaster that differs from its model by less of the forecast than this corrects nothing."""


def explain(
    forecaster: Forecaster, demand: Demand, cutoff: pd.Timestamp, *, unique_id: str | None = None,
    horizon: int | None = None,
) -> Explanation:  # fmt: skip
    """Takes one forecast apart: causes that add up, attention over history, similar past days with their outcome.

    Args:
        forecaster: any trained forecaster.
        demand: the history, and future rows that carry known-ahead covariates.
        cutoff: an aware stamp.
        unique_id: the series; the only one where None.
        horizon: steps from the first period at or after the cutoff; the task's where None.

    Raises:
        DataError: the demand lacks columns or has another step.
        NotEnoughHistory: no past day is known that the forecast could be held against.
        RequestError: the series must be named, or the horizon cannot be answered.
    """
    # As `predict` reads it: with the holidays that were learned, without events that were not.
    demand = forecaster.spec.as_learned(demand.as_of(cutoff))
    moment, one = pd.Timestamp(cutoff).tz_convert("UTC"), _series(demand, unique_id)
    said = forecaster.predict(demand, [moment], horizon=horizon)
    mine = said.frame[said.frame["unique_id"] == one.unique_id].reset_index(drop=True)
    factor = demand.output_factor
    today, raw_H = _today(forecaster, demand, one, moment, len(mine))
    past = past_days(forecaster.spec, demand, one, moment, today)
    forecast_H = mine[quantile_column(0.5)].to_numpy(dtype=np.float64)
    newest = min(REFERENCE_DAYS, len(past))
    shares = attribute(
        lambda inputs: forecaster.model.quantiles(inputs)[:, :, middle_of(forecaster.spec.recipe.quantiles)], today,
        past.inputs.only(np.arange(newest)), ColumnGroups.of(forecaster.spec.column_reader), raw_H,
    )  # fmt: skip
    attention, why_none = attention_of(forecaster.model, today, mine["ds"].iloc[0], demand.step)
    return Explanation(
        one.unique_id, said.model, said.unit, one.zone, moment, pd.DatetimeIndex(mine["ds"]), forecast_H,
        shares.baseline_H * factor, _groups(shares, forecast_H, raw_H, factor), past.cutoffs[:newest],
        tuple(said.levels), mine[quantile_columns(said.levels)].to_numpy(dtype=np.float64), attention, why_none,
        similar_days(forecaster.model, today, past, factor), said.warnings,
        _not_given(forecaster, demand, one, moment, len(mine)),
    )  # fmt: skip


def _series(demand: Demand, unique_id: str | None) -> Series:
    names = list(demand.by_id)
    if unique_id is None and len(names) > 1:
        found = f"{len(names)} series and none named"
    elif unique_id is not None and unique_id not in demand.by_id:
        found = f"no series '{unique_id}'"
    else:
        return demand.by_id[unique_id if unique_id is not None else names[0]]
    raise RequestError(found, f"one of {', '.join(names[:10])}", "name the series to explain (unique_id)")


def _not_given(forecaster: Forecaster, demand: Demand, one: Series, cutoff: pd.Timestamp, steps: int) -> dict[str, str]:
    """The groups whose columns known ahead are missing ahead: their shares are what a mask does."""
    lost: dict[str, list[int]] = {}
    for name, group in covariate_groups(forecaster.spec.column_reader).items():
        if name in demand.columns.known:
            lost.setdefault(group, []).append(len(missing_ahead(demand, one, name, cutoff, steps)))
    # The civil clock is never missing.
    whole = {group: group != CALENDAR and min(counts) == steps for group, counts in lost.items()}
    return {group: NOT_GIVEN if whole[group] else PARTLY for group, counts in lost.items() if any(counts)}


def _today(
    forecaster: Forecaster, demand: Demand, one: Series, cutoff: pd.Timestamp, steps: int
) -> tuple[Inputs, Doubles]:
    """The series' window [1, ...] and its model's median [H], from the same batch that `predict` makes: equal bits."""
    number, count = demand.series.index(one), len(demand.series)
    begin = number // BATCH * BATCH
    index_B: Ints = np.arange(begin, min(begin + BATCH, count))
    inputs = inputs_at(forecaster.spec, demand, [cutoff], steps, index_B)
    said_BHQ = forecaster.model.quantiles(inputs)
    return inputs.only(np.array([number - begin])), said_BHQ[
        number - begin, :, middle_of(forecaster.spec.recipe.quantiles)
    ].astype(np.float64)


def _groups(shares: Attribution, forecast_H: Doubles, raw_H: Doubles, factor: float) -> dict[str, Doubles]:
    """The shares in the source's unit, and what the forecaster itself adds to its model's median."""
    groups = {name: share_H * factor for name, share_H in shares.groups.items()}
    correction_H = forecast_H - raw_H * factor
    if np.abs(correction_H).max() > ROUNDING * np.abs(forecast_H).max():
        groups[CORRECTION] = correction_H
    return groups
