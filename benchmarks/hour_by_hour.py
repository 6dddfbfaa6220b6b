"""A store that is fed hour by hour, beside one that is loaded at once: the same training tensors, byte for byte.

Run with `make bench BENCH=hour_by_hour DATA=folder` or `python benchmarks/hour_by_hour.py FOLDER [--days 365]
[--store URL]`. Demand becomes known six hours after its period, weather is forecast three times a day for two days
ahead (the measured temperature with an error that grows by the hour, from a seeded generator). Seconds are of this run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd

from forecast import clock
from forecast.features import fit_features
from forecast.recipes import named
from forecast.sources import Batch
from forecast.store import Store
from forecast.tables import Columns, Demand, SeriesInfo
from forecast.windows import origins_every

HOUR = pd.Timedelta("1h")
DELAY, ISSUED_EVERY, AHEAD = 6 * HOUR, 8 * HOUR, 48 * HOUR
COLUMNS = Columns(known=("temperature",))
ZONE = "Australia/Melbourne"


def main() -> None:
    """Feeds a store hour by hour and another at once, and compares digests and tensors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where victoria_2012_2014_halfhourly.parquet lies")
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--store", help="URL of an empty store; SQLite in a fresh folder where none is named")
    options = parser.parse_args()
    measured = victoria(options.folder).head(48 * options.days)
    info = SeriesInfo(unique_id="VIC", zone=ZONE, step="30min", country="AU-VIC")
    with tempfile.TemporaryDirectory() as room:
        began = time.monotonic()
        with Store.open(options.store or f"sqlite:///{room}/fed.db") as store:
            batches = feed(store, measured, info)
            fed = store.demand()
        print(f"hour by hour: {batches:,} batches in {time.monotonic() - began:.0f} s")
        began = time.monotonic()
        with Store.open(f"sqlite:///{room}/loaded.db") as store:
            store.add(Batch(everything(measured), COLUMNS, (info,)), "all")
            loaded = store.demand()
        print(f"at once: {len(everything(measured)):,} rows in {time.monotonic() - began:.0f} s")
    print(f"the same table, by SHA-256: {'yes' if fed.digest == loaded.digest else 'NO'}")
    first, second = tensors(fed), tensors(loaded)
    size = sum(len(part) for part in first)
    print(f"the same training tensors ({size / 1e6:,.0f} MB), byte for byte: {'yes' if first == second else 'NO'}")
    if first != second or fed.digest != loaded.digest:
        raise SystemExit(1)


def victoria(folder: Path) -> pd.DataFrame:
    """Half-hours of demand and measured temperature: ds, y, temperature."""
    frame = pd.read_parquet(folder / "victoria_2012_2014_halfhourly.parquet")
    stamp, demand, temperature = (
        next(name for name in frame.columns if name.lower().startswith(words))
        for words in (("ds", "time", "date"), ("y", "demand"), "temp")
    )
    told = frame[[stamp, demand, temperature]].set_axis(["ds", "y", "temperature"], axis=1)
    told["ds"] = pd.to_datetime(told["ds"], utc=True)
    return told.sort_values("ds", ignore_index=True)


def metered(measured: pd.DataFrame, step: pd.Timedelta) -> pd.DataFrame:
    """Demand with the moment at which it became known."""
    known = measured["ds"] + step + DELAY
    return measured[["ds", "y"]].assign(unique_id="VIC", available_at=known, temperature=np.nan)


def vintages(measured: pd.DataFrame, step: pd.Timedelta) -> Iterator[tuple[pd.Timestamp, pd.DataFrame]]:
    """Each issue of the weather forecast, with its moment."""
    truth = measured["temperature"].to_numpy()
    first, steps = measured["ds"].iloc[0], int(AHEAD / step)
    for number, begin in enumerate(range(0, len(measured), int(ISSUED_EVERY / step))):
        error = np.random.default_rng(number).normal() * np.linspace(0.3, 2.5, steps)
        values = truth[begin : begin + steps] + error[: len(truth) - begin]
        at = first + begin * step
        stamps = pd.date_range(at, periods=len(values), freq=step)
        yield (
            at,
            pd.DataFrame({"ds": stamps, "temperature": values, "unique_id": "VIC", "available_at": at, "y": np.nan}),
        )


def everything(measured: pd.DataFrame) -> pd.DataFrame:
    """All that was ever known, in one frame."""
    step = measured["ds"].iloc[1] - measured["ds"].iloc[0]
    return pd.concat([metered(measured, step), *(part for _, part in vintages(measured, step))], ignore_index=True)


def feed(store: Store, measured: pd.DataFrame, info: SeriesInfo) -> int:
    """Lets the hours pass: whatever became known within one is a batch. Returns how many there were."""
    known = everything(measured).sort_values("available_at", kind="stable")
    hours = known["available_at"].dt.ceil("1h")
    count = 0
    for now, part in known.groupby(hours, sort=True):
        with clock.using(now):
            store.add(Batch(part, COLUMNS, (info,), mark={"until": str(now)}), "meter and weather")
        count += 1
    return count


def tensors(demand: Demand) -> list[bytes]:
    """Every array that training reads of every window of the LSTM's recipe, day-ahead from every sixth hour."""
    recipe = named("lstm")
    context, horizon = recipe.context_steps(demand.step), demand.steps_per_day
    known = demand.as_of(demand.last_known_end())
    features = fit_features(recipe.features, known, context)
    origins = origins_every(known, context=context, horizon=horizon, stride=max(1, demand.steps_per_day // 4))
    windows = features.window_set(known, origins, horizon)
    inputs = features.inputs(windows, features.clock(windows), np.arange(len(windows)))
    return [getattr(inputs, one.name).tobytes() for one in fields(inputs)]


if __name__ == "__main__":
    main()
