"""Explanations of the forecasts of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from forecast.calendars import inside, is_day_clock, outside
from forecast.explanations import Explanation, explain
from forecast.explanations.inside import networks_of
from forecast.forecaster import Forecaster
from forecast.recipe import NetworkModel
from serving.questions import Question
from serving.told import Told

SPACE = "the columns ahead, standardised (graphs do not show the network's own state)"
NOT_TOLD = "the service runs networks from graphs, which do not tell where they look"


def explained(
    forecaster: Forecaster, question: Question, one: Told, levels: Sequence[float]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Why one series' forecast is what it is, as plain JSON, with the bands that are told; and what it lacks.

    Args:
        forecaster: said it.
        question: as it was put.
        one: the forecast.
        levels: of its quantiles.

    Raises:
        ForecastError: there is no past day that it could be held against, or the question cannot be explained.
    """
    zone = question.demand.zones[one.unique_id]
    steps = _steps(question, one, zone)
    whole = _lived(explain(forecaster, question.demand, question.cutoff, unique_id=one.unique_id, horizon=steps))
    told = _only(whole, np.isin(whole.ds.to_numpy(dtype="datetime64[ns]"), one.ds_H.astype("datetime64[ns]")))
    # Those of the model alone may be narrower than what was said of a history with holes.
    told = replace(told, levels=tuple(levels), quantiles_HQ=one.quantiles_HQ)
    unseen = told.attention is None and not networks_of(forecaster.model) and _has_network(forecaster)
    if not unseen:
        return told.as_dict(), ()
    similar = replace(told.similar, space=SPACE)
    lacking = f"explanations are without attention: {NOT_TOLD}"
    return replace(told, no_attention=NOT_TOLD, similar=similar).as_dict(), (lacking,)


def _steps(question: Question, one: Told, zone: str) -> int:
    """From the first period at or after the cutoff to the last one that was said."""
    step, series = question.demand.step.value, question.demand.by_id[one.unique_id]
    last = pd.DatetimeIndex(one.ds_H[-1:], tz="UTC")
    if is_day_clock(zone):
        last = inside(last, zone)
    first = series.start.value - (series.start.value - question.cutoff.value) // step * step
    return int((last.as_unit("ns").asi8[0] - first) // step) + 1


def _lived(told: Explanation) -> Explanation:
    """With stamps as they were lived."""
    if not is_day_clock(told.zone):
        return told
    days = tuple(replace(one, cutoff=_moment(one.cutoff, told.zone)) for one in told.similar.days)
    return replace(
        told, ds=outside(told.ds, told.zone), cutoff=_moment(told.cutoff, told.zone),
        references=outside(told.references, told.zone), similar=replace(told.similar, days=days),
    )  # fmt: skip


def _moment(moment: pd.Timestamp, zone: str) -> pd.Timestamp:
    return outside(pd.DatetimeIndex([moment]), zone)[0]


def _only(told: Explanation, keep_H: np.ndarray) -> Explanation:
    """Only some of its steps, such as those of a delivery day."""
    if keep_H.all():
        return told
    attention = told.attention and replace(told.attention, weights_HL=told.attention.weights_HL[keep_H])
    days = tuple(replace(one, outcome_H=one.outcome_H[keep_H]) for one in told.similar.days)
    return replace(
        told, ds=told.ds[keep_H], forecast_H=told.forecast_H[keep_H], baseline_H=told.baseline_H[keep_H],
        groups={name: share_H[keep_H] for name, share_H in told.groups.items()},
        quantiles_HQ=told.quantiles_HQ[keep_H], attention=attention, similar=replace(told.similar, days=days),
    )  # fmt: skip


def _has_network(forecaster: Forecaster) -> bool:
    return any(isinstance(one, NetworkModel) for one in forecaster.spec.recipe.members)
