"""How forecasts that were given out turned out."""

from forecast.monitoring.realised import Realised, Score, realised
from forecast.monitoring.together import together

__all__ = ["Realised", "Score", "realised", "together"]
