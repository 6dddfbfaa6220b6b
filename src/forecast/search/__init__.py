"""Choosing without cheating: a search inside the training part, a walk outside it that scores, leaving parts out."""

from forecast.search.chosen import Search, SearchProgress, search
from forecast.search.folds import inner_folds
from forecast.search.leaving import LeftOut, leave_one_period_out, leave_one_series_out
from forecast.search.nested import Nested, nested
from forecast.search.space import Range, Space
from forecast.search.storage import storage_url
from forecast.search.usual import Usual, usual
from forecast.search.written import recipe_toml

__all__ = [
    "LeftOut",
    "Nested",
    "Range",
    "Search",
    "SearchProgress",
    "Space",
    "Usual",
    "inner_folds",
    "leave_one_period_out",
    "leave_one_series_out",
    "nested",
    "recipe_toml",
    "search",
    "storage_url",
    "usual",
]
