"""How forecasts that were given out turned out."""

from forecast.monitoring.realised import Realised, Score, realised
from forecast.monitoring.scoring import ScoredDay, score_day
from forecast.monitoring.together import together

__all__ = ["Realised", "Score", "ScoredDay", "realised", "score_day", "together"]
