"""`Forecaster.predict`: the one way to a forecast, for backtest, command line and service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from forecast.calendars import PREFIX
from forecast.errors import DataError, ForecastError, RequestError
from forecast.forecaster import folder as _folder
from forecast.forecaster.days import MAX_HORIZON_DAYS, Day, Span, forecast_days
from forecast.forecaster.loading import RANKS, Runtime
from forecast.forecaster.loading import load as _load
from forecast.forecaster.missing import what_is_missing
from forecast.forecaster.models import Arrays, Floats, Model
from forecast.forecaster.replies import Replies, Wish, replies
from forecast.forecaster.saying import Doubles, told
from forecast.forecaster.spec import ForecasterSpec
from forecast.forecaster.unmeasured import check_unmeasured, level_warnings, started_from_static, unmeasured
from forecast.tables import Columns, Demand, Forecast, mean_of_quantiles, power_unit, quantile_columns
from forecast.tables.forecast import check_levels
from forecast.windows import Origins, origins_at

BATCH = 256


@dataclass(frozen=True, eq=False)
class Forecaster:
    """A trained model with everything that it needs to answer.

    Attributes:
        spec: what it is and needs.
        model: the fitted model.
        ranks_DH: where held-out outcomes fell in their own forecasts, (0, 1), NaN where unknown: a row per day, for
            coherent paths (`forecast.paths`); no rows where nothing was held out.
        graphs: files of its networks' ONNX graphs by name (`exporting.with_graphs`), for a service without torch.
    """

    spec: ForecasterSpec
    model: Model
    ranks_DH: Floats = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    graphs: Mapping[str, bytes] = field(default_factory=dict)

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
            a `Forecast` in the demand's own unit: the demand's series one after the other, each by cutoff and period.

        Raises:
            DataError: the demand lacks columns, has another step, or has a series without any value where no static
                columns tell its level.
            RequestError: cutoffs, horizon or quantiles that cannot be answered.
        """
        demand = self.checked(demand)
        offered = self.spec.recipe.quantiles
        wanted = check_levels(quantiles if quantiles is not None else offered, offered)
        cutoffs, spans = _ordered(cutoffs, spans)
        steps = self.steps(demand, cutoffs, horizon, spans)
        said_SWHQ = told(self.spec, self.model, demand, cutoffs, steps, batch)
        frame = _frame(origins_at(demand, cutoffs), said_SWHQ, demand, self.spec)
        if spans is not None:
            frame = _within(frame, spans, steps)
        unwanted = [name for name in quantile_columns(offered) if name not in quantile_columns(wanted)]
        blank = started_from_static(self.spec, self.model, demand, cutoffs.max())
        missing = what_is_missing(demand, cutoffs[-1], self.spec.context, steps, blank)
        warnings = (*level_warnings(self.spec, blank), *missing, *self.unusual(demand, steps))
        return Forecast(frame.drop(columns=unwanted), demand.unit, self.spec.name, warnings)

    def predict_days(
        self,
        demand: Demand,
        days: Sequence[Day],
        *,
        gate: str | None = None,
        cutoff: pd.Timestamp | None = None,
        quantiles: Sequence[float] | None = None,
    ) -> Forecast:
        """Forecasts of civil delivery days in each series' own zone: 23, 24 or 25 hours, nothing missing or doubled.

        A period belongs to the day in which it starts. Of a day that has begun at the cutoff only the rest is said.

        Args:
            demand: the history, and future rows that carry known-ahead covariates.
            days: dates or texts such as "2026-10-25".
            gate: each day is forecast from its own gate ("D-1T10:00", in the series' zone).
            cutoff: all are forecast from this moment (aware); after the last known value where neither is given.
            quantiles: the levels wanted; all of the recipe's where None.

        Raises:
            RequestError: a day that does not exist, is over, lies too far ahead or holds no period; gate and cutoff
                together.
            DeclarationError: the gate cannot be read.
        """
        return forecast_days(self, demand, days, gate=gate, cutoff=cutoff, quantiles=quantiles)

    def replies(self, wishes: Sequence[Wish], *, batch: int = BATCH) -> list[Replies | ForecastError]:
        """The answers to several questions in one pass, as arrays; or why one has none.

        They say what `predict` and `predict_days` say, to 1e-5 where questions go through a network together.
        """
        return replies(self, wishes, batch)

    def next_cutoff(self, demand: Demand) -> pd.Timestamp:
        """The moment from which a forecast is due: the end of what is known of any series.

        Raises:
            DataError: the demand does not suit the model, or no value of it is known.
        """
        if len(unmeasured(self.checked(demand))) == len(demand.series):
            raise DataError(
                "no value of demand is known that a forecast could follow", "the moment of the forecast",
                f"give it with --cutoff, such as {demand.series[0].start:%Y-%m-%dT%H:%MZ}",
            )  # fmt: skip
        return demand.last_known_end()

    def save(self, folder: Path) -> None:
        """Writes the folder: JSON, safetensors, the graphs that it has, and a manifest of digests."""
        _folder.write(folder, self.spec, self.arrays(), self.graphs)

    def arrays(self) -> Arrays:
        """All numbers of the folder: the model's, and the ranks."""
        return {**self.model.arrays(), RANKS: self.ranks_DH}

    @classmethod
    def load(cls, folder: Path, runtime: Runtime = "torch", *, beside: Path | None = None, threads: int = 1) -> Self:
        """The forecaster of a folder, its digests checked.

        Args:
            folder: what `save` wrote.
            runtime: what answers for networks: "torch", the reference; "onnx", their graphs without importing torch,
                each after it answered its example as torch did; "auto", graphs where the folder has all of them.
            beside: a folder of more graphs.
            threads: of one answer from graphs.

        Raises:
            ModelFolderError: the folder is missing, broken, changed, of another version, or lacks graphs; or a graph
                differs from torch.
        """
        loaded = _load(folder, runtime, beside, threads)
        return cls(loaded.spec, loaded.model, loaded.ranks_DH, loaded.graphs)

    def checked(self, demand: Demand) -> Demand:
        """The demand as the model learned to read it; without a country it keeps the model's holidays.

        Raises:
            DataError: the demand lacks columns, has another step, or has a series without any value where no static
                columns tell its level.
        """
        demand = self.spec.as_learned(demand)
        if demand.step != self.spec.step:
            raise DataError(
                f"a step of {demand.step}", f"the {self.spec.step} that model '{self.spec.name}' was trained on",
                "resample the history, or train on this frequency",
            )  # fmt: skip
        if demand.columns != self.spec.columns:
            raise DataError(
                f"covariates {demand.columns.dynamic[1:] + demand.columns.static}",
                f"{self.spec.columns.dynamic[1:] + self.spec.static} as in training, in this order",
                _declare(self.spec.columns),
            )
        check_unmeasured(self.spec, self.model, demand)
        return demand

    def unusual(self, demand: Demand, steps: int) -> list[str]:
        """Warnings about a request that differs from what was learned."""
        told = []
        if steps > self.spec.task.horizon:
            told.append(f"{steps} steps were asked, {self.spec.task.horizon} were learned: the last are extrapolated")
        if power_unit(demand.unit) != power_unit(self.spec.unit):
            told.append(f"the history is in {demand.unit}, the model learned from {self.spec.unit}: check the unit")
        told += self._unheard(demand)
        zones = {one.zone for one in demand.series}
        if len(zones) == 1 and self.spec.zone not in zones:
            told.append(f"the history's zone is {zones.pop()}, the model learned in {self.spec.zone}: check the zone")
        return told

    def _unheard(self, demand: Demand) -> list[str]:
        """Whether networks that listen to neighbours miss some."""
        if not self.spec.listens:
            return []
        present = {one.unique_id for one in (*demand.series, *demand.beside)}
        missing = [name for name in self.spec.series if name not in present]
        if not missing:
            return []
        return [
            f"{len(missing)} of {len(self.spec.series)} series that were learned together are not in the history: "
            "what they were doing is unknown to the forecast"
        ]

    def steps(
        self, demand: Demand, cutoffs: Sequence[pd.Timestamp], horizon: int | None, spans: Sequence[Span] | None
    ) -> int:
        """Steps to be forecast: as asked, as the spans need, or the task's.

        Raises:
            RequestError: they are too many, or none.
        """
        steps = horizon if horizon is not None else self.spec.task.horizon
        if spans is not None:
            ends_K = np.array([end.value for _, end in spans], dtype=np.int64)
            _, row_N, _ = (origins := origins_at(demand, cutoffs)).at(np.arange(len(origins)), demand)
            first_SK = demand.starts_S[:, None] + row_N.reshape(len(demand.series), -1) * demand.step.value
            # A span that ends before the next period holds none: one step is forecast, and none reported.
            steps = int((-((first_SK - ends_K) // demand.step.value)).max()) or 1
        most = MAX_HORIZON_DAYS * demand.steps_per_day
        if not 1 <= steps <= most:
            raise RequestError(f"a horizon of {steps} steps", f"1 to {most} ({MAX_HORIZON_DAYS} days)", "ask for less")
        return steps


def _frame(origins: Origins, said_SWHQ: Doubles, demand: Demand, spec: ForecasterSpec) -> pd.DataFrame:
    series_N, row_N, cutoff_N = origins.at(np.arange(len(origins)), demand)
    count, steps = len(origins), said_SWHQ.shape[2]
    first_N = demand.starts_S[series_N] + row_N * demand.step.value
    ds_NH = first_N[:, None] + np.arange(steps) * demand.step.value
    names_S = np.array([one.unique_id for one in demand.series], dtype=object)
    said = said_SWHQ.reshape(count * steps, -1) * demand.output_factor
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


def _ordered(
    cutoffs: Sequence[pd.Timestamp] | pd.DatetimeIndex, spans: Sequence[Span] | None
) -> tuple[pd.DatetimeIndex, list[Span] | None]:
    """The cutoffs in time order (UTC), and their spans with them."""
    moments = pd.DatetimeIndex(cutoffs)
    if not len(moments):
        raise RequestError("no cutoff", "at least one")
    if moments.tz is None:
        raise RequestError("the cutoffs carry no zone", "aware stamps", "add the zone", stamps=moments)
    order = np.argsort(moments.asi8, kind="stable")
    return moments[order].tz_convert("UTC"), [spans[place] for place in order] if spans is not None else None


def _within(frame: pd.DataFrame, spans: Sequence[Span], steps: int) -> pd.DataFrame:
    """Only the periods that each cutoff was asked for; a frame holds `steps` rows per window, cutoff by cutoff."""
    place_N = np.arange(len(frame)) // steps % len(spans)
    begins, ends = (pd.DatetimeIndex(side).tz_convert("UTC")[place_N] for side in zip(*spans, strict=True))
    inside_N = (frame["ds"] >= begins) & (frame["ds"] < ends)
    return frame[inside_N].reset_index(drop=True)


def _declare(columns: Columns) -> str:
    """What a user declares to have these covariates."""
    known = [name for name in columns.known if not name.startswith(PREFIX)]
    roles = {"past": columns.past, "known": known, "static": columns.static}
    options = [f"--{role} {','.join(names)}" for role, names in roles.items() if names]
    options += ["--events FILE"] if len(known) < len(columns.known) else []
    return f"declare {' '.join(options)}" if options else "declare no covariates"
