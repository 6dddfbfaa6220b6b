"""`Store`: the memory that knows when it knew."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import pandas as pd
from sqlalchemy import Connection, Engine

from forecast import clock
from forecast.calendars.region import Region
from forecast.errors import DataError, PartlyRead, StoreError
from forecast.settings import Settings
from forecast.store import catalogue, ledger
from forecast.store.contents import Contents, contents
from forecast.store.engine import asking, engine_of, place, reading, writing
from forecast.store.forgetting import Forgotten, forget
from forecast.store.ingesting import IngestReport, add_batch
from forecast.store.issued import CHAMPION, Issued
from forecast.store.knowledge import stored_demand
from forecast.store.migrating import bring_to_head, refuse_missing
from forecast.tables import Demand, Forecast, SeriesInfo

if TYPE_CHECKING:
    from forecast.sources.contract import Batch, Source


class Store:
    """Observations with their moments of knowledge, the registry of series, and the ledger of forecasts.

    One writer at a time, any number of readers. Nothing that is stored is changed or removed but by `forget`.

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
        total = IngestReport()
        try:
            for batch, refused in _offered(source.batches(self.mark(source.name))):
                try:
                    total += self.add(batch, source.name, history=history)
                except DataError as error:
                    refused(error)
                    continue
                if progress is not None:
                    progress(total)
        except PartlyRead:
            # It was read to its end; only what is broken in it was left out.
            self._note_poll(source.name)
            raise
        self._note_poll(source.name)
        return total

    def _note_poll(self, source: str) -> None:
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
            origin = catalogue.register_origin(connection, source)
            report = add_batch(connection, batch, replace(origin, polled_at=None) if history else origin)
            if batch.mark:
                catalogue.note_mark(connection, origin.number, batch.mark)
        return report

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

    def demand(
        self, *, only: Sequence[str] = (), covariates: Sequence[str] | None = None,
        as_of: pd.Timestamp | str | None = None, since: pd.Timestamp | None = None, country: str | None = None,
        forecast_only: bool = False,
    ) -> Demand:  # fmt: skip
        """The table of stored series.

        Args:
            only: the series; all where empty.
            covariates: names of the covariates; all that are stored where None.
            as_of: only what was known at this moment (aware) is read, and the table is narrowed to it; None: all.
            since: only periods that start here or later.
            country: whose public holidays the calendar marks, where the series do not say.
            forecast_only: whether series may have no demand at all.

        Raises:
            StoreError: there is no such series.
            DataError: the series do not fit one table, or nothing of one is known.
        """
        moment = None if as_of is None else _aware(as_of)
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
        told = {name: None if one is None else _aware(one) for name, one in moments.items()}
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


def _offered(batches: Iterator[Batch]) -> Iterator[tuple[Batch, Callable[[DataError], None]]]:
    """Each batch with a way to refuse it: a source that can do without a part of itself goes on, others raise."""
    refusals: list[DataError] = []
    batch = next(batches, None)
    while batch is not None:
        yield batch, refusals.append
        if refusals and isinstance(batches, Generator):
            try:
                batch = batches.throw(refusals.pop())
            except StopIteration:
                return
        elif refusals:
            raise refusals.pop()
        else:
            batch = next(batches, None)


def _aware(moment: pd.Timestamp | str) -> pd.Timestamp:
    stamp = pd.Timestamp(moment)
    if stamp.tzinfo is None:
        raise StoreError(f"the moment {stamp} carries no zone", "an aware stamp such as 2024-07-01T00:00Z")
    return stamp.tz_convert("UTC")
