"""`Forecaster.predict`: the one way to a forecast, for backtest, command line and service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from forecast.calibration import window_scale
from forecast.errors import DataError, RequestError
from forecast.features.civil import HOURS
from forecast.forecaster import folder as _folder
from forecast.forecaster.models import Floats, Model, model_class
from forecast.forecaster.missing import what_is_missing
from forecast.forecaster.spec import ForecasterSpec
from forecast.tables import Demand, Forecast, mean_of_quantiles, quantile_columns
from forecast.tables.forecast import check_levels
from forecast.windows import Ints, origins_at

BATCH = 256
MAX_HORIZON_DAYS = 15

Span = tuple[pd.Timestamp, pd.Timestamp]


@dataclass(frozen=True, eq=False)
class Forecaster:
    """A trained model with everything that it needs to answer.

    Attributes:
        spec: what it is and needs.
        model: the fitted model.
    """

    spec: ForecasterSpec
    model: Model

    def predict(
        self,
        demand: Demand,
        cutoffs: Sequence[pd.Timestamp] | pd.DatetimeIndex,
        *,
        horizon: int | None = None,
        spans: Sequence[Span] | None = None,
        quantiles: Sequence[float] | None = None,
        batch: int = BATCH,
    ) -> Forecast:
        """Forecasts of every series at every cutoff, each from what was known at its own cutoff only.

        Args:
            demand: the history, and future rows that carry known-ahead covariates.
            cutoffs: aware stamps.
            horizon: steps from the first period at or after the cutoff; the task's where None.
            spans: per cutoff, report only periods that start in [first, second), such as a delivery day.
            quantiles: the levels wanted; all of the recipe's where None.
            batch: windows per pass; answers agree to 1e-5 whatever it is.

        Returns:
            a `Forecast` in the demand's own unit, sorted by series, cutoff and period.

        Raises:
            DataError: the demand lacks columns or has another step.
            RequestError: horizon or quantiles that cannot be answered.
        """
        self._check(demand)
        wanted = check_levels(quantiles or self.spec.recipe.quantiles, self.spec.recipe.quantiles)
        steps = self._horizon(demand, cutoffs, horizon, spans)
        reader = self.spec.column_reader
        windows = reader.window_set(demand, origins_at(demand, cutoffs), steps)
        clock = reader.clock(windows)
        parts = []
        for begin in range(0, len(windows), batch):
            index_B = np.arange(begin, min(begin + batch, len(windows)))
            inputs = reader.inputs(windows, clock, index_B)
            scale_B = window_scale(inputs.past_BLP[:, :, 0], inputs.past_mask_BLP[:, :, 0])
            hour_BH = inputs.future_BHF[:, :, :HOURS].argmax(2)
            parts.append(self.spec.calibration.apply(self.model.quantiles(inputs), hour_BH, scale_B))
        frame = _frame(windows.origins.at(np.arange(len(windows)), demand), np.concatenate(parts), demand, self.spec)
        if spans is not None:
            frame = _within(frame, pd.DatetimeIndex(cutoffs), spans)
        offered = quantile_columns(self.spec.recipe.quantiles)
        keep = [name for name in frame.columns if name not in offered or name in quantile_columns(wanted)]
        told = what_is_missing(demand, pd.DatetimeIndex(cutoffs), self.spec.context, steps)
        if steps > self.spec.task.horizon:
            told = (*told, f"{steps} steps were asked, {self.spec.task.horizon} were learned: the last are extrapolated")
        return Forecast(frame[keep], demand.unit, self.spec.name, told)

    def save(self, folder: Path) -> None:
        """Writes the folder: JSON, safetensors, and a manifest of digests."""
        _folder.write(folder, self.spec, self.model.arrays())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The forecaster of a folder, its digests checked.

        Raises:
            ModelFolderError: the folder is missing, broken, changed, or of another version.
        """
        _folder.verify(folder)
        spec = _folder.read_spec(folder)
        chosen = model_class(spec.recipe.model.kind)
        return cls(spec, chosen.restore(spec.model, _folder.read_arrays(folder)))

    def _check(self, demand: Demand) -> None:
        if demand.step != self.spec.step:
            raise DataError(
                f"a step of {demand.step}", f"the {self.spec.step} that model '{self.spec.name}' was trained on",
                "resample the history, or train on this frequency",
            )  # fmt: skip
        if demand.columns != self.spec.columns:
            raise DataError(
                f"covariates {demand.columns.dynamic[1:] + demand.columns.static}",
                f"{self.spec.columns.dynamic[1:] + self.spec.static} as in training, in this order",
                f"model '{self.spec.name}' reads past {self.spec.past}, known {self.spec.known}, static {self.spec.static}",
            )

    def _horizon(
        self, demand: Demand, cutoffs: Sequence[pd.Timestamp] | pd.DatetimeIndex, horizon: int | None,
        spans: Sequence[Span] | None,
    ) -> int:  # fmt: skip
        if not len(cutoffs):
            raise RequestError("no cutoff", "at least one")
        steps = horizon if horizon is not None else self.spec.task.horizon
        if spans is not None:
            steps = max(int(np.ceil((end - cutoff) / demand.step)) for cutoff, (_, end) in zip(cutoffs, spans, strict=True))
        most = MAX_HORIZON_DAYS * demand.steps_per_day
        if not 1 <= steps <= most:
            raise RequestError(f"a horizon of {steps} steps", f"1 to {most} ({MAX_HORIZON_DAYS} days)", "ask for less")
        return steps


def _frame(where: tuple[Ints, Ints, Ints], quantiles_NHQ: Floats, demand: Demand, spec: ForecasterSpec) -> pd.DataFrame:
    series_N, row_N, cutoff_N = where
    count, steps, _ = quantiles_NHQ.shape
    starts_S = np.array([one.start.value for one in demand.series], dtype=np.int64)
    first_N = starts_S[series_N] + row_N * demand.step.value
    ds_NH = first_N[:, None] + np.arange(steps) * demand.step.value
    names_S = np.array([one.unique_id for one in demand.series], dtype=object)
    said = quantiles_NHQ.reshape(count * steps, -1) * demand.output_factor
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(names_S[series_N], steps),
            "cutoff": pd.to_datetime(np.repeat(cutoff_N, steps), utc=True),
            "ds": pd.to_datetime(ds_NH.ravel(), utc=True),
            "mean": mean_of_quantiles(said, spec.recipe.quantiles),
        }
    )
    frame[quantile_columns(spec.recipe.quantiles)] = said
    return frame


def _within(frame: pd.DataFrame, cutoffs: pd.DatetimeIndex, spans: Sequence[Span]) -> pd.DataFrame:
    """Only the periods that each cutoff was asked for."""
    begins = pd.Series([begin for begin, _ in spans], index=cutoffs)
    ends = pd.Series([end for _, end in spans], index=cutoffs)
    inside = (frame["ds"] >= frame["cutoff"].map(begins)) & (frame["ds"] < frame["cutoff"].map(ends))
    return frame[inside].reset_index(drop=True)
