"""`open_feed`: the source that a user names, as one that feeds the store."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from forecast import clock
from forecast.addresses import shown
from forecast.errors import DataError, DeclarationError
from forecast.settings import Settings
from forecast.sources.contract import Source
from forecast.sources.declaration import Declaration
from forecast.sources.drop import SETTLE, DropFolder
from forecast.sources.once import Once
from forecast.sources.opening import describes_itself
from forecast.sources.remembered import is_store
from forecast.sources.sqlfeed import BEGINNING, SqlFeed, is_feed
from forecast.tables import SeriesInfo

_CONNECTOR = re.compile(r"open-meteo|[a-z][a-z0-9-]+:(?!//).*")


@dataclass(frozen=True)
class FeedOptions:
    """How a source is read again and again.

    Attributes:
        since: where to begin: a day, a stamp, or the first value of a watermark.
        renamed: columns of a folder's later files, and what they are called in the declaration.
        settle: for how long a folder's file must have kept still.
        line_end: whether the last line of a folder's CSV must end.
        watermark: column of a query's answer whose largest value is remembered.
        look_back: how far before it a query begins again.
    """

    since: str | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)
    settle: pd.Timedelta = SETTLE
    line_end: bool = True
    watermark: str | None = None
    look_back: pd.Timedelta | None = None


def open_feed(
    text: str, declaration: Declaration | None = None, query: str | None = None, options: FeedOptions | None = None, *,
    settings: Settings | None = None, series: Sequence[SeriesInfo] = (),
) -> Source:  # fmt: skip
    """The source that `text` names.

    Args:
        text: a folder, a file, a database URL, the word sample, or a connector ("eia930:ERCO,PJM", "open-meteo").
        declaration: how tables are read.
        query: SQL, for a URL; with `:since` only what is new is asked for.
        options: how it is read again.
        settings: hold the keys of connectors.
        series: the stored series, for a connector that reads what belongs to them.

    Raises:
        DeclarationError: options do not fit the source, or each other.
        DataError: it is nothing that is known.
    """
    declaration, options = declaration or Declaration(), options or FeedOptions()
    if "://" in text and query is not None and is_feed(query):
        _refuse(_folder_options(options), f"a query to {shown(text)}")
        return _sql_feed(text, query, declaration, options)
    _refuse(_query_options(options), "what is no query with :since")
    since = _moment(options.since, declaration)
    if Path(text).is_dir():
        return DropFolder(Path(text), declaration, options.renamed, options.settle, since, options.line_end)
    _refuse(_folder_options(options), "what is no folder")
    if _CONNECTOR.fullmatch(text) and not is_store(text) and not Path(text).exists():
        from forecast.sources.connectors import connector

        return connector(text, settings or Settings.read(), series, since)
    if "://" not in text and not describes_itself(text) and not Path(text).exists():
        raise DataError(
            f"nothing is called {text}", "a folder, a file, a database URL, a connector, or the word sample",
            "check the path",
        )  # fmt: skip
    return Once.of(text, declaration, query, since)


def _sql_feed(url: str, query: str, declaration: Declaration, options: FeedOptions) -> SqlFeed:
    text = options.since or BEGINNING
    since = int(text) if text.isdigit() else text
    return SqlFeed(url, query, declaration, options.watermark, options.look_back, since)


def _moment(text: str | None, declaration: Declaration) -> pd.Timestamp | None:
    """A day or a stamp as a moment; without an offset it is one of the declared zone."""
    if text is None:
        return None
    try:
        stamp = pd.Timestamp(text)
    except ValueError:
        stamp = pd.NaT
    if stamp is pd.NaT or text.isdigit():
        raise DeclarationError(f"--since is '{text}'", "a day such as 2024-01-01")
    return stamp.tz_localize(clock.zone(declaration.zone or "UTC")) if stamp.tzinfo is None else stamp


def _folder_options(options: FeedOptions) -> dict[str, bool]:
    return {
        "--renamed": bool(options.renamed), "--settle": options.settle != SETTLE,
        "--no-line-end": not options.line_end,
    }  # fmt: skip


def _query_options(options: FeedOptions) -> dict[str, bool]:
    return {"--watermark": options.watermark is not None, "--look-back": options.look_back is not None}


def _refuse(given: Mapping[str, bool], what: str) -> None:
    odd = [name for name, is_given in given.items() if is_given]
    if odd:
        raise DeclarationError(f"{', '.join(odd)} for {what}", "options that it has", "leave them away")
