"""The store: a memory that knows when it knew, in SQLite or PostgreSQL."""

from forecast.store.ingesting import IngestReport
from forecast.store.store import Store

__all__ = ["IngestReport", "Store"]
