"""The forecast of a delivery day for all series of a store, before its gate, into the ledger: each exactly once."""

from forecast.issuing.block import MISFIT, issue_block
from forecast.issuing.due import Block, Plan, Question, blocks_of, day_due, zone_of_most
from forecast.issuing.issuance import Issuance
from forecast.issuing.issue import BATCH, issue
from forecast.issuing.past import past_days, unissued
from forecast.issuing.speakers import Speakers

__all__ = [
    "BATCH",
    "MISFIT",
    "Block",
    "Issuance",
    "Plan",
    "Question",
    "Speakers",
    "blocks_of",
    "day_due",
    "issue",
    "issue_block",
    "past_days",
    "unissued",
    "zone_of_most",
]
