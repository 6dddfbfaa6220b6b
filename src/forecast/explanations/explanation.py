"""`Explanation`: one forecast of one series, taken apart. H steps, Q levels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.explanations.attention import Attention
from forecast.explanations.similar import SimilarDays
from forecast.tables import quantile_column

Doubles = npt.NDArray[np.float64]

METHOD = (
    "exact Shapley values of groups of inputs; the baseline is the model's mean forecast for past days that began at "
    "the same local clock, and a group's share is what its values of today add to it"
)

NOT_GIVEN, PARTLY = "not given", "partly not given"


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a forecast is what it is; all amounts in `unit`.

    Attributes:
        unique_id, model, unit, zone: whose forecast, by whom, of what, on whose clock.
        cutoff: the moment of the forecast (UTC); nothing that became known later is in here.
        ds: start of every step (UTC).
        forecast_H: the median that is explained.
        baseline_H: the mean of what the model says for the reference days.
        groups: what each group adds: calendar, weather, inertia, and "error correction" where the forecaster corrects
            its model; baseline + groups = forecast at every step.
        references: cutoffs of the reference days, newest first.
        levels, quantiles_HQ: the forecast's quantiles.
        attention: where it looked in history; None with `no_attention` saying why.
        similar: the most similar past days with their outcome.
        warnings: what the forecast had to do without.
        not_given: of groups whose columns known ahead are missing ahead, "not given" or "partly not given": their share
            is what the mask does to the forecast, no effect of the weather.
    """

    unique_id: str
    model: str
    unit: str
    zone: str
    cutoff: pd.Timestamp
    ds: pd.DatetimeIndex
    forecast_H: Doubles
    baseline_H: Doubles
    groups: dict[str, Doubles]
    references: pd.DatetimeIndex
    levels: tuple[float, ...]
    quantiles_HQ: Doubles
    attention: Attention | None
    no_attention: str
    similar: SimilarDays
    warnings: tuple[str, ...] = ()
    not_given: dict[str, str] = field(default_factory=dict)

    @property
    def lead_hours(self) -> Doubles:
        """Hours from the cutoff to the start of each step."""
        return np.asarray((self.ds - self.cutoff) / pd.Timedelta(hours=1), dtype=np.float64)

    def label(self, name: str) -> str:
        """A group's name, and beside it whether it was given: "weather (not given)"."""
        return f"{name} ({self.not_given[name]})" if name in self.not_given else name

    def frame(self) -> pd.DataFrame:
        """One row per step: lead_hours, ds, baseline, a column per group, forecast."""
        told = {"lead_hours": self.lead_hours, "ds": self.ds, "baseline": self.baseline_H}
        return pd.DataFrame({**told, **self.groups, "forecast": self.forecast_H})

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON: lists, numbers, texts; stamps as ISO 8601 in UTC."""
        quantiles = {
            quantile_column(level): self.quantiles_HQ[:, place].tolist() for place, level in enumerate(self.levels)
        }
        return {
            "unique_id": self.unique_id,
            "model": self.model,
            "unit": self.unit,
            "zone": self.zone,
            "cutoff": self.cutoff.isoformat(),
            "ds": [stamp.isoformat() for stamp in self.ds],
            "lead_hours": self.lead_hours.tolist(),
            "forecast": self.forecast_H.tolist(),
            "quantiles": quantiles,
            "attribution": {
                "method": METHOD,
                "baseline": self.baseline_H.tolist(),
                "groups": {name: share_H.tolist() for name, share_H in self.groups.items()},
                "not_given": dict(self.not_given),
                "references": [stamp.isoformat() for stamp in self.references],
            },
            "attention": self.attention.as_dict() if self.attention is not None else None,
            "no_attention": self.no_attention,
            "similar": self.similar.as_dict(),
            "warnings": list(self.warnings),
        }
