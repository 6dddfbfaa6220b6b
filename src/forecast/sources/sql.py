"""Any database that SQLAlchemy reaches, and a query."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import SQLAlchemyError as DatabaseError

from forecast.addresses import SECRET, shown
from forecast.errors import DataError
from forecast.sources.declaration import Declaration
from forecast.sources.raw import Raw, roles_of
from forecast.sources.tidy import demand_of
from forecast.tables import Demand


@dataclass(frozen=True, repr=False)
class SqlQuery:
    """The answer of a database to a query.

    Attributes:
        url: SQLAlchemy URL ("postgresql+psycopg://user:password@host/base", "sqlite:///file.db").
        query: SQL of that database that returns rows in time order; whatever it changes is rolled back.
        declaration: how to read its columns.
    """

    url: str
    query: str
    declaration: Declaration

    def raw(self) -> Raw:
        """The answer with the number of every row, counted from 1.

        Raises:
            DataError: the URL, driver, connection or query fails, or the answer is empty or lacks a column; no
                message holds the password.
        """
        url = database(self.url)
        with asking(url):
            headers, rows = _answer(url, self.query)
        if not rows:
            raise DataError(f"the query to {shown(self.url)} returned no rows", "rows of demand", "check the query")
        roles = roles_of(headers, self.declaration)
        frame = pd.DataFrame({name: [row[headers.index(name)] for row in rows] for name in dict.fromkeys(roles.used)})
        frame.index += 1
        return Raw(frame, roles, headers, shown(self.url), "row")

    def read(self) -> Demand:
        """The checked table; raises `DataError`."""
        return demand_of(self.raw(), self.declaration)


def database(url: str) -> URL:
    """The URL of a database that may be asked.

    Raises:
        DataError: it is no URL, or names a file that is not there.
    """
    try:
        parsed = make_url(url)
        if "@" in str(parsed.host or ""):
            raise ValueError("a second @")
    except (ArgumentError, ValueError):
        raise DataError(
            f"{shown(url)} is not a database URL", "dialect+driver://user:password@host:port/base",
            "write special characters of the password as %40, %2F and so on",
        ) from None  # fmt: skip
    file = parsed.database
    is_sqlite = parsed.get_backend_name() == "sqlite" and file not in (None, "", ":memory:")
    if is_sqlite and not str(file).startswith("file:") and not Path(str(file)).is_file():
        # SQLite would make an empty database of any name.
        raise DataError(f"no database file {file}", "a file that exists", "check the path after sqlite:///")
    return parsed


def _answer(url: URL, query: str) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            # The query goes to the driver as it is: no placeholder is looked for in ':' or '%'.
            result = connection.execution_options(no_parameters=True).exec_driver_sql(query)
            if not result.returns_rows:
                raise DataError("the query returned no table", "a SELECT", "check the query")
            return tuple(result.keys()), [tuple(row) for row in result.fetchall()]
    finally:
        engine.dispose()


@contextmanager
def asking(url: URL) -> Iterator[None]:
    """Turns what a database answers into sentences without the password."""
    place = shown(url.render_as_string(hide_password=False))
    try:
        yield
    except NoSuchModuleError:
        raise DataError(
            f"{place} names an unknown dialect '{url.drivername}'", "one that SQLAlchemy knows",
            "postgresql+psycopg://… for PostgreSQL; other databases need the package of their driver",
        ) from None  # fmt: skip
    except ModuleNotFoundError as error:
        postgres = url.get_backend_name() == "postgresql"
        package = '"demand-forecast[postgres]"' if postgres else str(error.name)
        raise DataError(
            f"the driver '{error.name}' of {place} is not installed", "an installed driver", f"pip install {package}"
        ) from None
    except (OperationalError, InterfaceError) as error:
        raise DataError(
            f"{place} did not answer ({_told(error, url)})", "a reachable database and a valid query",
            "check the query" if url.host is None else "check host, port, user, password and the query",
        ) from None  # fmt: skip
    except DatabaseError as error:
        raise DataError(f"{place} refused the query ({_told(error, url)})", "a valid query", "correct it") from None


def _told(error: DatabaseError, url: URL) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    text = " ".join(str(cause).split())
    secrets = [url.password, *(v for k, v in url.query.items() if SECRET.search(k))]
    for secret in secrets:
        if secret:
            text = text.replace(str(secret), "***")
    return text[:300]
