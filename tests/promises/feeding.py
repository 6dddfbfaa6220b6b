"""A feed for a store, and processes that feed it, die in the middle, or stand in the way."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine, event, select

from forecast import clock
from forecast.errors import ForecastError
from forecast.sources import Batch, Mark
from forecast.store import Store, backup, restore
from forecast.store.engine import engine_of, writing
from forecast.store.schema import OBSERVATION, SERIES, SOURCE, VARIABLE
from forecast.tables import Columns

NOW = "2024-06-01T00:00Z"
START = pd.Timestamp("2024-01-01T00:00Z")
BATCHES, HOURS = 5, 240
# What takes long to import is imported once; each process is a copy of that one.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["forecast.store", "forecast.sources"])


class Feed:
    """Two meters with weather; each batch says the last hours of the one before again, some of them otherwise."""

    name = "feed"

    def batches(self, mark: Mark | None) -> Iterator[Batch]:
        for number in range(int((mark or {}).get("at", 0)), BATCHES):
            yield Batch(_frame(number), Columns(known=("warmth",)), mark={"at": number + 1})


def _frame(number: int) -> pd.DataFrame:
    rng = np.random.default_rng(number)
    ds = pd.date_range(
        START + pd.Timedelta(hours=number * HOURS - 24 * (number > 0)), periods=HOURS + 24 * (number > 0), freq="1h"
    )
    parts = []
    for name in ("north", "south"):
        y = np.sin(ds.dayofyear.to_numpy() + ds.hour.to_numpy()) + 0.1 * (rng.random(len(ds)) < 0.1)
        parts.append(pd.DataFrame({"unique_id": name, "ds": ds, "y": y, "warmth": rng.normal(size=len(ds))}))
    return pd.concat(parts, ignore_index=True)


def end(batches: int) -> int:
    """Where the periods of the first batches end, in seconds since 1970."""
    return int((START + pd.Timedelta(hours=batches * HOURS)).timestamp())


def feed(store: Store) -> int:
    """Stores what is new; returns how many batches were."""
    with clock.using(NOW):
        return store.ingest(Feed()).batches


def rows(store: Store) -> list[tuple[Any, ...]]:
    """Everything that was stored, by name, and how far the source was read."""
    table = OBSERVATION.c
    wanted = (
        select(SERIES.c.unique_id, VARIABLE.c.name, table.ds, table.available_at, table.revision, table.value,
               SOURCE.c.name, SOURCE.c.mark, SOURCE.c.polled_at)
        .join_from(OBSERVATION, SERIES, SERIES.c.id == table.series_id)
        .join(VARIABLE, VARIABLE.c.id == table.variable_id)
        .join(SOURCE, SOURCE.c.id == table.source_id)
    )  # fmt: skip
    with store.snapshot() as connection:
        return sorted(map(tuple, connection.execute(wanted).all()))


# ---- processes ---------------------------------------------------------------------------------------------------


def run(target: Any, *arguments: Any) -> int:
    """The exit code of a process."""
    process = PROCESSES.Process(target=target, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode is not None, "it hangs"
    return int(process.exitcode)


def feed_and_die(url: str, words: str = "", times: int = 1, after_s: float | None = None) -> None:
    """Feeds a store and is killed before the so-many-th statement that begins so, or after some time."""
    if words:
        at_statement(Engine, words, times, lambda: os.kill(os.getpid(), signal.SIGKILL))
    if after_s is not None:
        threading.Timer(after_s, os.kill, (os.getpid(), signal.SIGKILL)).start()
    with Store.open(url) as store:
        feed(store)
    os._exit(0)


def restore_and_die(copy: Path, url: str) -> None:
    """Fills a store from a backup and is killed when everything is written and nothing committed."""
    at_statement(Engine, "SELECT count", 1, lambda: os.kill(os.getpid(), signal.SIGKILL))
    restore(copy, url, replace=True)


def at_statement(engine: Engine | type[Engine], words: str, times: int, do: Callable[[], object]) -> None:
    """Does something before the so-many-th statement that begins so; COMMIT is one, too."""
    seen = [0]

    def look(statement: str) -> None:
        seen[0] += " ".join(statement.split()).startswith(words)
        if seen[0] == times:
            seen[0] += 1
            do()

    event.listen(engine, "before_cursor_execute", lambda _connection, _cursor, statement, *_: look(statement))
    event.listen(engine, "commit", lambda _connection: look("COMMIT"))
    if engine is Engine and importlib.util.find_spec("psycopg"):
        _look_at_copies(look)


def _look_at_copies(look: Callable[[str], None]) -> None:
    """SQLAlchemy does not see PostgreSQL's way of taking many rows; it is told as the other database's."""
    import psycopg

    copy = psycopg.Cursor.copy

    def told(self: Any, statement: str, *arguments: Any, **options: Any) -> Any:
        look(str(statement).replace("COPY", "INSERT INTO"))
        return copy(self, statement, *arguments, **options)

    psycopg.Cursor.copy = told  # type: ignore[method-assign]


def feed_small_files(url: str, most_bytes: int, told: Path) -> None:
    """Feeds a store where no file may grow beyond a size; writes down what it was told."""
    _limit(most_bytes)
    try:
        with Store.open(url) as store:
            feed(store)
    except ForecastError as error:
        _limit(resource.RLIM_INFINITY)
        told.write_text(str(error))


def back_up_small_files(url: str, most_bytes: int, told: Path) -> None:
    """Copies a store where no file may grow beyond a size; writes down what it was told."""
    with Store.open(url) as store:
        _limit(most_bytes)
        try:
            backup(store, told.with_name("copy.zip"))
        except ForecastError as error:
            _limit(resource.RLIM_INFINITY)
            told.write_text(str(error))


def _limit(most_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))


def hold(url: str, holds: Event, release: Event) -> None:
    """Is the writer until it is told to go."""
    with writing(engine_of(url)):
        holds.set()
        release.wait(60)
