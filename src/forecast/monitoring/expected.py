"""The error to expect of a day before its actuals arrive: from the season's errors, and from the interval's width.

S series, N days, H hours.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import date

import numpy as np

from forecast.monitoring.days import Days, Floats
from forecast.monitoring.limits import LIMITS, Limits
from forecast.monitoring.season import season

NORMAL = 0.311
"""Mean absolute error over the width of the 80 % band, where errors are normal: sqrt(2 / pi) / (2 * 1.2816)."""


@dataclass(frozen=True, eq=False)
class Expected:
    """What error a day's forecasts are expected to have, by series, in their unit.

    Attributes:
        names: the series.
        by_season_S: mean absolute error at the same hours of the season; NaN where too few of its days were scored.
        by_width_S: the width of the day's 80 % band, times what the season's errors were in shares of theirs; by what
            normal errors have where the season has too few days; NaN where no band was told.
        together_S: the mean of the two, or the one that there is.
    """

    names: tuple[str, ...]
    by_season_S: Floats
    by_width_S: Floats
    together_S: Floats


def expected_error(
    days: Days, day: date, low_SH: Floats | None = None, high_SH: Floats | None = None, limits: Limits = LIMITS
) -> Expected:
    """What error is to be expected of a day, from scores of days before it.

    Args:
        days: scores, the season of the day among them; what they say of the day itself is read only for its band.
        day: the day.
        low_SH, high_SH: the 80 % band that was told of it, by hour; that of `days` where None.
        limits: what a season is.
    """
    place = days.place(day)
    if low_SH is None or high_SH is None:
        low_SH, high_SH = (days.column(name)[:, place] for name in ("low", "high"))
    # The day before may not be measured when the forecast is issued.
    reference_D = season(place, days.count, limits, gap=1)
    error_SNH = np.abs(days.column("middle") - days.column("demand"))[:, reference_D]
    width_SNH = (days.column("high") - days.column("low"))[:, reference_D]
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing
        enough_S = np.isfinite(error_SNH).any(axis=2).sum(axis=1) >= limits.reference_days
        by_season_S = np.where(enough_S, np.nanmean(np.nanmean(error_SNH, axis=1), axis=1), np.nan)
        both = np.isfinite(error_SNH) & np.isfinite(width_SNH)
        share_S = np.where(both, error_SNH, 0).sum(axis=(1, 2)) / np.where(both, width_SNH, 0).sum(axis=(1, 2))
        share_S = np.where(enough_S & np.isfinite(share_S), share_S, NORMAL)
        by_width_S = share_S * np.nanmean(high_SH - low_SH, axis=1)
        together_S = np.nanmean(np.stack([by_season_S, by_width_S]), axis=0)
    return Expected(days.names, by_season_S, by_width_S, together_S)
