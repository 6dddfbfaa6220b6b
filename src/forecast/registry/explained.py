"""`log_explanation`: one forecast taken apart, as figures on a run's page."""

from __future__ import annotations

import pandas as pd

from forecast.errors import NotEnoughHistory
from forecast.forecaster import Forecaster
from forecast.registry.runs import Run
from forecast.tables import Demand


def log_explanation(run: Run, forecaster: Forecaster, demand: Demand, cutoff: pd.Timestamp) -> None:
    """Draws why the first series is forecast as it is at a cutoff; nothing where no past day is known."""
    from forecast.plots.explanations import figures

    try:
        drawn = figures(forecaster, demand, cutoff, unique_id=demand.series[0].unique_id)
    except NotEnoughHistory:
        return
    for name, figure in drawn.items():
        run.figure(figure, name)
