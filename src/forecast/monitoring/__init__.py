"""How forecasts that were given out turned out, and whether what they rest on has changed."""

from forecast.monitoring.breaks import Break, breaks
from forecast.monitoring.calling import Call, Quiet, considered, note_call
from forecast.monitoring.days import Days, days_of
from forecast.monitoring.drift import Drift, drift
from forecast.monitoring.errors import Errors, errors_until
from forecast.monitoring.expected import Expected, expected_error
from forecast.monitoring.limits import LIMITS, Limits
from forecast.monitoring.realised import Realised, Score, realised
from forecast.monitoring.scoring import ScoredDay, score_day
from forecast.monitoring.staleness import Staleness, staleness
from forecast.monitoring.together import together
from forecast.monitoring.watching import Watched, watch

__all__ = [
    "LIMITS",
    "Break",
    "Call",
    "Days",
    "Drift",
    "Errors",
    "Expected",
    "Limits",
    "Quiet",
    "Realised",
    "Score",
    "ScoredDay",
    "Staleness",
    "Watched",
    "breaks",
    "considered",
    "days_of",
    "drift",
    "errors_until",
    "expected_error",
    "note_call",
    "realised",
    "score_day",
    "staleness",
    "together",
    "watch",
]
