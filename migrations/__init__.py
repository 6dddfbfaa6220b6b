"""Alembic migrations of the store; run by `forecast.store` when it opens a database."""
