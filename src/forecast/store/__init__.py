"""The store: a memory that knows when it knew, in SQLite or PostgreSQL."""

from forecast.store.contents import Contents
from forecast.store.copies import Copied, backup, restore
from forecast.store.forgetting import Forgotten
from forecast.store.ingesting import IngestReport
from forecast.store.issued import Issued
from forecast.store.store import Store

__all__ = ["Contents", "Copied", "Forgotten", "IngestReport", "Issued", "Store", "backup", "restore"]
