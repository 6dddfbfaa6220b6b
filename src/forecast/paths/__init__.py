"""Coherent day paths, and what is read off them: quantiles of the daily peak, its hour, and the daily energy.

D days of rank history, N origins, S paths, H steps, Q levels, K local hours.
"""

from forecast.paths.between import between
from forecast.paths.coherent import COUNT, along, paths
from forecast.paths.dependence import correlation, places, places_together
from forecast.paths.marginals import place_of, plotting_positions, rank_outcomes, values_at
from forecast.paths.reading import DayReading, daily, sample_quantiles
from forecast.paths.score import compare_days, day_outcomes, score_days
from forecast.paths.table import DAY_KEYS, HOUR_COLUMNS, Daily, Ranks

__all__ = [
    "COUNT",
    "DAY_KEYS",
    "HOUR_COLUMNS",
    "Daily",
    "DayReading",
    "Ranks",
    "along",
    "between",
    "compare_days",
    "correlation",
    "daily",
    "day_outcomes",
    "paths",
    "place_of",
    "places",
    "places_together",
    "plotting_positions",
    "rank_outcomes",
    "sample_quantiles",
    "score_days",
    "values_at",
]
