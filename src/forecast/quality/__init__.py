"""Dirt found and named, and kept away from what learns and judges.

`examine` finds, `mask` takes away, `repaired` puts right what may only be looked back on; `quality.faults` puts dirt
in, to measure how much of it is found.
"""

from forecast.quality.duplicates import duplicates
from forecast.quality.examine import examine
from forecast.quality.finding import REPAIRABLE, RULES, Finding, QualityReport
from forecast.quality.limits import Limits
from forecast.quality.mask import mask
from forecast.quality.repair import cleaned, repaired

__all__ = [
    "REPAIRABLE",
    "RULES",
    "Finding",
    "Limits",
    "QualityReport",
    "cleaned",
    "duplicates",
    "examine",
    "mask",
    "repaired",
]
