"""How batches get into the store: one by one, each with its mark and the word that something changed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from forecast.errors import DataError, PartlyRead
from forecast.store import catalogue
from forecast.store.ingesting import IngestReport, add_batch
from forecast.store.tokens import note_change
from forecast.tables.batch import Batch

if TYPE_CHECKING:
    from forecast.sources.contract import Source
    from forecast.store.store import Store


def ingest(
    store: Store, source: Source, progress: Callable[[IngestReport], None] | None, *, history: bool
) -> IngestReport:
    """Reads a source from its mark on; see `Store.ingest`."""
    total = IngestReport()
    try:
        for batch, refused in offered(source.batches(store.mark(source.name))):
            try:
                total += store.add(batch, source.name, history=history)
            except DataError as error:
                refused(error)
                continue
            if progress is not None:
                progress(total)
    except PartlyRead:
        # It was read to its end; only what is broken in it was left out.
        store.note_poll(source.name)
        raise
    store.note_poll(source.name)
    return total


def add(connection: Connection, batch: Batch, source: str, *, history: bool = False) -> IngestReport:
    """Writes a batch within the writer's transaction; `history` as in `Store.ingest`."""
    origin = catalogue.register_origin(connection, source)
    report = add_batch(connection, batch, replace(origin, polled_at=None) if history else origin)
    if batch.mark:
        catalogue.note_mark(connection, origin.number, batch.mark)
    names = {*report.series, *(one.unique_id for one in batch.series)}
    note_change(connection, [one.number for one in catalogue.entries(connection, names).values()])
    return report


def offered(batches: Iterator[Batch]) -> Iterator[tuple[Batch, Callable[[DataError], None]]]:
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
