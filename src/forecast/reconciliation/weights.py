"""How far each base forecast is trusted: W, the matrix of its errors, assumed, told by its spread, or learned.

E moments, N series of a family.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd

from forecast.errors import RequestError
from forecast.reconciliation.family import Doubles, Family
from forecast.reconciliation.past_errors import PastErrors

Method = Literal["bottom-up", "structural", "spread", "variance", "mint"]
METHODS: tuple[Method, ...] = get_args(Method)
LEARNED = ("variance", "mint")
"""The methods that need past errors."""
LEAST = 20
"""Moments with errors of all series, below which nothing is learned from them."""
FLOOR = 1e-8
"""A series' variance is at least this share of the family's mean variance: W keeps an inverse."""


def check_method(method: str, *, errors: bool) -> Method:
    """The method, when it is one and has what it needs.

    Raises:
        RequestError: an unknown name, or past errors are needed and there are none.
    """
    known = next((one for one in METHODS if one == method), None)
    if known is None:
        raise RequestError(f"method '{method}' is not known", f"one of {', '.join(METHODS)}")
    if known in LEARNED and not errors:
        raise RequestError(
            f"method {known} without past errors", "the table of a walk over these series",
            "give the errors, or choose spread, structural or bottom-up",
        )  # fmt: skip
    return known


def weights_at(
    family: Family, cutoff: pd.Timestamp, method: Method, past: PastErrors | None, base_NKQ: Doubles
) -> tuple[Doubles | None, bool]:
    """W of a family at a cutoff (None: bottom-up), and whether too little was known to learn it.

    `base_NKQ` are the forecasts themselves; where errors are too few, their spread is what is left to go by.

    Raises:
        DataError: a series has no past errors at all.
    """
    if method == "bottom-up":
        return None, False
    if method == "structural":
        return structural(family), False
    if method not in LEARNED or past is None:
        return spread(family, base_NKQ), False
    errors_EN = past.known(family.names, cutoff)
    if len(errors_EN) >= LEAST and errors_EN.std(axis=0).any():
        return learned(method, errors_EN), False
    return spread(family, base_NKQ), True


def too_few(family: Family, cutoffs: list[pd.Timestamp], method: Method) -> list[str]:
    """What to say of the cutoffs at which too little was known."""
    if not cutoffs:
        return []
    return [
        f"fewer than {LEAST} past moments with errors of every series of the family of '{family.parents[0]}' were known"
        f" at {len(cutoffs)} cutoff{'s' if len(cutoffs) > 1 else ''} (up to {max(cutoffs):%Y-%m-%dT%H:%MZ}): reconciled"
        f" there by spread instead of {method}"
    ]


def structural(family: Family) -> Doubles:
    """W [N]: as many as a series has leaves, as if every leaf erred alike and alone.

    Source: Athanasopoulos, Hyndman, Kourentzes and Petropoulos (2017), Forecasting with temporal hierarchies.
    """
    return np.concatenate([family.summing_PM.sum(axis=1), np.ones(len(family.leaves))])


def spread(family: Family, base_NKQ: Doubles) -> Doubles:
    """W [N]: the mean square of the quantiles' distances from their middle, what the forecast says of its own errors.

    Structural where the forecast says nothing: a single level, or no width at all.
    """
    apart_NKQ = base_NKQ - np.median(base_NKQ, axis=-1, keepdims=True)
    square_N = (apart_NKQ**2).mean(axis=(1, 2))
    return np.maximum(square_N, FLOOR * square_N.mean()) if square_N.any() else structural(family)


def learned(method: Method, errors_EN: Doubles) -> Doubles:
    """W of past errors: their variances [N] for "variance", their shrunk covariance [N, N] for "mint"."""
    covariance_NN = shrunk_covariance(errors_EN) if method == "mint" else None
    variance_N = errors_EN.var(axis=0, ddof=1)
    floored_N = np.maximum(variance_N, FLOOR * variance_N.mean())
    if covariance_NN is None:
        return np.asarray(floored_N)
    np.fill_diagonal(covariance_NN, floored_N)
    return covariance_NN


def shrunk_covariance(errors_EN: Doubles) -> Doubles:
    """Covariance [N, N] whose correlations are drawn towards zero, by as much as they are noise; variances stay.

    A bias is no part of it: errors are taken from their mean.

    Source: Schäfer and Strimmer (2005), A shrinkage approach to large-scale covariance matrix estimation; in
    reconciliation: Wickramasuriya, Athanasopoulos and Hyndman (2019), Optimal forecast reconciliation (MinT).
    """
    count = len(errors_EN)
    apart_EN = errors_EN - errors_EN.mean(axis=0)
    deviation_N = np.sqrt((apart_EN**2).mean(axis=0))
    score_EN = np.divide(apart_EN, deviation_N, out=np.zeros_like(apart_EN), where=deviation_N > 0)
    correlation_NN = score_EN.T @ score_EN / count
    square_EN = score_EN**2
    noise_NN = (square_EN.T @ square_EN / count - correlation_NN**2) / (count - 1)
    np.fill_diagonal(noise_NN, 0.0)
    seen = float((correlation_NN**2).sum() - (np.diag(correlation_NN) ** 2).sum())
    keep = 1.0 - min(1.0, max(0.0, float(noise_NN.sum()) / seen)) if seen > 0 else 0.0
    covariance_NN = apart_EN.T @ apart_EN / (count - 1)
    off_NN = keep * covariance_NN
    np.fill_diagonal(off_NN, np.diag(covariance_NN))
    return np.asarray(off_NN)
