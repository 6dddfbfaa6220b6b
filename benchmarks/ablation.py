"""What each part of a recipe is worth: Victoria, day ahead, on the four quarters BEFORE the test span of the protocols.

    python benchmarks/ablation.py victoria_2012_2014_halfhourly.parquet [ROW ...]

Every row learns before each quarter of July 2013 to June 2014 and forecasts it; the figure is the geometric mean of the
quarters' MAE in MW, so that the quarter with the heat wave does not decide alone. Nothing here touches the test span,
so parts may be chosen by it. One seed: differences under 1 % are noise.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.backtest import Plan, walk
from forecast.networks.configs import HighwayConfig, NetworkConfig, OutlookConfig, ScalingConfig
from forecast.protocols.victoria import victoria
from forecast.recipe import FeatureConfig, NetworkModel, Recipe, Task
from forecast.recipes import ATTENTION, CONVOLUTION, DEFAULT, GRU, LSTM, RIDGE, RNN, SEQ2SEQ, TRANSFORMER
from forecast.training import cores, fit

MELBOURNE = "Australia/Melbourne"
QUARTERS = ("2013-07-01", "2013-10-01", "2014-01-01", "2014-04-01", "2014-07-01")


def changed(recipe: Recipe, **network: object) -> Recipe:
    """A recipe whose network differs in some fields."""
    assert isinstance(recipe.model, NetworkModel)
    config = NetworkConfig.model_validate({**recipe.model.network.model_dump(), **network})
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"network": config})})


def trained(recipe: Recipe, **training: object) -> Recipe:
    """A recipe that learns otherwise."""
    assert isinstance(recipe.model, NetworkModel)
    how = recipe.model.training.model_copy(update=training)
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"training": how})})


ROWS: dict[str, Recipe] = {
    "gru": GRU,
    "no correction": GRU.model_copy(update={"correction": None}),
    "no highway": changed(GRU, highway=None),
    "highway without hours": changed(GRU, highway=HighwayConfig(hourly=False, smooth=0)),
    "highway without smooth": changed(GRU, highway=HighwayConfig(smooth=0)),
    "highway without leads": changed(GRU, highway=HighwayConfig(leads=False)),
    "outlook": changed(GRU, outlook=OutlookConfig(alone=True)),
    "no hinges": GRU.model_copy(update={"features": FeatureConfig(knots=0)}),
    "no recent hours": GRU.model_copy(update={"features": FeatureConfig(recent=False)}),
    "an hour per encoder step": changed(GRU, patch="auto"),
    "scaled by the window": changed(GRU, scaling=ScalingConfig(scale="window")),
    "early stopping": trained(GRU, stopping="early"),
    "20 epochs": trained(GRU, epochs=20),
    "lstm": LSTM,
    "rnn": RNN,
    "attention": ATTENTION,
    "seq2seq": SEQ2SEQ,
    "transformer": TRANSFORMER,
    "convolution": CONVOLUTION,
    "ridge": RIDGE,
    "default": DEFAULT,
}


def figure(demand_path: Path, recipe: Recipe) -> tuple[float, list[float]]:
    """Geometric mean of the quarters' MAE, and the quarters."""
    demand = victoria(demand_path, temperature="known")
    maes = []
    for first, after in pairwise(QUARTERS):
        last = (pd.Timestamp(after) - pd.Timedelta(days=1)).strftime("%Y-%m-%d")
        plan = Plan.of(first, last, "1d", MELBOURNE, demand.step, horizon=24)
        learn = partial(fit, recipe=recipe, task=Task(horizon=24, every="1d"), processes=cores())
        table = walk(demand, {recipe.name: learn}, plan).table
        maes.append(float((table["y"] - table["q0.5"]).abs().mean()))
    return float(np.exp(np.mean(np.log(maes)))), maes


def main() -> None:
    """Prints a row as soon as it is measured."""
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    wanted = sys.argv[2:] or list(ROWS)
    unknown = sorted(set(wanted) - set(ROWS))
    if unknown:
        raise SystemExit(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    print(f"{'row':<24} {'MAE MW':>7}   by quarter                    seconds")
    for name in wanted:
        began = time.monotonic()
        mean, maes = figure(Path(sys.argv[1]), ROWS[name])
        quarters = " ".join(f"{mae:6.1f}" for mae in maes)
        print(f"{name:<24} {mean:7.1f}   {quarters}   {time.monotonic() - began:7.0f}", flush=True)


if __name__ == "__main__":
    main()
