"""What a network has to beat, through the same door: last week again, a ridge per hour, gradient-boosted trees."""

from forecast.baselines.naive import SeasonalNaive
from forecast.baselines.relative import Relative
from forecast.baselines.ridge import Gram, HourlyRidge
from forecast.baselines.trees import QuantileTrees

__all__ = ["Gram", "HourlyRidge", "QuantileTrees", "Relative", "SeasonalNaive"]
