"""The checked tables: `Demand`, what was measured, and `Forecast`, what we say."""

from forecast.tables.birth import demand_from_frame
from forecast.tables.demand import Demand
from forecast.tables.forecast import (
    LEVELS,
    Forecast,
    mean_of_quantiles,
    quantile_column,
    quantile_columns,
    quantile_levels,
)
from forecast.tables.series import Columns, Series
from forecast.tables.series_info import SeriesInfo
from forecast.tables.stored import load_demand, save_demand
from forecast.tables.units import UNITS, output_factor, power_unit
from forecast.tables.versions import Versions

__all__ = [
    "LEVELS",
    "UNITS",
    "Columns",
    "Demand",
    "Forecast",
    "Series",
    "SeriesInfo",
    "Versions",
    "demand_from_frame",
    "load_demand",
    "mean_of_quantiles",
    "output_factor",
    "power_unit",
    "quantile_column",
    "quantile_columns",
    "quantile_levels",
    "save_demand",
]
