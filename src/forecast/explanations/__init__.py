"""Why a forecast is what it is: its causes in the demand's unit, where attention looked, and days that were alike."""

from forecast.explanations.attention import Attention
from forecast.explanations.explain import explain
from forecast.explanations.explanation import Explanation
from forecast.explanations.similar import SimilarDay, SimilarDays

__all__ = ["Attention", "Explanation", "SimilarDay", "SimilarDays", "explain"]
