"""What health means for a model's answer: whether it is asked at all, and how much wider its bands have to be.

The numbers come from `benchmarks/ladder.py`; `docs/service.md` shows the tables.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from forecast.fallback.health import Health
from forecast.fallback.known import Doubles

STALE, INCOMPLETE, STUCK, WEATHER, ABSURD = "stale", "incomplete", "stuck", "weather", "absurd"
NO_MODEL, ERROR, NON_FINITE, DEADLINE, IMPLAUSIBLE = "no_model", "error", "non_finite", "deadline", "implausible"
MEDIAN = 0.5
LEAST_CONTEXT = 0.1
"""Where less of its context is known, a model is worse than last week again."""
LEAST_OF_STRANGERS = 0.75
"""Where less is known of a series that a network did not learn from, it says numbers of those that it did."""
WHOLE = 0.9
"""A context of which so much is known costs nothing that could be measured."""
ROOT = 0.4
"""Bands grow with this power of the share that is known."""
UNFORESEEN = 1.2
"""Bands that grow by so much hold again, where a model that reads weather ahead gets none at all."""


def unable(
    health: Health, *, starts_from_static: bool = False, learned: Collection[str] | None = None
) -> dict[str, str]:  # fmt: skip
    """The series that are not put to a model, and why.

    Args:
        health: of a question.
        starts_from_static: whether the model learned to speak of meters without history.
        learned: the series that the model's networks learned from; None where it has no network.
    """
    if starts_from_static:
        return {}
    few_S = health.context_S < LEAST_CONTEXT
    if learned is not None:
        familiar = frozenset(learned)
        for row in np.flatnonzero(health.context_S < LEAST_OF_STRANGERS).tolist():
            few_S[row] |= health.names[row] not in familiar
    return {health.names[row]: _why(health, row) for row in np.flatnonzero(few_S).tolist()}


def doubts(health: Health) -> dict[str, str]:
    """The series of which a model speaks with wider bands, and why."""
    if health.in_order:
        return {}
    told = {health.names[row]: WEATHER for row in np.flatnonzero(health.ahead_S < WHOLE)}
    told |= {health.names[row]: _why(health, row) for row in np.flatnonzero(health.context_S < WHOLE).tolist()}
    return dict.fromkeys(health.absurd, ABSURD) | told | dict.fromkeys(health.stuck, STUCK)


def widening(health: Health) -> Doubles:
    """How many times wider a model's bands have to be, per series [S]."""
    known_S = np.where(health.context_S < WHOLE, np.maximum(health.context_S, LEAST_CONTEXT), 1.0)
    missing_S = np.where(health.ahead_S < WHOLE, 1 - health.ahead_S, 0.0)
    return np.asarray(known_S**-ROOT * (1 + UNFORESEEN * missing_S))


def sound(mean_H: Doubles, quantiles_HQ: Doubles, shape: tuple[int, int]) -> bool:
    """Whether an answer has the shape that was asked for, and holds only numbers, in order."""
    if quantiles_HQ.shape != shape or not np.isfinite(quantiles_HQ).all() or not np.isfinite(mean_H).all():
        return False
    return shape[1] == 1 or bool((quantiles_HQ[:, 1:] >= quantiles_HQ[:, :-1]).all())


def middle(mean_H: Doubles, quantiles_HQ: Doubles, levels: Sequence[float]) -> Doubles:
    """The median [H], or the expectation where the median was not asked for."""
    return quantiles_HQ[:, levels.index(MEDIAN)] if MEDIAN in levels else mean_H


def widened(middle_H: Doubles, quantiles_HQ: Doubles, factor: float) -> Doubles:
    """Quantiles so many times as far from the middle."""
    return np.asarray(middle_H[:, None] + factor * (quantiles_HQ - middle_H[:, None]))


def _why(health: Health, row: int) -> str:
    """Stuck, stale where the end is missing, else incomplete."""
    if health.stuck_S[row]:
        return STUCK
    return STALE if health.late_S[row] and not health.day_S[row] else INCOMPLETE
