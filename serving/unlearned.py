"""What a question is checked against while no model is served: a spec of which nothing was learned."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from forecast.calibration import Calibration
from forecast.errors import ForecastError
from forecast.features import FeatureState
from forecast.forecaster import ForecasterSpec
from forecast.recipe import FeatureConfig, Recipe, SeasonalNaiveModel, Task
from serving.bodies import ForecastRequest
from serving.stamps import read_stamps, read_step

NAME = "no-model"
HISTORY = "28d"
DAY = pd.Timedelta(days=1)
LONG_AGO = "1900-01-01T00:00:00+00:00"


def spec_of_request(request: ForecastRequest) -> ForecasterSpec | None:
    """The spec that a request itself tells; None where it does not say how long a period is.

    The step is the commonest distance of its stamps, the zone that of its first series (else UTC), the unit its own
    (else MW); a day is forecast. No column but `y` is read.
    """
    step = None if request.stateful else _step(request)
    if step is None:
        return None
    return spec_of(step, request.unit or "MW", next((one.zone for one in request.series if one.zone), "UTC"))


def spec_of(step: pd.Timedelta, unit: str, zone: str, delay: pd.Timedelta | None = None) -> ForecasterSpec:
    """A spec of which nothing was learned, for series of one step.

    Args:
        step: length of a period.
        unit: of the series.
        zone: civil zone of series that name none.
        delay: how late values become known.
    """
    model = SeasonalNaiveModel()
    recipe = Recipe(name=NAME, model=model, context=HISTORY, features=FeatureConfig(reach_days=28))
    return ForecasterSpec(
        recipe=recipe, task=Task(horizon=max(1, int(DAY / step))), model={}, model_kind=model.kind, past=(), known=(),
        static=(), step_seconds=int(step.total_seconds()), unit=unit, zone=zone, country=None,
        delay_seconds=int(delay.total_seconds()) if delay is not None else 0, series=(), features=FeatureState(),
        calibration=Calibration.none(recipe.quantiles), trained_from=LONG_AGO, trained_until=LONG_AGO, data_digest="",
        seasonal_scale={},
    )  # fmt: skip


def _step(request: ForecastRequest) -> pd.Timedelta | None:
    """The length of a period, as `step` says or the stamps show; None where neither does, or no day holds it."""
    apart: Counter[int] = Counter()
    try:
        for one in request.series:
            if one.measured.step is not None:
                apart[read_step(one.measured.step, series=one.unique_id).value] += 1
            elif one.measured.ds:
                ds = read_stamps(one.measured.ds, series=one.unique_id, column="ds")
                apart.update((ds[1:] - ds[:-1]).tolist())
    except ForecastError:
        return None
    whole = [(count, step) for step, count in apart.items() if step >= 10**9 and step % 10**9 == 0]
    return pd.Timedelta(max(whole)[1]) if whole else None
