"""What reconciliation costs, and what it does to accuracy: base forecasts, bottom-up, weighted least squares, paths.

    python benchmarks/reconciliation.py [FOLDER]

Speed: 1,000 series in three levels, 48 steps, 9 levels, in one process. With a folder that holds the ten-minute table
of Tetouan: its three zones and their total by the hour, the ridge by a walk from August to December 2017 (refitted
monthly, a forecast at every local midnight for 24 hours); the first 30 days only teach, the others are scored. Errors
for each cutoff are those known by then. Seconds differ from machine to machine.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtri

from forecast.backtest import Plan, walk
from forecast.protocols.tetouan import CLOCK, tetouan
from forecast.recipe import Task
from forecast.recipes import RIDGE
from forecast.reconciliation import METHODS, Hierarchy, reconcile, reconcile_paths
from forecast.tables import LEVELS, Demand, Forecast, mean_of_quantiles, quantile_columns

ZONES = {"zone1": "total", "zone2": "total", "zone3": "total"}
TEACHING_DAYS = 30


def main() -> None:
    """Prints seconds, and with a folder the table of accuracy."""
    speed()
    if len(sys.argv) > 1:
        accuracy(Path(sys.argv[1]))


def speed(series: int = 1000, steps: int = 48, moments: int = 2000) -> None:
    """Seconds of each method on easy forecasts (far from zero) and hard ones (a third of the leaves at zero)."""
    rng = np.random.default_rng(0)
    leaves = [f"leaf{at}" for at in range(series - 100)]
    parents = {name: f"part{at % 99}" for at, name in enumerate(leaves)}
    hierarchy = Hierarchy({**parents, **dict.fromkeys(sorted(set(parents.values())), "all")})
    family = hierarchy.families[0]
    deviation_N1 = np.sqrt(family.whole(np.full((len(leaves), 1), 4.0)))
    errors = pd.DataFrame(rng.normal(size=(moments, series)) * deviation_N1[:, 0], columns=list(family.names))
    print(f"{series} series, {steps} steps, {len(LEVELS)} levels; covariance of {moments} past moments")
    for about, size in (("easy", 5.0), ("hard", 0.7)):
        middle_NH = family.whole(rng.gamma(2, size, (len(leaves), steps)))
        middle_NH += rng.normal(size=middle_NH.shape) * deviation_N1
        spread_NQ = deviation_N1 * ndtri(np.array(LEVELS)) * rng.uniform(0.7, 1.3, (series, 1))
        forecast = made(family.names, np.maximum(middle_NH[..., None] + spread_NQ[:, None], 0))
        for method in METHODS:
            begun = time.perf_counter()
            said = reconcile(forecast, hierarchy, method, errors=errors, time_limit_s=60)
            print(f"  {about} {method:10} {time.perf_counter() - begun:6.2f} s {' '.join(said.warnings)}")


def made(names: tuple[str, ...], quantiles_NHQ: np.ndarray) -> Forecast:
    """A forecast of these quantiles from one cutoff."""
    count, steps, levels = quantiles_NHQ.shape
    ds_H = pd.date_range("2024-01-01", periods=steps, freq="1h", tz="UTC")
    frame = pd.DataFrame({"unique_id": np.repeat(np.array(names, dtype=object), steps), "cutoff": ds_H[0]})
    frame["ds"] = pd.to_datetime(np.tile(ds_H, count), utc=True)
    frame["mean"] = mean_of_quantiles(quantiles_NHQ, LEVELS).ravel()
    frame[quantile_columns()] = quantiles_NHQ.reshape(-1, levels)
    return Forecast(frame, "MW", "benchmark")


def hourly(folder: Path) -> Demand:
    """Tetouan's zones and their total, by the hour, without weather."""
    files = sorted(folder.glob("*etouan*.parquet"))
    if not files:
        sys.exit(f"{folder} holds no ten-minute table of Tetouan (a Parquet file with tetouan in its name)")
    frame = tetouan(files[0]).to_frame()[["unique_id", "ds", "y"]]
    frame = frame.assign(ds=frame["ds"].dt.floor("1h")).groupby(["unique_id", "ds"], as_index=False).mean()
    total = frame.groupby("ds", as_index=False)["y"].sum().assign(unique_id="total")
    return Demand.from_frame(pd.concat([frame, total]), zone=CLOCK, unit="kW", country="MA")


def accuracy(folder: Path) -> None:
    """MAE, pinball loss and coverage of each series before and after."""
    demand = hourly(folder)
    plan = Plan.of("2017-08-01", "2017-12-28", "1d", CLOCK, demand.step, horizon=24)
    learn = partial(_fit, task=Task(horizon=24, every="1d"))
    table = walk(demand, {RIDGE.name: learn}, plan, refit="monthly").table
    scored = table["cutoff"] >= plan.cutoffs[TEACHING_DAYS]
    base = Forecast(table[scored].drop(columns=["y", "model"]).reset_index(drop=True), "kW", RIDGE.name)
    hierarchy, actual = Hierarchy(ZONES), table.loc[scored, ["unique_id", "cutoff", "ds", "y"]]
    rows = {"base": scores(base, actual)}
    for method in METHODS:
        rows[method] = scores(reconcile(base, hierarchy, method, errors=table), actual)
    rows["paths, mint"] = scores(by_paths(base, hierarchy, table, "mint"), actual)
    rows["paths, variance"] = scores(by_paths(base, hierarchy, table, "variance"), actual)
    print(f"Tetouan, {plan.cutoffs[TEACHING_DAYS]:%Y-%m-%d} to 2017-12-28, {len(actual) // 4} hours a series, kW")
    print(pd.DataFrame(rows).T.round(3).to_string())


def _fit(demand: Demand, task: Task) -> object:
    from forecast.training import fit

    return fit(demand, RIDGE, task)


def by_paths(base: Forecast, hierarchy: Hierarchy, table: pd.DataFrame, method: str) -> Forecast:
    """Each cutoff's own quantiles, read off reconciled paths."""
    parts = []
    for _, frame in base.frame.groupby("cutoff"):
        one = Forecast(frame.reset_index(drop=True), base.unit, base.model)
        parts += [paths.forecast(base.levels).frame for paths in reconcile_paths(one, hierarchy, table, method)]
    return Forecast(pd.concat(parts, ignore_index=True), base.unit, base.model)


def scores(said: Forecast, actual: pd.DataFrame) -> pd.Series:
    """MAE of the median, mean pinball loss and coverage of the 80 % interval, by series."""
    both = said.frame.merge(actual, on=["unique_id", "cutoff", "ds"]).dropna(subset="y")
    y_R1, levels_Q = both["y"].to_numpy()[:, None], np.array(said.levels)
    short_RQ = y_R1 - both[quantile_columns(said.levels)].to_numpy()
    both["mae"] = (both["y"] - both["q0.5"]).abs()
    both["pinball"] = np.maximum(levels_Q * short_RQ, (levels_Q - 1) * short_RQ).mean(axis=1)
    both["covered"] = both["y"].between(both["q0.1"], both["q0.9"])
    return both.groupby("unique_id")[["mae", "pinball", "covered"]].mean().stack().swaplevel().sort_index()


if __name__ == "__main__":
    main()
