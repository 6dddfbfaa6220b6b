"""Is one model better than another, and may it take the other's place?"""

from forecast.comparison.guards import STANDARD, Guards
from forecast.comparison.rank import Ranking, rank
from forecast.comparison.verdict import Verdict, compare

__all__ = ["STANDARD", "Guards", "Ranking", "Verdict", "compare", "rank"]
