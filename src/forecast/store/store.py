"""`Store`: the memory that knows when it knew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import pandas as pd
from sqlalchemy import Connection, Engine

from forecast import clock
from forecast.calendars.region import Region
from forecast.errors import StoreError
from forecast.settings import Settings
from forecast.store import catalogue, ledger
from forecast.store.adding import add, ingest
from forecast.store.contents import Contents, contents
from forecast.store.engine import asking, engine_of, place, reading, writing
from forecast.store.forgetting import Forgotten, forget
from forecast.store.ingesting import IngestReport
from forecast.store.issued import CHAMPION, Issued, aware
from forecast.store.journal import Journal
from forecast.store.knowledge import stored_demand
from forecast.store.migrating import bring_to_head, refuse_missing
from forecast.store.once import answered, note_answer
from forecast.store.packed import Packed, record_packed
from forecast.store.tokens import note_change
from forecast.tables import Demand, Forecast, SeriesInfo
from forecast.tables.batch import Batch

if TYPE_CHECKING:
    from forecast.sources.contract import Source


class Store(Journal):
    """Observations with their moments of knowledge, registry of series, ledger of forecasts, journal of flows.

    One writer at a time, any number of readers. What was observed and said is changed or removed by `forget` only.

    Attributes:
        engine: of the database.
        place: its address without secrets.

    >>> Store.open("mysql://host/base")
    Traceback (most recent call last):
    ...
    forecast.errors.StoreError: mysql://host/base is no address of a store; expected sqlite:///FILE or ...
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.place = place(engine.url)

    @classmethod
    def open(cls, url: str | None = None, settings: Settings | None = None, *, make: bool = True) -> Self:
        """The store at a URL, brought to this version's schema.

        Args:
            url: of SQLite or PostgreSQL; that of the settings (`FORECAST_STORE`) where None.
            settings: those of the process where None.
            make: whether one is made where there is none.

        Raises:
            StoreError: the address is none, nothing answers there, there is no store, or a newer version wrote it.
        """
        settings = settings or Settings.read()
        engine = engine_of(url or settings.store, settings.store_patience_s)
        try:
            with asking(engine):
                if not make:
                    refuse_missing(engine, place(engine.url))
                bring_to_head(engine, place(engine.url))
        except StoreError:
            engine.dispose()
            raise
        return cls(engine)

    def close(self) -> None:
        """Gives the connections back."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ingest(
        self, source: Source, progress: Callable[[IngestReport], None] | None = None, *, history: bool = False
    ) -> IngestReport:
        """Reads a source from where the last reading ended, and writes batch after batch, each with its mark.

        Args:
            source: what is read.
            progress: told what was done so far after every batch.
            history: what comes now was known in its time, although it was not there at the last reading.

        Raises:
            SourceError, DataError: the source failed, or gave a batch that does not fit and would not go on without
                it; what was written before stays, the next call goes on there.
            StoreError: the store failed; nothing of the batch in hand is written.
        """
        return ingest(self, source, progress, history=history)

    def note_poll(self, source: str) -> None:
        """Keeps that a source was read to its end now."""
        with writing(self.engine) as connection:
            number = catalogue.register_origin(connection, source).number
            catalogue.note_poll(connection, number, int(clock.now().timestamp()))

    def add(self, batch: Batch, source: str, *, history: bool = False) -> IngestReport:
        """Writes one batch and its mark in one transaction; `history` as in `ingest`.

        Raises:
            DataError: the batch does not fit what is stored.
            StoreError: the store failed.
        """
        with writing(self.engine) as connection:
            return add(connection, batch, source, history=history)

    def add_once(
        self, batch: Batch, source: str, key: str, body: bytes, answer: Callable[[IngestReport], bytes]
    ) -> bytes:
        """Writes one batch unless its key has been answered, and keeps the answer, in one transaction.

        Args:
            batch, source: as in `add`.
            key: of whoever sends it; for a day it stands for this body.
            body: as it was sent.
            answer: says what was done.

        Returns:
            the answer, or the one that the same key and body had before.

        Raises:
            KeyReused: the key stands for another body.
            DataError, StoreError: as `add`.
        """
        with writing(self.engine) as connection:
            before = answered(connection, key, body)
            if before is not None:
                return before
            told = answer(add(connection, batch, source))
            note_answer(connection, key, body, told)
        return told

    def mark(self, source: str) -> Mapping[str, Any] | None:
        """How far a source was read; None: never."""
        with reading(self.engine) as connection:
            found = catalogue.origin(connection, source)
        return None if found is None else found.mark

    def series(self) -> dict[str, SeriesInfo]:
        """What is known of every series, by name."""
        with reading(self.engine) as connection:
            return {name: entry.info for name, entry in catalogue.entries(connection).items()}

    def describe(self, *told: SeriesInfo) -> None:
        """Writes what is said of some series, all or none; what is not said stays as it is.

        Raises:
            DataError: unit or step contradict what is stored, a new series comes without a step, or parents make no
                tree of registered series.
            DeclarationError: a country is not known.
        """
        with writing(self.engine) as connection:
            for one in told:
                if one.country is not None:
                    Region.of(one.country)
                catalogue.register(connection, one, None, None)
            catalogue.check_families(connection)
            known = catalogue.entries(connection, [one.unique_id for one in told])
            note_change(connection, [one.number for one in known.values()])

    def demand(
        self, *, only: Sequence[str] = (), covariates: Sequence[str] | None = None,
        as_of: pd.Timestamp | str | None = None, since: pd.Timestamp | None = None, country: str | None = None,
        forecast_only: bool = False,
    ) -> Demand:  # fmt: skip
        """The table of stored series.

        Args:
            only: the series; all that have a value where empty.
            covariates: names of the covariates; all that are stored where None.
            as_of: only what was known at this moment (aware) is read, and the table is narrowed to it; None: all.
            since: only periods that start here or later.
            country: whose public holidays the calendar marks, where the series do not say.
            forecast_only: whether series may have no demand at all.

        Raises:
            StoreError: there is no such series.
            DataError: the series do not fit one table, or nothing of one is known.
        """
        moment = None if as_of is None else aware(as_of)
        with self.snapshot() as connection:
            demand = stored_demand(
                connection, self.place, only=only, covariates=covariates, until=moment, since=since,
                country=country, forecast_only=forecast_only,
            )  # fmt: skip
        return demand if moment is None else demand.as_of(moment)

    def record(
        self, forecast: Forecast, *, id: str, model: str | None = None, model_version: str | None = None,
        data_digest: str | None = None, rung: str = CHAMPION, reason: str | None = None,
        delivery_day: str | None = None, gate: str | None = None, issued_at: pd.Timestamp | None = None,
    ) -> Issued:  # fmt: skip
        """Writes one forecast into the ledger, where nothing changes; the same one again is no news.

        Args:
            forecast: what was said, of series that are registered.
            id: under which it is found again; no name of a series belongs into it.
            model: name of who said it; the forecast's own where None.
            model_version, data_digest, rung, reason, delivery_day, gate: as in `Issued`.
            issued_at: now where None.

        Raises:
            DataError: its periods are irregular, or its stamps are no whole seconds.
            StoreError: a series is unknown, or the id stands there with other content.
        """
        one = Issued(
            id, forecast if model is None else replace(forecast, model=model),
            clock.now() if issued_at is None else issued_at, model_version, data_digest, rung, reason, delivery_day,
            gate,
        )  # fmt: skip
        self.record_all([one])
        return one

    def record_all(self, several: Sequence[Issued]) -> int:
        """Writes forecasts into the ledger in one transaction, all or none; returns how many rows were new.

        Raises:
            DataError, StoreError: as `record`.
        """
        with writing(self.engine) as connection:
            return ledger.record_all(connection, several)

    def record_packed(self, several: Sequence[Packed], *, flush: bool = True) -> None:
        """Writes packed forecasts, each under a new id, in one transaction; unknown series are registered.

        Without `flush` the commit does not wait for the disk: a loss of power may take the last ones.

        Raises:
            StoreError: the store failed, or an id is not new; nothing is written.
        """
        with writing(self.engine, flush=flush) as connection:
            record_packed(connection, several)

    def forecast(self, id: str) -> Forecast:
        """What was said under an id, bit for bit, by series, cutoff and period.

        Raises:
            StoreError: there is none.
        """
        with reading(self.engine) as connection:
            return ledger.issued(connection, id).forecast

    def forecasts(
        self, series: str, delivery_day: str | None = None, first: pd.Timestamp | str | None = None,
        last: pd.Timestamp | str | None = None, as_of: pd.Timestamp | str | None = None, newest: int | None = None,
    ) -> list[Issued]:  # fmt: skip
        """What was said of one series, oldest cutoff first; each entry holds one cutoff of this series.

        Args:
            series: its name.
            delivery_day: only what was asked for this day, such as 2024-07-01.
            first, last: only what speaks of a period that starts from `first` to `last` (aware).
            as_of: only what was issued by then (aware).
            newest: only so many of these, those that were issued last.

        Raises:
            StoreError: there is no such series.
        """
        moments = {"first": first, "last": last, "as_of": as_of}
        told = {name: None if one is None else aware(one) for name, one in moments.items()}
        with reading(self.engine) as connection:
            return ledger.issued_of(connection, series, delivery_day=delivery_day, newest=newest, **told)

    def forget(self, series: str, settings: Settings | None = None) -> Forgotten:
        """Removes one series from observations, registry, ledger and caches; the audit keeps its name's SHA-256.

        Args:
            series: its name.
            settings: where the caches are; those of the process where None.

        Raises:
            StoreError: there is no such series and never was, or the store or the system refused; run again.
        """
        return forget(self.engine, series, settings or Settings.read())

    def contents(self) -> Contents:
        """What is in the store."""
        return contents(self.engine)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection that reads one state of the store."""
        with reading(self.engine) as connection:
            yield connection
