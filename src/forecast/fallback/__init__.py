"""What is said when no model can: health of what is known, and the rungs of the ladder below the models.

`Health` tells whether a model's answer may be relied on; `below` answers from NumPy alone, and always.
"""

from forecast.fallback.absurd import without_absurd
from forecast.fallback.health import Health, examined
from forecast.fallback.known import Known
from forecast.fallback.plausible import plausible
from forecast.fallback.profile import Profile
from forecast.fallback.rungs import (
    CONSTANT,
    GROUP_PROFILE,
    HISTORY_DAYS,
    PREVIOUS,
    SEASONAL_NAIVE,
    Said,
    below,
    last_resort,
)
from forecast.fallback.stuck import without_stuck
from forecast.fallback.verdict import (
    DEADLINE,
    ERROR,
    IMPLAUSIBLE,
    NO_MODEL,
    NON_FINITE,
    doubts,
    middle,
    sound,
    unable,
    widened,
    widening,
)

__all__ = [
    "CONSTANT",
    "DEADLINE",
    "ERROR",
    "GROUP_PROFILE",
    "HISTORY_DAYS",
    "IMPLAUSIBLE",
    "NON_FINITE",
    "NO_MODEL",
    "PREVIOUS",
    "SEASONAL_NAIVE",
    "Health",
    "Known",
    "Profile",
    "Said",
    "below",
    "doubts",
    "examined",
    "last_resort",
    "middle",
    "plausible",
    "sound",
    "unable",
    "widened",
    "widening",
    "without_absurd",
    "without_stuck",
]
