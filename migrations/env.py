"""Alembic's door to the store: migrates on the connection that `forecast.store.migrating` hands over."""

from __future__ import annotations

from alembic import context

from forecast.store.migrating import VERSION_TABLE
from forecast.store.schema import METADATA

# Begun and ended by who handed over the connection: in SQLite, too, a migration is done as a whole or not at all.
context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, version_table=VERSION_TABLE
)
context.run_migrations()
