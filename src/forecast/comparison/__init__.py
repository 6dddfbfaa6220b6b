"""Is one model better than another, and may it take the other's place?"""

from forecast.comparison.guards import Guards
from forecast.comparison.rank import Ranking, rank
from forecast.comparison.verdict import Verdict, compare

__all__ = ["Guards", "Ranking", "Verdict", "compare", "rank"]
