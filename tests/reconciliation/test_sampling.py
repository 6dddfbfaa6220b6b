"""Paths that add up, each of them; quantiles of a sum are read off them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri

from forecast.errors import NotEnoughHistory, RequestError
from forecast.reconciliation import COHERENT, Hierarchy, reconcile, reconcile_paths
from forecast.tables import LEVELS, Forecast, mean_of_quantiles, quantile_columns

CITY = Hierarchy({"a": "all", "b": "all", "c": "all", "d": "all"})
SIZES = {"all": 20.0, "a": 10.0, "b": 10.0, "c": 10.0, "d": 10.0}


def walked(days: int = 150, seed: int = 0) -> pd.DataFrame:
    """Four leaves that err by 10 MW on their own, and their sum; honest quantiles, of 12 hours a day."""
    rng = np.random.default_rng(seed)
    cutoff = pd.date_range("2024-01-01", periods=days, freq="D", tz="UTC").repeat(12)
    ds = cutoff + np.tile(np.arange(12), days) * pd.Timedelta("1h")
    outcome = {name: rng.normal(0, 10, len(ds)) for name in "abcd"}
    outcome["all"] = sum(outcome.values())  # type: ignore[assignment]
    parts = []
    for name, size in SIZES.items():
        middle = (400.0 if name == "all" else 100.0) + rng.normal(0, 0.5, len(ds))
        quantiles = middle[:, None] + size * ndtri(np.array(LEVELS))
        part = pd.DataFrame({"unique_id": name, "cutoff": cutoff, "ds": ds, "model": "ridge"})
        part["y"] = (400.0 if name == "all" else 100.0) + outcome[name]
        part["mean"] = mean_of_quantiles(quantiles, LEVELS)
        part[quantile_columns()] = quantiles
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def last(walk: pd.DataFrame) -> tuple[Forecast, pd.DataFrame]:
    """The forecast of the newest cutoff, without its outcome, and the whole walk."""
    newest = walk[walk["cutoff"] == walk["cutoff"].max()]
    return Forecast(newest.drop(columns=["y", "model"]).reset_index(drop=True), "MW", "ridge"), walk


def test_every_path_adds_up_and_quantiles_of_the_sum_do_not() -> None:
    base, walk = last(walked())
    (paths,) = reconcile_paths(base, CITY, walk, count=499)
    assert paths.names == ("all", "a", "b", "c", "d")
    assert paths.paths_NSH.shape == (5, 499, 12)
    assert CITY.families[0].gap(paths.paths_NSH.reshape(5, -1)) <= COHERENT
    said = paths.forecast(LEVELS).frame
    width = (said["q0.9"] - said["q0.1"]).groupby(said["unique_id"]).mean()
    # Leaves err on their own: the sum's interval is about twice a leaf's, not four times.
    assert width["all"] == pytest.approx(2 * width["a"], rel=0.15)
    assert width["a"] == pytest.approx(2 * 10 * ndtri(0.9), rel=0.1)
    wide = said.pivot(index="ds", columns="unique_id", values="mean")
    assert wide["all"].to_numpy() == pytest.approx(wide[list("abcd")].sum(axis=1).to_numpy())
    level = reconcile(base, CITY, errors=walk).frame
    summed = (level["q0.9"] - level["q0.1"]).groupby(level["unique_id"]).mean()
    assert summed["all"] == pytest.approx(summed[list("abcd")].sum())


def test_intervals_of_the_sum_are_honest() -> None:
    """Coverage of the root's 80 % interval over 25 later days."""
    walk = walked(days=125, seed=1)
    inside = []
    for cutoff, part in walk[walk["cutoff"] >= walk["cutoff"].unique()[100]].groupby("cutoff"):
        base = Forecast(part.drop(columns=["y", "model"]).reset_index(drop=True), "MW", "ridge")
        root = reconcile_paths(base, CITY, walk, count=199)[0].forecast(LEVELS).frame.query("unique_id == 'all'")
        outcome = part.loc[part["unique_id"] == "all", "y"].to_numpy()
        inside.append((outcome >= root["q0.1"].to_numpy()) & (outcome <= root["q0.9"].to_numpy()))
        assert cutoff < walk["ds"].max()
    assert np.mean(inside) == pytest.approx(0.8, abs=0.06)


def test_the_future_is_not_read_and_the_seed_decides() -> None:
    base, walk = last(walked(days=60))
    blind = walk.copy()
    blind.loc[blind["ds"] >= base.frame["cutoff"].iloc[0], "y"] = 1e9
    first, again, other = (
        reconcile_paths(base, CITY, table, seed=seed)[0].paths_NSH for table, seed in ((walk, 3), (blind, 3), (walk, 4))
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_paths_of_demand_are_not_negative() -> None:
    walk = walked(days=60)
    shift = {name: 400.0 if name == "all" else 100.0 for name in SIZES}
    columns = [*quantile_columns(), "mean", "y"]
    walk[columns] = np.maximum(walk[columns].to_numpy() - walk["unique_id"].map(shift).to_numpy()[:, None], 0)
    base, walk = last(walk)
    (paths,) = reconcile_paths(base, CITY, walk, "variance", count=50, time_limit_s=60)
    assert paths.paths_NSH.min() == 0
    (free,) = reconcile_paths(base, CITY, walk, "variance", count=50, non_negative=False)
    assert free.paths_NSH.min() < 0


def test_what_gives_no_paths() -> None:
    base, walk = last(walked(days=20))
    with pytest.raises(NotEnoughHistory, match="19 past days tell all series"):
        reconcile_paths(base, CITY, walk)
    two = Forecast(walk.drop(columns=["y", "model"]), "MW", "ridge")
    with pytest.raises(RequestError, match="one cutoff"):
        reconcile_paths(two, CITY, walk)
