"""What is said when no model can: health of what is known, and the rungs of the ladder below the models.

`Health` tells whether a model's answer may be relied on; `below` answers from NumPy alone, and always.
"""

from forecast.fallback.health import Health
from forecast.fallback.known import Known
from forecast.fallback.plausible import plausible
from forecast.fallback.profile import Profile
from forecast.fallback.rungs import CONSTANT, GROUP_PROFILE, PREVIOUS, SEASONAL_NAIVE, Said, below
from forecast.fallback.stuck import without_stuck
from forecast.fallback.verdict import doubts, unable, widening

__all__ = [
    "CONSTANT",
    "GROUP_PROFILE",
    "PREVIOUS",
    "SEASONAL_NAIVE",
    "Health",
    "Known",
    "Profile",
    "Said",
    "below",
    "doubts",
    "plausible",
    "unable",
    "widening",
    "without_stuck",
]
