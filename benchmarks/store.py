"""What the store costs: a million rows in, one series' year out as of a moment, a thousand of them at once.

Run with `make bench BENCH=store` or `python benchmarks/store.py [--store URL]`. Without a URL SQLite in a fresh folder
is measured; a PostgreSQL database must be empty. Everything is of this one run on this machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from forecast.sources import Batch
from forecast.store import Store
from forecast.tables import SeriesInfo

YEAR = 8760
FIRST = pd.Timestamp("2023-01-01T00:00Z")
AS_OF = pd.Timestamp("2023-12-30T00:00Z")


def main() -> None:
    """Prints seconds, and the goal beside each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", help="URL of an empty store")
    parser.add_argument("--series", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as room, Store.open(options.store or f"sqlite:///{room}/store.db") as store:
        print(store.place if options.store else "SQLite in a fresh folder")
        measure(store, options.series)


def measure(store: Store, count: int) -> None:
    """Ingests `count` series of a year by batches of a million rows, and reads them."""
    at_once, seconds, rows = 1_000_000 // YEAR, [], 0
    for begin in range(0, count, at_once):
        batch = year_of(begin, min(count, begin + at_once))
        took = timed(lambda batch=batch: store.add(batch, "benchmark"))  # type: ignore[misc]
        seconds.append(took / len(batch.frame) * 1e6)
        rows += len(batch.frame)
    print(f"ingest: first million rows {seconds[0]:.1f} s, a later one {np.median(seconds):.1f} s (goal: under 20)")
    again = year_of(0, min(count, at_once))
    print(f"the same million again, no news: {timed(lambda: store.add(again, 'benchmark')):.1f} s")
    name = f"s{count // 2:05d}"
    one = [timed(lambda: store.demand(only=[name], as_of=AS_OF)) for _ in range(11)]
    print(f"one series' year as of a moment: {np.median(one) * 1e3:.0f} ms (goal: under 50)")
    took = timed(lambda: store.demand(as_of=AS_OF))
    print(f"{count:,} series x 1 year ({rows:,} rows) as of a moment: {took:.1f} s (goal for 1,000: under 10)")


def year_of(begin: int, end: int) -> Batch:
    """A year of hours of some series."""
    names = [f"s{number:05d}" for number in range(begin, end)]
    stamps = pd.date_range(FIRST, periods=YEAR, freq="1h")
    values = np.random.default_rng(begin).uniform(0, 100, YEAR * len(names))
    frame = pd.DataFrame({"unique_id": np.repeat(names, YEAR), "ds": np.tile(stamps, len(names)), "y": values})
    return Batch(frame, series=tuple(SeriesInfo(unique_id=name, step="1h") for name in names))


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
