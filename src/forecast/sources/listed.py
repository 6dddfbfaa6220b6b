"""`Listed`: the sources that feed a store again and again, as a TOML file names them.

    [[source]]
    name = "meters"              # in reports
    data = "inbox"               # as `forecast ingest` takes it: a folder, a file, an address, a connector
    zone = "Europe/Lisbon"       # any data option, and how it is read again: since, settle, watermark, ...

An address may hold `${VARIABLE}` in place of a password: it is read from the environment.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forecast import clock
from forecast.errors import DeclarationError
from forecast.settings import Settings
from forecast.sources.contract import Source
from forecast.sources.declaration import Declaration
from forecast.sources.feeds import FeedOptions, open_feed
from forecast.tables import SeriesInfo

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_AGAIN = {"since": str, "renamed": dict, "settle": str, "line_end": bool, "watermark": str, "look_back": str}
_OWN = {"name": str, "data": str, "query": str, "history": bool, **_AGAIN}


@dataclass(frozen=True)
class Listed:
    """One source.

    Attributes:
        name: in reports; its data where the file tells none.
        data: as `open_feed` takes it; secrets of the environment are not in it yet.
        declaration: how tables are read.
        query: SQL, for an address.
        options: how it is read again.
        history: what comes now was known in its time.
    """

    name: str
    data: str
    declaration: Declaration = field(default_factory=Declaration)
    query: str | None = None
    options: FeedOptions = field(default_factory=FeedOptions)
    history: bool = False

    def open(self, settings: Settings, series: Sequence[SeriesInfo]) -> Source:
        """The source.

        Raises:
            DeclarationError: a variable is not set, or options do not fit.
            DataError: it is nothing that is known.
        """
        place = self.data
        if "://" not in place and (settings.home / place).exists():
            place = str(settings.home / place)
        return open_feed(
            _filled(place, self.name), self.declaration, self.query, self.options, settings=settings, series=series
        )


def read_listed(path: Path) -> tuple[Listed, ...]:
    """The sources of a file, in its order.

    Raises:
        DeclarationError: the file cannot be read, or names no source, an unknown option, or a name twice.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeclarationError(
            f"the list of sources {path} cannot be read ({error.strerror})", "a TOML file with [[source]] tables",
            "write one, or name it with FORECAST_SOURCES_FILE",
        ) from error  # fmt: skip
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeclarationError(f"{path} is no TOML ({error})", "[[source]] tables") from None
    odd = sorted(set(told) - {"source"})
    tables = told.get("source", [])
    if odd or not isinstance(tables, list) or not tables or not all(isinstance(one, dict) for one in tables):
        found = f"{path} holds {', '.join(odd)}" if odd else f"{path} names no source"
        raise DeclarationError(found, "[[source]] tables, each with its data")
    listed = tuple(_listed(one, path) for one in tables)
    names = [one.name for one in listed]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise DeclarationError(f"{path} names the source '{doubled[0]}' twice", "each name once", "give them names")
    return listed


def _listed(table: Mapping[str, Any], path: Path) -> Listed:
    if not isinstance(table.get("data"), str):
        raise DeclarationError(f"a source of {path} without data", 'data = "inbox", as forecast ingest takes it')
    for name, kind in _OWN.items():
        if name in table and not isinstance(table[name], kind):
            raise DeclarationError(f"'{name}' of a source of {path} is {table[name]!r}", f"a {kind.__name__}")
    again = {name: table[name] for name in _AGAIN if name in table}
    for name in ("settle", "look_back"):
        if name in again:
            again[name] = clock.duration(again[name], name)
    declared = Declaration.of({name: value for name, value in table.items() if name not in _OWN})
    return Listed(
        str(table.get("name", table["data"])), table["data"], declared, table.get("query"), FeedOptions(**again),
        table.get("history", False),
    )  # fmt: skip


def _filled(text: str, name: str) -> str:
    missing = [word for word in _VARIABLE.findall(text) if word not in os.environ]
    if missing:
        raise DeclarationError(
            f"the source '{name}' names the variable {missing[0]}, which is not set", "a set variable", "set it"
        )
    return _VARIABLE.sub(lambda found: os.environ[found[1]], text)
