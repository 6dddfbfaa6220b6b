"""`SqlFeed`: a query with `:since` that is asked again and again, and answers what is new."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import CursorResult, bindparam, create_engine, text
from sqlalchemy.types import NullType

from forecast.addresses import shown
from forecast.errors import DataError, DeclarationError
from forecast.sources.contract import Batch, Mark
from forecast.sources.declaration import Declaration
from forecast.sources.delivery import Delivery, check_pieces, news
from forecast.sources.fingerprints import declared_digest, text_digest
from forecast.sources.raw import Raw, roles_of
from forecast.sources.sql import asking, database
from forecast.sources.watermark import Watermark

BEGINNING = "1970-01-01"
STAMPS_BACK, WATERMARK_BACK = pd.Timedelta("7D"), pd.Timedelta("1h")
CHUNK_ROWS = 50_000
_SINCE = re.compile(r"(?<![:\w\\]):since\b")
_OTHERS = re.compile(r"(?<![:\w\\]):(?!since\b)(\w+)")


@dataclass(frozen=True, repr=False)
class SqlFeed:
    """A query that is bounded below by `:since`, read in chunks, with a cursor of the server where it has one.

    `:since` is what the largest stamp so far was, less the look-back. What is read again is no news; what changed
    is a revision. The mark moves when the whole answer was read: rows may come in any order of the watermark.

    Attributes:
        url: SQLAlchemy URL.
        query: SQL with `:since`, such as "select * from load where updated_at >= :since order by meter, ds"; stamps
            of each series in time order, as in `SqlQuery`.
        declaration: how to read its columns.
        watermark: column of the answer whose largest value is remembered: when rows were written, or a number that
            only grows; None: the stamps.
        look_back: how far before it the next reading begins, not for numbers; None: an hour before a watermark, for
            writers that commit late, seven days before the stamps, for values that are revised.
        since: what is bound at the first run.
        chunk: rows of a batch.

    Raises:
        DeclarationError: the query has no `:since`.
    """

    url: str
    query: str
    declaration: Declaration
    watermark: str | None = None
    look_back: pd.Timedelta | None = None
    since: str | int = BEGINNING
    chunk: int = CHUNK_ROWS

    def __post_init__(self) -> None:
        check_pieces(self.declaration)
        if not is_feed(self.query):
            raise DeclarationError(
                "the query has no :since", "a condition such as ds >= :since", "add it, or read the whole answer"
            )

    @property
    def name(self) -> str:
        """The URL without its secrets, and a fingerprint of query and watermark: another query begins anew."""
        return f"{shown(self.url)}#{text_digest(f'{self.query} {self.watermark}')}"

    def batches(self, mark: Mark | None) -> Iterator[Batch]:
        """The answer in chunks of rows.

        Raises:
            DataError: as `SqlQuery`; also if the first answer is empty, or the watermark has no order.
        """
        declared = declared_digest(self.declaration, None)
        same = mark is not None and mark["declared"] == declared
        before = Watermark.of(mark["watermark"]) if mark is not None and same else None
        largest, rows, told = before, 0, set[str]()
        unmoved = _mark(declared, before)
        for frame, headers in self._chunks(before):
            largest = self._largest(frame, headers, largest)
            raw = self._raw(frame, headers, rows + 1)
            rows += len(frame)
            yield from Delivery.of(raw, self.declaration, piece=True).telling(told).batches(unmoved, unmoved)
        if largest is None:
            raise self._nothing(rows)
        anew = () if mark is None or same else ("the options are not those of the last run: everything is read again",)
        yield news(_mark(declared, largest), *anew)

    def _nothing(self, rows: int) -> DataError:
        if rows:
            return DataError(
                "no row says how far it was read", "a value in some rows", "correct the query or --watermark",
                column=self.watermark,
            )  # fmt: skip
        return DataError(
            f"the query to {shown(self.url)} returned no rows since {self.since}", "rows of demand",
            "check the query; where :since is compared with a number, declare --since 0",
        )  # fmt: skip

    def _chunks(self, before: Watermark | None) -> Iterator[tuple[pd.DataFrame, tuple[str, ...]]]:
        usual = STAMPS_BACK if self.watermark is None else WATERMARK_BACK
        since = self.since if before is None else before.less(usual if self.look_back is None else self.look_back)
        with asking(database(self.url)), self._answer(since) as result:
            headers = tuple(result.keys())
            for rows in result.partitions(self.chunk):
                yield _framed(rows, headers), headers

    @contextmanager
    def _answer(self, since: object) -> Iterator[CursorResult[Any]]:
        # Without a type of ours the database takes the value for one of the column that it is compared with.
        query = text(_OTHERS.sub(r"\\:\1", self.query)).bindparams(bindparam("since", type_=NullType()))
        engine = create_engine(database(self.url))
        try:
            with engine.connect() as connection:
                options = {"stream_results": True, "max_row_buffer": self.chunk}
                with closing(connection.execution_options(**options).execute(query, {"since": since})) as result:
                    if not result.returns_rows:
                        raise DataError("the query returned no table", "a SELECT", "check the query")
                    yield result
        finally:
            engine.dispose()

    def _largest(self, frame: pd.DataFrame, headers: tuple[str, ...], so_far: Watermark | None) -> Watermark | None:
        column = self.watermark or roles_of(headers, self.declaration).time
        if column not in headers:
            raise DataError(
                f"no column '{column}' in the answer", f"it among {', '.join(headers)}",
                "select it, or correct --watermark",
            )  # fmt: skip
        return Watermark.largest(frame[column], so_far)

    def _raw(self, frame: pd.DataFrame, headers: tuple[str, ...], first_row: int) -> Raw:
        roles = roles_of(headers, self.declaration)
        used = frame[list(roles.used)].set_axis(range(first_row, first_row + len(frame)))
        if self.watermark is not None:
            # The order of writing is not that of the periods.
            used = used.sort_values([name for name in (roles.series, roles.time) if name], kind="stable")
        return Raw(used, roles, headers, shown(self.url), "row")


def _mark(declared: str, watermark: Watermark | None) -> Mark:
    return {"declared": declared, "watermark": watermark.written() if watermark else None}


def is_feed(query: str) -> bool:
    """Whether a query has the parameter `:since`.

    >>> is_feed("select * from load where ds >= :since"), is_feed("select '12:since', ds::text from load")
    (True, False)
    """
    return _SINCE.search(query) is not None


def _framed(rows: Sequence[Sequence[Any]], headers: tuple[str, ...]) -> pd.DataFrame:
    """Rows as the driver gave them; columns keep its objects."""
    columns = {name: [row[at] for row in rows] for at, name in reversed([*enumerate(headers)])}
    return pd.DataFrame(columns)
