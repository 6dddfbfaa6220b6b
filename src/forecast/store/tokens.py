"""Whether what is known of a series changed: a random token that is another one after every change.

Tokens and not counters: a store that was restored to an older state must not look like one that was seen before.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from forecast.store.catalogue import MOST_NAMED
from forecast.store.schema import ALL, ANY, CHANGED

BITS = 62


@dataclass(frozen=True)
class Tokens:
    """The state of a store: the token of any change, that of changes to all, and those of some series by number.

    A series without a token did not change since tokens are kept.
    """

    any: int
    all: int
    of: dict[int, int]

    def state(self, number: int) -> tuple[int, int]:
        """What is another pair whenever something of a series changed."""
        return self.all, self.of.get(number, 0)


def tokens(connection: Connection, numbers: Iterable[int] = ()) -> Tokens:
    """The tokens of some series, by number."""
    wanted = [ANY, ALL, *numbers]
    asked = select(CHANGED.c.series_id, CHANGED.c.token)
    if len(wanted) <= MOST_NAMED:
        asked = asked.where(CHANGED.c.series_id.in_(wanted))
    found = {row.series_id: row.token for row in connection.execute(asked)}
    return Tokens(found.get(ANY, 0), found.get(ALL, 0), found)


def note_change(connection: Connection, numbers: Iterable[int]) -> None:
    """Gives some series, and the store, new tokens within the writer's transaction."""
    for number in {*numbers, ANY}:
        token = secrets.randbits(BITS)
        done = connection.execute(update(CHANGED).where(CHANGED.c.series_id == number).values(token=token))
        if not done.rowcount:
            connection.execute(insert(CHANGED).values(series_id=number, token=token))


def note_all(connection: Connection) -> None:
    """Gives the store a new token for all of its series."""
    connection.execute(delete(CHANGED).where(CHANGED.c.series_id > ANY))
    note_change(connection, [ALL])
