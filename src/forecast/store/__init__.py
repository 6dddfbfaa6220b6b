"""The store: a memory that knows when it knew, in SQLite or PostgreSQL."""

from forecast.store.alarms import Alarm
from forecast.store.contents import Contents
from forecast.store.copies import Copied, backup, restore
from forecast.store.forgetting import Forgotten
from forecast.store.ingesting import IngestReport
from forecast.store.issued import Issued
from forecast.store.packed import Packed, Said
from forecast.store.runs import Done
from forecast.store.scores import DayScore
from forecast.store.store import Store
from forecast.tables.batch import Batch

__all__ = [
    "Alarm",
    "Batch",
    "Contents",
    "Copied",
    "DayScore",
    "Done",
    "Forgotten",
    "IngestReport",
    "Issued",
    "Packed",
    "Said",
    "Store",
    "backup",
    "restore",
]
