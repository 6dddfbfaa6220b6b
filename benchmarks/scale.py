"""From 10 to 10,000 series: a day's forecasts for all of them into the ledger, its time, memory and parts.

Run with `make bench BENCH=scale` or `python benchmarks/scale.py [--room FOLDER]`. The store holds two years of hours of
every series, with the moments at which they became known; its rows are made inside the database, because what is
measured is reading, forecasting and writing (`make bench BENCH=store` measures the way in). The model is the recipe
named, learned from some of the series and asked about all; goal: 10,000 series in under 2 minutes on 2 cores and under
4 GiB. Processor seconds say what an idle machine would need, divided by the cores that are kept busy. The peak is the
resident memory of this process and all its children at one moment, looked at 5 times a second, pages that they share
counted once for each. With `--room` the store is kept, and a second run measures at once.

`--dask 1,2` issues through a scheduler of Dask and so many worker processes instead, compares the ledgers bit for bit
with that of one process, kills a worker in the middle once, and prints the ratio of throughputs; `--namespaces` (as
root) puts every worker into a network of its own, joined to the scheduler's by a wire.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
from scale_crew import crew, ledger_of
from scale_made import DAYS, FIRST, fill, model_of, name_of
from scale_memory import Watch

from forecast import clock
from forecast.issuing import BATCH, Question, issue
from forecast.settings import Settings
from forecast.store import Store

GATE = "D-1T10:00"
GOAL_S, GOAL_GIB = 120.0, 4.0


def main() -> None:
    """Prints the curve, or the comparison of workers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="10,100,1000,10000")
    parser.add_argument("--recipe", default="lstm")
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--room", type=Path, help="folder that keeps store and model")
    parser.add_argument("--dask", help="numbers of workers, such as 1,2")
    parser.add_argument("--namespaces", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        room = options.room or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        room.mkdir(parents=True, exist_ok=True)
        model = model_of(room, options.recipe)
        settings = Settings.read(
            home=room, store=f"sqlite:///{room}/store.db", model=str(model), mlflow_uri=f"sqlite:///{room}/mlflow.db",
            mlruns=room / "mlruns",
        )  # fmt: skip
        counts = [int(one) for one in options.counts.split(",")]
        if options.dask:
            several(options, settings, room, counts[-1])
        else:
            curve(options, settings, room, counts)


def curve(options: argparse.Namespace, settings: Settings, room: Path, counts: list[int]) -> None:
    """One line for each number of series."""
    print(
        f"{options.recipe}, {DAYS} days of hours, batches of {options.batch}, {options.workers} worker(s); load "
        f"{os.getloadavg()[0]:.1f}"
    )
    print("| series | seconds, best | worst | processor seconds | ms a series | peak GiB | rungs |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for count in counts:
        fill(settings, count)
        seconds, peaks, work = [], [], []
        for _ in range(options.repeats):
            empty_ledger(room)
            before = processor_s()
            with Watch() as watch:
                took, rungs = issued(options, settings, count)
            work.append(processor_s() - before)
            seconds.append(took)
            peaks.append(watch.peak_gib)
        told = f"{min(seconds):.1f} | {max(seconds):.1f} | {min(work):.1f} | {1e3 * min(work) / count:.1f}"
        told += f" | {max(peaks):.2f} | {rungs}"
        print(f"| {count:,} | {told} |", flush=True)
    if counts[-1] >= 10_000:
        met = min(seconds) < GOAL_S and max(peaks) < GOAL_GIB
        print(f"goal of {GOAL_S:.0f} s and {GOAL_GIB:.0f} GiB: {'met' if met else 'missed'}")
    print(f"load {os.getloadavg()[0]:.1f}")


def issued(options: argparse.Namespace, settings: Settings, count: int) -> tuple[float, str]:
    """Seconds of an issue for the first series, the store opened and the model loaded anew, and who spoke."""
    day = (FIRST + pd.Timedelta(days=DAYS)).strftime("%Y-%m-%d")
    began = time.perf_counter()
    with clock.using(moment()), Store.open(settings=settings) as store:
        done = issue(
            store, settings, Question(day, GATE), series=names(count), batch=options.batch, workers=options.workers
        )
    assert done.written == count, done
    return time.perf_counter() - began, ", ".join(f"{rung} {number}" for (rung, _), number in done.rungs.items())


def processor_s() -> float:
    """Seconds of the processor that this process and all that it waited for have used."""
    return sum(os.times()[:4])


def names(count: int) -> list[str]:
    """The first series."""
    return [name_of(number) for number in range(count)]


def moment() -> pd.Timestamp:
    """Ten minutes before the gate of the day after the last one measured."""
    return FIRST + pd.Timedelta(days=DAYS - 1, hours=9, minutes=50)


def empty_ledger(room: Path) -> None:
    """Forgets what was issued; the store lets nobody delete from its ledger but those who forget a whole series."""
    with sqlite3.connect(room / "store.db") as connection:
        connection.execute("INSERT INTO erasing SELECT id FROM series")
        connection.execute("DELETE FROM forecast")
        connection.execute("DELETE FROM erasing")
    connection.close()


def several(options: argparse.Namespace, settings: Settings, room: Path, count: int) -> None:
    """The same issue by one process and by the workers of a scheduler: equal ledgers, times, one killed."""
    fill(settings, count)
    options.workers = 1
    empty_ledger(room)
    alone, _ = issued(options, settings, count)
    said = ledger_of(room)
    print(f"{count:,} series, batches of {options.batch}; load {os.getloadavg()[0]:.1f}")
    print(f"one process: {alone:.1f} s", flush=True)
    numbers = [int(one) for one in options.dask.split(",")]
    taken: dict[int, list[float]] = {number: [] for number in numbers}
    for _ in range(options.repeats):
        for number in numbers:
            empty_ledger(room)
            with crew(room, number, namespaces=options.namespaces) as workers:
                on_dask = settings.model_copy(update={"dask_scheduler": workers.address})
                issued(options, on_dask, min(count, number * options.batch))  # imports and the model's load, once
                empty_ledger(room)
                took, _ = issued(options, on_dask, count)
            assert ledger_of(room) == said, "the workers said something else than one process"
            taken[number].append(took)
            print(f"{number} worker(s): {took:.1f} s, the same bits; load {os.getloadavg()[0]:.1f}", flush=True)
    first, last = numbers[0], numbers[-1]
    each = [one / more for one, more in zip(taken[first], taken[last], strict=True)]
    turns = ", ".join(f"{one:.2f}" for one in each)
    print(f"throughput of {last} workers to {first}: {max(each):.2f} at best, in turns {turns} (goal: 1.7)")
    empty_ledger(room)
    with crew(room, numbers[-1], namespaces=options.namespaces) as workers:
        workers.kill_after(min(taken[last]) / 3)
        took, _ = issued(options, settings.model_copy(update={"dask_scheduler": workers.address}), count)
    assert ledger_of(room) == said, "a killed worker changed what was said"
    print(f"a worker killed with -9 in the middle: {took:.1f} s, the same bits, nothing twice")


if __name__ == "__main__":
    main()
