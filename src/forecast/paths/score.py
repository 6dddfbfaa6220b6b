"""How good forecasts of daily peak and energy are, beside the naive rule on the same forecasts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.errors import DataError
from forecast.metrics import coverage, mean_pinball, width
from forecast.metrics.rows import Zones, local_times
from forecast.paths.coherent import COUNT
from forecast.paths.shapes import HOUR, civil, step_of, whole_days
from forecast.paths.table import Daily, Ranks
from forecast.tables import Forecast, output_factor, quantile_columns

SIDES = ("peak", "energy")
LOW, HIGH = "q0.1", "q0.9"


def day_outcomes(actual: pd.DataFrame, unit: str, zones: Zones | None = None) -> pd.DataFrame:
    """Peak, peak hour and energy of every civil day whose every period was measured.

    Args:
        actual: unique_id, ds, y; a period that occurs several times (as in a walk's table) counts once.
        unit: of y; energy is said in its MWh, kWh or GWh.
        zones: civil zone of each series; UTC without it.

    Returns:
        unique_id, day (text), hours, peak, energy, peak_hour (of the first highest value).

    Raises:
        DeclarationError: a series has no zone. DataError: no day is whole.
    """
    rows = actual[["unique_id", "ds", "y"]].drop_duplicates(["unique_id", "ds"]).sort_values(["unique_id", "ds"])
    step = step_of(rows)
    rows = rows.reset_index(drop=True).astype({"unique_id": str})
    rows = rows.assign(**local_times(rows, zones)[["day", "hour"]]).dropna(subset="y")
    days = rows.groupby(["unique_id", "day"])["y"].agg(["size", "max", "sum", "idxmax"]).reset_index()
    whole = [
        whole_days(str(series), part["day"].to_numpy(), part["size"].to_numpy(), step, zones)
        for series, part in days.groupby("unique_id", sort=False)
    ]
    days = days[np.concatenate(whole or [np.zeros(0, dtype=bool)])]
    if days.empty:
        raise DataError("no delivery day was measured as a whole", "y for every period of a civil day")
    figures = {
        "unique_id": days["unique_id"],
        "day": [civil(day).isoformat() for day in days["day"]],
        "hours": days["size"] * (step / HOUR),
        "peak": days["max"],
        "energy": days["sum"] * (step / HOUR / output_factor(unit, step)),
        "peak_hour": rows.loc[days["idxmax"], "hour"].to_numpy(),
    }
    return pd.DataFrame(figures).reset_index(drop=True)


def score_days(daily: Daily, outcomes: pd.DataFrame) -> dict[str, float]:
    """Figures over the days that were both forecast and measured, all series and cutoffs pooled.

    Args:
        daily: the forecasts.
        outcomes: see `day_outcomes`, in the same unit.

    Returns:
        For peak and energy: `_pinball` (mean over the levels), and of the 80 % interval `_coverage_80`, `_below_80`
        and `_above_80` (shares that fell outside on either side; 0.1 each is right) and `_width_80`; NaN where the
        levels 0.1 and 0.9 are missing. `peak_hour_hit` (share of days whose most probable hour held the peak), `n`.

    Raises:
        DataError: no day is in both.
    """
    both = daily.frame.astype({"unique_id": str}).merge(outcomes, on=["unique_id", "day", "hours"], suffixes=("", "_y"))
    if both.empty:
        raise DataError("no day was both forecast and measured", "outcomes of the days that are forecast")
    figures: dict[str, float] = {}
    for side in SIDES:
        figures |= {f"{side}_{name}": value for name, value in _side(both, side, daily.levels).items()}
    return {**figures, "peak_hour_hit": float((both["peak_hour"] == both["peak_hour_y"]).mean()), "n": len(both)}


def compare_days(
    forecast: Forecast, actual: pd.DataFrame, ranks: Ranks, zones: Zones | None = None, *, count: int = COUNT,
    seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """The figures of `score_days` for coherent paths and for the hours added up, a row each.

    Args:
        forecast, ranks, zones, count, seed: see `Daily.from_forecast`.
        actual: unique_id, ds, y in the forecast's unit.

    Raises:
        RequestError, DataError, DeclarationError: as `Daily.from_forecast`, `day_outcomes` and `score_days`.
    """
    outcomes = day_outcomes(actual, forecast.unit, zones)
    told = {
        "coherent paths": Daily.from_forecast(forecast, ranks, zones, count=count, seed=seed),
        "hours added up": Daily.added_up(forecast, zones, count=count),
    }
    return pd.DataFrame({name: score_days(daily, outcomes) for name, daily in told.items()}).T


def _side(both: pd.DataFrame, side: str, levels: tuple[float, ...]) -> dict[str, float]:
    y_T = both[side].to_numpy(dtype=np.float64)
    quantiles_TQ = both[[f"{side}_{name}" for name in quantile_columns(levels)]].to_numpy(dtype=np.float64)
    nothing = pd.Series(np.nan, index=both.index)
    low_T, high_T = (both.get(f"{side}_{name}", nothing).to_numpy(dtype=np.float64) for name in (LOW, HIGH))
    known = np.isfinite(low_T) & np.isfinite(high_T)
    return {
        "pinball": mean_pinball(y_T, quantiles_TQ, levels),
        "coverage_80": coverage(y_T, low_T, high_T),
        "below_80": float((y_T < low_T)[known].mean()) if known.any() else float("nan"),
        "above_80": float((y_T > high_T)[known].mean()) if known.any() else float("nan"),
        "width_80": width(low_T, high_T),
    }
