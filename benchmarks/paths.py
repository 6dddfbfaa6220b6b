"""What coherent paths cost: seconds for many origins, beside one call per origin.

Run with `make bench BENCH=paths` or `python benchmarks/paths.py`. Everything is measured in this one run on this
machine; ratios carry over, seconds do not.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from forecast.paths import Daily, daily, paths
from forecast.tables import LEVELS, Forecast, mean_of_quantiles, quantile_columns

DAYS = 365


def main() -> None:
    """Prints seconds for paths, their reading and the whole table, and the ratio to one call per origin."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--origins", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--paths", type=int, default=499)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    quantiles_NHQ = 500 + np.sort(rng.normal(0, 20, (options.origins, options.steps, len(LEVELS))), axis=-1)
    rank_DH = rng.uniform(0.01, 0.99, (DAYS, options.steps))
    print(f"{options.origins} origins x {options.steps} steps x {options.paths} paths, {DAYS} days of history")
    hour_H = np.arange(options.steps) * 24 // options.steps
    drawn = paths(quantiles_NHQ, LEVELS, rank_DH, options.paths)
    fast = best(lambda: paths(quantiles_NHQ, LEVELS, rank_DH, options.paths))
    read = best(lambda: daily(drawn, quantiles_NHQ, LEVELS, hour_H))
    forecast = table(quantiles_NHQ)
    whole = best(lambda: Daily.from_forecast(forecast, rank_DH, count=options.paths))
    slow, peak_NQ = looped(quantiles_NHQ, rank_DH, hour_H, options.paths)
    print(f"paths {fast:.2f} s, read off them {read:.2f} s, Daily.from_forecast {whole:.2f} s")
    print(f"one call per origin: {slow:.2f} s, {slow / (fast + read):.1f} times as long")
    same = np.array_equal(peak_NQ, daily(drawn, quantiles_NHQ, LEVELS, hour_H).peak_NQ)
    print(f"the same peak quantiles, bit for bit: {'yes' if same else 'NO'}")


def table(quantiles_NHQ: np.ndarray) -> Forecast:
    """A forecast of one UTC day per origin."""
    count, steps, _ = quantiles_NHQ.shape
    cutoff_N = pd.date_range("2020-01-01", periods=count, freq="D", tz="UTC")
    ahead_H = pd.to_timedelta(np.arange(steps) * 24 / steps, unit="h")
    rows = quantiles_NHQ.reshape(count * steps, -1)
    frame = pd.DataFrame({"unique_id": "a", "cutoff": cutoff_N.repeat(steps)})
    frame["ds"] = frame["cutoff"] + np.tile(ahead_H, count)
    frame["mean"] = mean_of_quantiles(rows, LEVELS)
    frame[quantile_columns()] = rows
    return Forecast(frame, "MW", "benchmark")


def looped(quantiles_NHQ: np.ndarray, rank_DH: np.ndarray, hour_H: np.ndarray, count: int) -> tuple[float, np.ndarray]:
    """Seconds and peak quantiles [N, Q] of drawing and reading each origin's paths on their own."""
    begun = time.perf_counter()
    peaks = []
    for quantiles_HQ in quantiles_NHQ:
        paths_SH = paths(quantiles_HQ, LEVELS, rank_DH, count)
        peaks.append(daily(paths_SH, quantiles_HQ, LEVELS, hour_H).peak_NQ)
    return time.perf_counter() - begun, np.array(peaks)


def best(work: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of a few runs."""
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


if __name__ == "__main__":
    main()
