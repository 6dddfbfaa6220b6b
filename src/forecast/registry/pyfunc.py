"""What MLflow runs when somebody loads a registered forecaster through `mlflow.pyfunc`: our folder, no pickle.

MLflow copies this file into the model ("models from code") and executes the copy; the package must be installed there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

from forecast.calendars import checked_days, inside, is_day_clock, moment_inside, told
from forecast.errors import DataError
from forecast.forecaster import Forecaster, ForecasterSpec
from forecast.tables import Demand


class ForecasterModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A long frame of history (and known-ahead rows) in, a long frame of quantiles out."""

    def load_context(self, context: Any) -> None:
        """Reads the folder that was logged as the artifact `forecaster`."""
        self.forecaster = Forecaster.load(Path(context.artifacts["forecaster"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Forecasts from `cutoff` (the end of what is known where empty) over `horizon` steps (0: as trained).

        Raises:
            ForecastError: the frame or the parameters do not fit.
        """
        asked = params or {}
        demand = _demand(model_input, self.forecaster.spec)
        zone = self.forecaster.spec.zone
        said_at = asked.get("cutoff")
        cutoff = moment_inside(pd.Timestamp(said_at), zone) if said_at else demand.last_known_end()
        horizon = int(asked.get("horizon") or 0) or None
        quantiles = [float(level) for level in asked.get("quantiles", ())] or None
        said = self.forecaster.predict(demand, [cutoff], horizon=horizon, quantiles=quantiles)
        return told(said.frame, demand.zones)


def _demand(frame: Any, spec: ForecasterSpec) -> Demand:
    """The frame as a table; stamps may be texts with a zone ("2014-07-01T00:00Z")."""
    table = frame.copy(deep=False)
    for column in [name for name in ("ds", "available_at") if name in table.columns]:
        if not pd.api.types.is_datetime64_any_dtype(table[column]):
            table[column] = _stamps(table[column], column)
    if is_day_clock(spec.zone):
        table["ds"] = checked_days(pd.DatetimeIndex(table["ds"]), spec.zone)
        if "available_at" in table.columns:
            stated = table["available_at"].notna()
            table.loc[stated, "available_at"] = inside(pd.DatetimeIndex(table.loc[stated, "available_at"]), spec.zone)
    return Demand.from_frame(
        table, columns=spec.columns, zone=spec.zone, unit=spec.unit, freq=spec.step,
        delay=pd.Timedelta(seconds=spec.delay_seconds), country=spec.country,
    )  # fmt: skip


def _stamps(texts: Any, column: str) -> Any:
    naive = [text for text in texts if pd.Timestamp(text).tzinfo is None and not pd.isna(pd.Timestamp(text))]
    if naive:
        raise DataError("stamps without a zone", "texts such as 2014-07-01T00:00Z", column=column, stamps=naive)
    return pd.to_datetime(texts, utc=True, format="ISO8601")


mlflow.models.set_model(ForecasterModel())
