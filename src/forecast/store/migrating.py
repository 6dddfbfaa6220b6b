"""Bringing a database to the schema of this version, by Alembic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, inspect, text

from forecast.errors import StoreError

VERSION_TABLE = "store_version"
"""Apart from MLflow's `alembic_version`: both may live in one database."""
HEAD = "0003"
SCHEMA = "forecast"
"""Of PostgreSQL, for all tables of the store."""


def revision_of(connection: Connection) -> str | None:
    """The schema's revision; None: there is no store."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    return None if found is None else str(found)


def refuse_missing(engine: Engine, place: str) -> None:
    """Raises a StoreError where there is no store; nothing is made."""
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    missing = file is not None and not Path(file).exists()
    if not missing:
        with engine.connect() as connection:
            missing = revision_of(connection) is None
    if missing:
        raise StoreError(
            f"there is no store at {place}", "one that was made",
            "name it with --store, or make it with forecast ingest",
        )  # fmt: skip


def bring_to_head(engine: Engine, place: str) -> None:
    """Makes or upgrades the tables in one transaction, unless they are as this version wants them.

    Raises:
        StoreError: the store was made by a newer version.
    """
    with engine.connect() as connection:
        if revision_of(connection) == HEAD:
            return
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('forecast.store'))"))
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        # Somebody else may have been faster.
        found = revision_of(connection)
        if found != HEAD:
            _upgrade(connection, found, place)


def _upgrade(connection: Connection, found: str | None, place: str) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config()
    known = {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(
            f"the store {place} has revision {found}", f"one up to {HEAD}, which this version knows",
            "use the version of this program that wrote it, or a newer one",
        )  # fmt: skip
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def remake(connection: Connection) -> None:
    """Drops all tables and makes them again, within the writer's transaction."""
    from alembic import command

    config = alembic_config()
    config.attributes["connection"] = connection
    command.downgrade(config, "base")
    command.upgrade(config, "head")


def alembic_config() -> Any:
    """Alembic's settings: the folder `migrations` beside the sources, or beside the installed package."""
    from alembic.config import Config

    here = Path(__file__).resolve()
    for root in (here.parents[3], here.parents[2]):
        if (root / "migrations" / "env.py").is_file():
            config = Config()
            config.set_main_option("script_location", str(root / "migrations").replace("%", "%%"))
            return config
    raise StoreError("the folder 'migrations' is not installed", "it beside the package forecast", "install again")
