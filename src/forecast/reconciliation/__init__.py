"""Hierarchies: forecasts of parents and children that add up, at every quantile level or path by path.

N series of a family, P parents, M leaves, K moments (cutoff and period), Q levels, E past moments, S paths, H steps.
"""

from forecast.reconciliation.adding_up import add_up
from forecast.reconciliation.coherent_walk import AS_FORECAST, reconciled_walk
from forecast.reconciliation.family import Family
from forecast.reconciliation.hierarchy import Hierarchy
from forecast.reconciliation.joining import joined
from forecast.reconciliation.pairs import read_hierarchy
from forecast.reconciliation.past_errors import PastErrors
from forecast.reconciliation.reconcile import COHERENT, TIME_LIMIT_S, reconcile
from forecast.reconciliation.sampling import FamilyPaths, reconcile_paths
from forecast.reconciliation.sums import check_sums
from forecast.reconciliation.weights import METHODS, Method, check_method, shrunk_covariance

__all__ = [
    "AS_FORECAST",
    "COHERENT",
    "METHODS",
    "TIME_LIMIT_S",
    "Family",
    "FamilyPaths",
    "Hierarchy",
    "Method",
    "PastErrors",
    "add_up",
    "check_method",
    "check_sums",
    "joined",
    "read_hierarchy",
    "reconcile",
    "reconcile_paths",
    "reconciled_walk",
    "shrunk_covariance",
]
