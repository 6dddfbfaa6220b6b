"""Is one model better than another, and may it take the other's place?"""

from forecast.comparison.guards import STANDARD, Guards
from forecast.comparison.rank import Ranking, rank
from forecast.comparison.sheet import Sheet, sheet_of
from forecast.comparison.verdict import Verdict, compare, weigh

__all__ = ["STANDARD", "Guards", "Ranking", "Sheet", "Verdict", "compare", "rank", "sheet_of", "weigh"]
