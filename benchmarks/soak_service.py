"""The service for minutes at 80 % of what it can do, while versions are swapped, readings arrive and things break.

Run with `python benchmarks/soak_service.py [--minutes 10]`. A real `forecast serve` follows a real registry (SQLite)
and writes its ledger (SQLite). It is asked with history in the body and by names alone; readings are sent every second,
the champion changes every 15 s, and in turn the store is locked, the registry disappears, and a broken version is
promoted. It ends with 1 where a request was refused, an answer or a reading was lost, or memory grew by more than 5 %.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import benchmarks.serving_model as model  # noqa: E402
from benchmarks.load import load, prepared  # noqa: E402
from benchmarks.serving import Server, bind, server  # noqa: E402
from forecast.forecaster.exporting import with_graphs  # noqa: E402
from forecast.registry.runs import running  # noqa: E402
from forecast.registry.store import open_store  # noqa: E402
from forecast.registry.writer import log_forecaster, register  # noqa: E402
from forecast.settings import Settings  # noqa: E402

ASK = "/v1/forecasts"
WARM_S = 45
"""After so long everything that is loaded once is loaded."""


@dataclass
class Story:
    """What happened.

    Attributes:
        ids: of the answers that said they were recorded.
        told: answers by status and rung.
        sent: readings that were taken in, by series and stamp.
        memory: megabytes, with the moment.
        swaps, faults: how many.
    """

    ids: list[str] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    sent: dict[tuple[str, str], float] = field(default_factory=dict)
    memory: list[tuple[float, float]] = field(default_factory=list)
    swaps: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def hear(self, status: int, body: bytes) -> None:
        """Notes one answer."""
        if status != 200:
            self.told[str(status)] += 1
            return
        said = json.loads(body)
        self.told[f"{said['rung']}{'' if said['recorded'] else ', not recorded'}"] += 1
        if said["recorded"]:
            self.ids.append(said["id"])


def main() -> int:
    """Runs, and says what was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--share", type=float, default=0.8)
    options = parser.parse_args()
    bind(1)
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        settings = Settings.read(home=room, mlflow_uri=f"sqlite:///{room}/mlruns/mlflow.db")
        model.fill(f"sqlite:///{room}/mlruns/store.db")
        versions = registered(settings)
        point(settings, versions[0])
        command = [sys.executable, "-m", "forecast", "serve", "--port"]
        with server(command, "/readyz", room, FORECAST_FOLLOW_S="2") as one:
            return soak(one, room, settings, versions, options.minutes * 60, options.share)


def soak(one: Server, room: Path, settings: Settings, versions: list[str], seconds: float, share: float) -> int:
    """The load, and beside it everything that goes on in an ordinary bad day."""
    requests = [prepared(f"{one.address}{ASK}", body, {}) for body in mixed()]
    address = f"{one.address}{ASK}"
    able = asyncio.run(load(address, requests, clients=8, seconds=10, rate=None))
    rate = share * float(able["per_second"])  # type: ignore[arg-type]
    print(f"it answers {able['per_second']:.0f}/s; asked for {rate:.0f}/s over {seconds / 60:g} min", flush=True)
    story, over = Story(), threading.Event()
    beside = [
        threading.Thread(target=every, args=(pause, over, work))
        for pause, work in (
            (1.0, lambda: read_meter(one, story)),
            (15.0, swapper(settings, versions[:2], story)),
            (30.0, breaker(settings, versions, room, story)),
            (2.0, lambda: story.memory.append((time.monotonic(), one.memory_mb))),
        )
    ]
    begun = time.monotonic()
    for thread in beside:
        thread.start()
    told = asyncio.run(load(address, requests, clients=32, seconds=seconds, rate=rate, heard=story.hear))
    over.set()
    for thread in beside:
        thread.join()
    return judged(told, story, room, begun)


def judged(told: dict[str, Any], story: Story, room: Path, begun: float) -> int:
    """Prints the story; 1 where something was lost."""
    lost = missing_answers(room, story.ids)
    unread = missing_readings(room, story.sent)
    warm = [megabytes for at, megabytes in story.memory if WARM_S <= at - begun < WARM_S + 30]
    last = [megabytes for _, megabytes in story.memory[-15:]]
    grown = statistics.median(last) / statistics.median(warm or last) - 1
    print(f"{told['requests']} requests, p50 {told['p50_ms']:.1f} ms, p99 {told['p99_ms']:.1f} ms; {dict(story.told)}")
    print(f"{story.swaps} swaps, faults: {dict(story.faults)}")
    print(
        f"{told['bad']} refused {told['first_bad']}; of {len(story.ids)} recorded answers {lost} are not in the ledger;"
    )
    print(f"of {len(story.sent)} readings taken in {unread} are not in the store;")
    print(f"memory {statistics.median(warm or last):.0f} MB after warm-up, {statistics.median(last):.0f} MB at the end "
          f"({100 * grown:+.1f} %)")  # fmt: skip
    return int(bool(told["bad"] or lost or unread or grown > 0.05))


