"""Alembic migrations of the store; run by `forecast.store` when it opens a database, or by `forecast store upgrade`."""
