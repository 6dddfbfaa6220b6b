"""Series without a known value: whether a model can tell their level, and what to say about it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from forecast.errors import DataError
from forecast.forecaster.models import Model
from forecast.forecaster.spec import ForecasterSpec
from forecast.recipe import NetworkModel
from forecast.tables import Demand, Series, power_unit

FITTED = "static_level.fitted"
"""What a network calls the array that says whether it learned levels from static columns."""
SHOWN = 5


def unmeasured(demand: Demand) -> list[Series]:
    """The series in which no value of y is there, known or not; only a table that is `forecast_only` has some."""
    # A known last value, which most series have, tells at once; a long table need not be read for it.
    return [one for one in demand.series if not _ends_known(one) and not np.isfinite(one.values_TC[:, 0]).any()]


def _ends_known(one: Series) -> bool:
    return len(one) > 0 and math.isfinite(one.values_TC[-1, 0])


def check_unmeasured(spec: ForecasterSpec, model: Model, demand: Demand) -> None:
    """Refuses series without any value where nothing tells their level.

    Raises:
        DataError: a series of a table that is only forecast from has no value of y, and the model does not start from
            static columns, or they speak of another unit of power.
    """
    blank = unmeasured(demand) if demand.forecast_only else []
    if not blank:
        return
    why = why_no_level(spec, model)
    if why:
        raise DataError(
            f"every value of demand is missing, and model '{spec.name}' cannot start without one: {why}",
            "at least one number, or networks that learned levels from static columns",
            "check --target; for meters without history train networks with --static columns that tell their size, "
            "and with unseen = 0.2 under [model.training] of the recipe", series=blank[0].unique_id,
        )  # fmt: skip
    if power_unit(demand.unit) != power_unit(spec.unit):
        raise DataError(
            f"no value of demand is known, and the unit is {demand.unit}",
            f"{power_unit(spec.unit)} or its energy: the level that the static columns tell was learned in {spec.unit}",
            "declare it with --unit", series=blank[0].unique_id,
        )  # fmt: skip


def why_no_level(spec: ForecasterSpec, model: Model) -> str:
    """Why a model cannot tell the level of a series without history; "" where its static columns tell it."""
    if not spec.static:
        return "it was trained without static columns"
    if not spec.only_networks:
        others = sorted({one.kind for one in spec.recipe.members if not isinstance(one, NetworkModel)})
        return f"only networks learn levels from static columns, and it holds {', '.join(others)}"
    fitted = [bool(array.all()) for name, array in model.arrays().items() if name.endswith(FITTED)]
    if not fitted or not all(fitted):
        return "not all series that it learned from have a positive level, so its static columns tell none"
    return ""


def started_from_static(spec: ForecasterSpec, model: Model, demand: Demand, cutoff: pd.Timestamp) -> list[str]:
    """Names of the series of whose context nothing is known at a cutoff, and whose level static columns tell."""
    if not spec.starts_from_static:
        return []
    narrowed = demand.as_of(cutoff)
    blind = [one.unique_id for one in demand.series if _blind(narrowed, one, cutoff, spec.context)]
    return blind if blind and not why_no_level(spec, model) else []


def level_warnings(spec: ForecasterSpec, names: Sequence[str]) -> list[str]:
    """What to know of forecasts of `started_from_static` series."""
    if not names:
        return []
    listed = ", ".join(f"'{name}'" for name in names[:SHOWN])
    listed += f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    told = (
        f"series {listed}: all {spec.context} steps of context have no known y; the level comes from the static "
        f"columns ({', '.join(spec.static)}) as learned from other series, and the intervals are not calibrated for "
        "such a start"
    )
    if not all(training.unseen for training in spec.recipe.trainings):
        told += "; without `unseen` in its training the model has not learned what a day without history looks like"
    learned = [f"'{name}'" for name in names if name in spec.series]
    if learned:
        told += f"; {', '.join(learned[:SHOWN])} had demand in training: see whether it was left out by mistake"
    return [told]


def _blind(narrowed: Demand, one: Series, cutoff: pd.Timestamp, context: int) -> bool:
    """Whether a window at the cutoff, to which the table is narrowed, holds no known y."""
    origin = -((one.start.value - cutoff.value) // narrowed.step.value)
    known_T = np.isfinite(narrowed.observed(one))
    return not known_T[max(0, origin - context) : max(0, origin)].any()