def mixed() -> list[bytes]:
    """Requests with their history and by name, three to one."""
    named, own = cycle(model.stored_bodies(store=True)), cycle(model.bodies(store=True))
    return [next(named) if place % 4 == 0 else next(own) for place in range(160)]


def registered(settings: Settings) -> list[str]:
    """Three versions of a model, the last one with broken weights."""
    forecaster = with_graphs(model.trained())
    store, numbers = open_store(settings), []
    for place in range(3):
        again = forecaster.spec.model_copy(update={"trained_from": f"2024-01-0{place + 1}T00:00:00+00:00"})
        with running(store, f"soak {place}", {}) as run:
            logged = log_forecaster(run, type(forecaster)(again, forecaster.model, forecaster.ranks_DH), None)
        numbers.append(register(logged, settings))
    for weights in settings.artifacts.rglob("weights.safetensors"):
        newest = max(settings.artifacts.rglob("weights.safetensors"), key=lambda path: path.stat().st_mtime_ns)
        if weights == newest:
            weights.write_bytes(weights.read_bytes()[:-100])
            break
    return numbers


def point(settings: Settings, number: str) -> None:
    """Lets the champion's alias point to a version."""
    open_store(settings).client.set_registered_model_alias(settings.model_name, "champion", number)


def every(pause: float, over: threading.Event, work: Callable[[], None]) -> None:
    """Does something again and again until it is over."""
    while not over.wait(pause):
        work()


def swapper(settings: Settings, numbers: list[str], story: Story) -> Callable[[], None]:
    """Changes the champion; not while the registry is away."""
    turn = cycle([*numbers[1:], numbers[0]])

    def swap() -> None:
        with contextlib.suppress(Exception):
            point(settings, next(turn))
            story.swaps += 1

    return swap


def breaker(settings: Settings, numbers: list[str], room: Path, story: Story) -> Callable[[], None]:
    """Breaks one thing after the other for a few seconds."""
    registry = room / "mlruns" / "mlflow.db"

    def lock_store() -> None:
        with contextlib.closing(sqlite3.connect(room / "mlruns" / "store.db", timeout=20)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            time.sleep(3)
            connection.rollback()

    def lose_registry() -> None:
        away = registry.with_suffix(".away")
        registry.rename(away)
        time.sleep(8)
        registry.unlink(missing_ok=True)
        away.rename(registry)

    def promote_broken() -> None:
        point(settings, numbers[2])
        time.sleep(8)
        point(settings, numbers[0])

    turn = cycle([lock_store, lose_registry, promote_broken])

    def fault() -> None:
        work = next(turn)
        try:
            work()
            story.faults[work.__name__] += 1
        except Exception as error:
            story.faults[f"{work.__name__} ({type(error).__name__})"] += 1

    return fault


def read_meter(one: Server, story: Story) -> None:
    """One more hour of every tenth series; sent again until it is taken in, as a meter would."""
    hour = len(story.sent) // 4
    ds = (model.FIRST + pd.Timedelta(days=21, hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ")
    values = np.random.default_rng(hour).normal(100, 10, 4).round(3).tolist()
    meters = model.names()[::10]
    body = {
        "series": [
            {"unique_id": name, "history": {"ds": [ds], "y": [value]}}
            for name, value in zip(meters, values, strict=True)
        ]
    }
    request = urllib.request.Request(
        f"{one.address}/v1/observations", json.dumps(body).encode(),
        {"Content-Type": "application/json", "Idempotency-Key": f"hour-{hour}"},
    )  # fmt: skip
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        story.faults[f"reading put off ({getattr(error, 'code', type(error).__name__)})"] += 1
        return
    story.sent |= {(name, ds): value for name, value in zip(meters, values, strict=True)}


def missing_answers(room: Path, ids: list[str]) -> int:
    """How many recorded answers the ledger does not hold."""
    with contextlib.closing(sqlite3.connect(room / "mlruns" / "store.db")) as connection:
        held = {row[0] for row in connection.execute("SELECT DISTINCT id FROM forecast")}
    return len(set(ids) - held)


def missing_readings(room: Path, sent: dict[tuple[str, str], float]) -> int:
    """How many accepted readings the store does not hold, or holds otherwise."""
    wanted = (
        "SELECT s.unique_id, o.ds, o.value FROM observation o JOIN series s ON s.id = o.series_id "
        "JOIN variable v ON v.id = o.variable_id WHERE v.name = 'y'"
    )
    with contextlib.closing(sqlite3.connect(room / "mlruns" / "store.db")) as connection:
        held = {(name, ds): value for name, ds, value in connection.execute(wanted)}
    seconds = {key: int(pd.Timestamp(key[1]).timestamp()) for key in sent}
    return sum(abs(held.get((key[0], seconds[key]), np.inf) - value) > 1e-9 for key, value in sent.items())


if __name__ == "__main__":
    raise SystemExit(main())
