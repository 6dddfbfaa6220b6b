"""Columns of every step: clock, same-hour lags, weather shapes; from windows to what networks read."""

from forecast.features.assembly import Features, FeatureState, Inputs
from forecast.features.fitting import fit_features
from forecast.features.weather import measured_in

__all__ = ["FeatureState", "Features", "Inputs", "fit_features", "measured_in"]
