"""`joined`: forecasts of parents and of children, each in its own unit, as one forecast to reconcile."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from forecast.errors import DataError, RequestError
from forecast.reconciliation.layout import step_of
from forecast.tables import Forecast, quantile_columns
from forecast.tables.units import conversion_factor


def joined(forecasts: Sequence[Forecast], unit: str | None = None) -> Forecast:
    """Forecasts of different series as one, in one unit: a parent in MW beside children in kW or kWh per period.

    Args:
        forecasts: of the same quantile levels; a series is in one of them only.
        unit: the unit of the whole; None: the first forecast's.

    Raises:
        RequestError: no forecast. DataError: other levels, other steps, or a series that is told twice (`Forecast`).
        DeclarationError: an unknown unit.
    """
    if not forecasts:
        raise RequestError("no forecast to join", "one or more")
    first = forecasts[0]
    into = unit if unit is not None else first.unit
    step = _one_step(forecasts)
    columns = ["mean", *quantile_columns(first.levels)]
    parts = []
    for one in forecasts:
        if one.levels != first.levels:
            raise DataError(f"quantile levels {one.levels} beside {first.levels}", "the same levels in all forecasts")
        factor = conversion_factor(one.unit, into, step)
        parts.append(one.frame.assign(**{name: one.frame[name] * factor for name in columns}))
    models = dict.fromkeys(one.model for one in forecasts)
    warnings = dict.fromkeys(warning for one in forecasts for warning in one.warnings)
    return Forecast(pd.concat(parts, ignore_index=True), into, "+".join(models), tuple(warnings))


def _one_step(forecasts: Sequence[Forecast]) -> pd.Timedelta:
    """The length of a period, where all agree; a forecast of single periods agrees with any."""
    steps = {one.model: step for one in forecasts if (step := step_of(one.frame)) is not None}
    if len(set(steps.values())) > 1:
        raise DataError(
            "the forecasts have mixed frequencies", "one step for all", "forecast them on one step",
            stamps=[f"{model}: {step}" for model, step in steps.items()],
        )  # fmt: skip
    found = next(iter(steps.values()), None)
    if found is None and len({one.unit for one in forecasts}) > 1:
        raise DataError("forecasts of single periods in several units", "two periods or more, to read the step from")
    return found if found is not None else pd.Timedelta(hours=1)
