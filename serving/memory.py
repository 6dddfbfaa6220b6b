"""`Memory`: questions whose history the store has.

What was read is kept, every version of it, as long as the store says that nothing changed. What a moment knew is kept
as a table until more becomes known: the same question again costs a look at the store's token and no rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from forecast.errors import RequestError
from forecast.forecaster import ForecasterSpec
from forecast.settings import Settings
from forecast.store import Store, catalogue
from forecast.store.catalogue import Entry
from forecast.store.tokens import tokens
from serving.asked import Asked, no_series
from serving.bodies import ForecastRequest
from serving.held import Held, last_known, read_held
from serving.keeping import Keeper
from serving.questions import Question
from serving.rows import ahead_of
from serving.shelf import Shelf
from serving.stamps import SECOND
from serving.table import HORIZON_S, Ahead, Table, nothing_known
from serving.unlearned import spec_of
from serving.watching import Watch

SERIES_BYTES, TABLE_BYTES = 48_000_000, 48_000_000
"""The most that is kept of rows, and of tables made of them."""
MOST_AT_ONCE = 4
"""Series whose table is made at once; more take long enough for a thread."""
SLACK_S = 2 * 86_400
"""More is read than the question needs, so that the next ones, from later cutoffs, find it, too."""


class Memory:
    """The store as a service sees it.

    Args:
        keeper: of the store.
        settings: how much one question may hold.
    """

    def __init__(self, keeper: Keeper, settings: Settings) -> None:
        self._keeper, self._most_rows = keeper, settings.max_rows
        self._watch = Watch(keeper)
        self._held = Shelf[Held](SERIES_BYTES)
        self._tables = Shelf[Table](TABLE_BYTES)
        self._counts = {"warm": 0, "cold": 0}

    async def question(self, request: ForecastRequest, spec: ForecasterSpec) -> Question:
        """A question on what the store knew at the moment that the request names.

        Raises:
            RequestError, DataError, NotEnoughHistory: the request, or what the store holds, cannot be used.
            StoreDown: the store does not answer.
        """
        asked = Asked.of(request, spec)
        token = await self._watch.now()
        warm = self._warm(asked, token)
        self._counts["cold" if warm is None else "warm"] += 1
        return warm if warm is not None else await self._keeper.ask(self._cold, asked)

    async def unlearned(self, request: ForecastRequest) -> ForecasterSpec:
        """A spec of which nothing was learned, for series of the store, while no model is served.

        Raises:
            RequestError: the store does not hold the first series.
            StoreDown: it does not answer.
        """
        return await self._keeper.ask(_unlearned, request)

    def close(self) -> None:
        """Gives the connections to the store back."""
        self._watch.close()
        self._keeper.close()

    def status(self) -> dict[str, Any]:
        """Whether the store answers, and how often its rows had to be asked for."""
        series, held_bytes = self._held.size
        tables, table_bytes = self._tables.size
        kept = {"series": series, "tables": tables, "bytes": held_bytes + table_bytes}
        return {**self._keeper.status(), "questions": dict(self._counts), "kept": kept}

    def _warm(self, asked: Asked, token: int) -> Question | None:
        """The question, where nothing has changed and all that it needs is here; no statement is asked."""
        table = None if asked.ahead else self._tables.get(self._key(asked))
        if table is not None and table.spec is asked.spec and table.token == token:
            cutoff = asked.cutoff(table.zones)
            moment = asked.known_until(cutoff, table.demand.series[0].zone)
            if table.serves(token, moment, cutoff, asked.spec.farthest):
                return table.question(asked, cutoff)
        if len(asked.names) > MOST_AT_ONCE:
            return None
        held = self._all_held(asked)
        return self._from(asked, held, token) if held and all(one.token == token for one in held.values()) else None

    def _key(self, asked: Asked) -> tuple[object, ...]:
        return id(asked.spec), asked.request.unit, asked.names

    def _all_held(self, asked: Asked) -> dict[str, Held]:
        """The series as they were read; none where one of them was not."""
        found = {name: one for name in asked.names if (one := self._held.get(name)) is not None}
        return found if len(found) == len(asked.names) else {}

    def _cold(self, store: Store, asked: Asked) -> Question:
        with store.snapshot() as connection:
            held = self._all_held(asked)
            if held:
                now = tokens(connection, [one.entry.number for one in held.values()])
                if all(one.state == now.state(one.entry.number) for one in held.values()):
                    # Something changed, and none of these.
                    self._keep({name: replace(one, token=now.any) for name, one in held.items()})
                    question = self._from(asked, held, now.any)
                    if question is not None:
                        return question
            entries = catalogue.entries(connection, asked.names)
            asked.check(entries)
            zones = {name: one.info.zone or "UTC" for name, one in entries.items()}
            cutoff = asked.cutoff(zones)
            moment = asked.known_until(cutoff, next(iter(zones.values())))
            first, last = self._span(connection, asked, entries, cutoff, moment)
            self._check_rows(len(entries), first, last, asked)
            now = tokens(connection, [one.number for one in entries.values()])
            held = self._read(connection, asked, entries, now, first, last)
        return self._question(asked, held, cutoff, moment, now.any)

    def _from(self, asked: Asked, held: Mapping[str, Held], token: int) -> Question | None:
        """The question on what was read before; None where that does not reach as far."""
        asked.check({name: one.entry for name, one in held.items()})
        zones = {name: one.entry.info.zone or "UTC" for name, one in held.items()}
        cutoff = asked.cutoff(zones)
        moment = asked.known_until(cutoff, next(iter(zones.values())))
        origin = cutoff.value if cutoff is not None else _end(held, moment)
        if origin is None:
            return None
        first, last = self._reach(asked, origin // SECOND)
        if not all(one.covers(first, last, asked.spec.columns.dynamic) for one in held.values()):
            return None
        self._check_rows(len(held), first, last, asked)
        return self._question(asked, held, cutoff, moment, token)

    def _question(
        self, asked: Asked, held: Mapping[str, Held], cutoff: pd.Timestamp | None, moment: pd.Timestamp, token: int
    ) -> Question:
        zones = {name: one.entry.info.zone or "UTC" for name, one in held.items()}
        unit = asked.unit({name: one.entry for name, one in held.items()})
        table = Table.of(asked, held, moment, unit, token, self._keeper.place, self._ahead(asked, zones))
        if not asked.ahead:
            self._tables.put(self._key(asked), table, table.size)
        return table.question(asked, cutoff)

    def _span(
        self, connection: Any, asked: Asked, entries: Mapping[str, Entry], cutoff: pd.Timestamp | None,
        moment: pd.Timestamp,
    ) -> tuple[int, int]:  # fmt: skip
        """The first and the last start of the periods that can touch the forecast (seconds)."""
        if cutoff is not None:
            origin = int(cutoff.value // SECOND)
        else:
            end = last_known(connection, list(entries.values()), int(moment.value // SECOND))
            if end is None:
                raise nothing_known(asked.names[0], moment, asked.spec.farthest)
            origin = end
        return self._reach(asked, origin)

    def _reach(self, asked: Asked, origin: int) -> tuple[int, int]:
        return origin - int(asked.spec.farthest.total_seconds()), origin + HORIZON_S

    def _check_rows(self, series: int, first: int, last: int, asked: Asked) -> None:
        rows = series * ((last - first) // asked.spec.step_seconds + 1)
        if rows > self._most_rows:
            raise RequestError(
                f"the series span {rows:,} periods",
                f"at most {self._most_rows:,} in one request",
                "ask for fewer series",
            )

    def _read(
        self, connection: Any, asked: Asked, entries: Mapping[str, Entry], now: Any, first: int, last: int
    ) -> dict[str, Held]:
        """The series' rows, those from the memory that are still right."""
        columns = asked.spec.columns.dynamic
        found: dict[str, Held] = {}
        for name, entry in entries.items():
            one = self._held.get(name)
            if one is not None and one.state == now.state(entry.number) and one.covers(first, last, columns):
                found[name] = one
        missing = {name: entry for name, entry in entries.items() if name not in found}
        if missing:
            fresh = read_held(connection, missing, now, first - SLACK_S, last + SLACK_S, columns)
            self._keep(fresh)
            found |= fresh
        return {name: found[name] for name in entries}

    def _keep(self, held: Mapping[str, Held]) -> None:
        for name, one in held.items():
            self._held.put(name, one, one.size)

    def _ahead(self, asked: Asked, zones: Mapping[str, str]) -> Ahead:
        """What the request says is known ahead."""
        coming = [one for one in asked.request.series if one.future is not None]
        return {one.unique_id: ahead_of(one, asked.spec, zones[one.unique_id]) for one in coming}


def _end(held: Mapping[str, Held], moment: pd.Timestamp) -> int | None:
    """The end of what is known of any series (UTC nanoseconds); None where only the store can tell."""
    ends = [one.end(moment.value) for one in held.values()]
    return None if None in ends else max(one for one in ends if one is not None)


def _unlearned(store: Store, request: ForecastRequest) -> ForecasterSpec:
    name = request.series[0].unique_id
    with store.snapshot() as connection:
        entry = catalogue.entries(connection, [name]).get(name)
    if entry is None:
        raise no_series(name)
    delay = pd.Timedelta(seconds=entry.delay_seconds)
    return spec_of(pd.Timedelta(seconds=entry.step_seconds), str(entry.info.unit), entry.info.zone or "UTC", delay)
