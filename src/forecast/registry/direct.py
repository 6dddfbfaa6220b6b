"""A registry in a database whose tables are read as they stand: milliseconds, where MLflow in a child takes seconds.

MLflow writes these tables; nothing here does. Where they are not as this version of MLflow makes them, it is asked.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forecast.addresses import shown
from forecast.errors import RegistryError
from forecast.registry.database import ChildRegistry, mlflow_is_here
from forecast.registry.versions import ModelVersion, Pointer, Wanted, instant, not_registered

PATIENCE_S = 5
_OURS = "name = :name AND workspace = 'default'"
_VERSIONS = f"""SELECT version, run_id, creation_time, description, source, storage_location FROM model_versions
WHERE {_OURS} AND COALESCE(current_stage, '') <> 'Deleted_Internal' ORDER BY version DESC"""
_ALIASES = f"SELECT alias, version FROM registered_model_aliases WHERE {_OURS} ORDER BY alias"
_TAGS = f'SELECT version, "key", value FROM model_version_tags WHERE {_OURS}'
_POINTERS = """SELECT a.alias, a.version, t.value FROM registered_model_aliases a LEFT JOIN model_version_tags t
ON t.name = a.name AND t.version = a.version AND t.workspace = a.workspace AND t."key" = 'digest'
WHERE a.name = :name AND a.workspace = 'default'"""


class _OtherTables(Exception):
    """The database holds tables of another version of MLflow, or none."""


@dataclass(frozen=True)
class TableRegistry:
    """A registry in SQLite, PostgreSQL or whatever SQLAlchemy reaches.

    Attributes:
        uri: MLflow's tracking and registry URI.
    """

    uri: str

    def find(self, wanted: Wanted) -> ModelVersion:
        """The version.

        Raises:
            RegistryError: there is none, or the database fails.
        """
        try:
            found = self._versions(wanted.name)
        except (_OtherTables, RegistryError) as error:
            return self._asked(error).find(wanted)
        for one in found:
            if one.version == wanted.version or (wanted.alias is not None and wanted.alias in one.aliases):
                return one
        raise not_registered(wanted, "it is not in the registry" if found else "the registry has no model of this name")

    def fetch(self, found: ModelVersion, room: Path) -> Path:
        """Its forecaster's folder, copied into `room`.

        Raises:
            ModelFolderError: its artifacts hold no forecaster, or cannot be read.
        """
        return ChildRegistry(self.uri).fetch(found, room)

    def versions(self, name: str) -> list[ModelVersion]:
        """All versions, newest first."""
        try:
            return self._versions(name)
        except (_OtherTables, RegistryError) as error:
            return self._asked(error).versions(name)

    def pointers(self, name: str) -> dict[str, Pointer]:
        """What each alias points to.

        Raises:
            RegistryError: the database does not answer.
        """
        try:
            (rows,) = self._rows({"name": name}, _POINTERS)
        except _OtherTables:
            return ChildRegistry(self.uri).pointers(name)
        return {str(alias): Pointer(str(version), str(digest or "")) for alias, version, digest in rows}

    def _asked(self, error: Exception) -> ChildRegistry:
        """MLflow, which knows more kinds of trouble and words for them; where it is not installed the error stands."""
        if isinstance(error, RegistryError) and not mlflow_is_here():
            raise error
        return ChildRegistry(self.uri)

    def _versions(self, name: str) -> list[ModelVersion]:
        made, aliases, tags = self._rows({"name": name}, _VERSIONS, _ALIASES, _TAGS)
        return [
            ModelVersion(
                name, str(number), run_id or None, instant(int(created)),
                tuple(str(alias) for alias, held in aliases if held == number),
                {str(key): str(value or "") for held, key, value in tags if held == number}, description or "",
                location or source,
            )
            for number, run_id, created, description, source, location in made
        ]  # fmt: skip

    def _rows(self, values: Mapping[str, str], *queries: str) -> list[list[Any]]:
        """The rows of each query."""
        if self.uri.startswith("sqlite:///"):
            return _of_sqlite(self.uri, values, queries)
        return _of_server(self.uri, values, queries)


def _of_sqlite(uri: str, values: Mapping[str, str], queries: tuple[str, ...]) -> list[list[Any]]:
    path = Path(uri.removeprefix("sqlite:///").split("?")[0]).absolute()
    try:
        # Read only: a file that is not there is not made, and nobody who writes is kept from it.
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=PATIENCE_S)) as connection:
            connection.execute("BEGIN")
            return [connection.execute(query, values).fetchall() for query in queries]
    except sqlite3.Error as error:
        if "no such" in str(error):
            raise _OtherTables from error
        raise _fails(uri, error) from error


def _of_server(uri: str, values: Mapping[str, str], queries: tuple[str, ...]) -> list[list[Any]]:
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import ArgumentError, InvalidRequestError, ProgrammingError, SQLAlchemyError
    from sqlalchemy.pool import NullPool

    patience = {"connect_timeout": PATIENCE_S} if uri.startswith(("postgresql", "mysql")) else {}
    try:
        engine = create_engine(uri, poolclass=NullPool, connect_args=patience)
        with engine.connect() as connection:
            return [[tuple(row) for row in connection.execute(text(query), values)] for query in queries]
    except (ProgrammingError, ArgumentError, InvalidRequestError, ImportError) as error:
        raise _OtherTables from error
    except SQLAlchemyError as error:
        raise _fails(uri, getattr(error, "orig", None) or error) from error


def _fails(uri: str, error: BaseException) -> RegistryError:
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return RegistryError(
        f"the database of MLflow at {shown(uri)} fails ({said})", "one that MLflow wrote and that answers",
        "check FORECAST_MLFLOW_URI, and that the database runs",
    )  # fmt: skip
