"""What windows cost: memory and time of the window set, and of a batch beside a training step.

Run with `make bench` or `python benchmarks/windows.py`. Everything is measured in this one run on this machine; ratios
carry over, seconds do not.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset

from forecast.features import Features, fit_features
from forecast.networks.network import build
from forecast.recipe import NetworkModel, Recipe
from forecast.recipes import named
from forecast.tables import Columns, Demand, Series
from forecast.training.feed import Batch, Feed
from forecast.training.learn import network_shape
from forecast.training.loop import batch_loss
from forecast.windows import WindowSet, origins_every

CONTEXT, HORIZON, BATCH = 168, 24, 256
COLUMNS = Columns(past=tuple(f"past {n}" for n in range(5)), known=tuple(f"known {n}" for n in range(4)))


def main() -> None:
    """Prints memory and time of the window set, and a batch's share of a training step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=17_520)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    demand = table(options.series, options.steps)
    raw = demand.arena_RC.nbytes
    print(f"{options.series} series x {options.steps} steps x 10 columns: raw arrays {raw / 2**20:,.0f} MiB")
    windows, seconds, grown = set_cost(demand)
    print(
        f"window set: {len(windows):,} windows in {seconds:.3f} s, {grown / 2**20:.2f} MiB more "
        f"({grown / raw:.3%} of raw)"
    )
    gathered = best(lambda: windows.gather(batch_index(windows)))
    print(f"one gather of {BATCH} windows of {CONTEXT} + {HORIZON} steps: {1e3 * gathered:.2f} ms")
    against_loop(demand, windows, gathered)
    against_training(demand)
    against_neuralforecast(demand)


def table(series: int, steps: int) -> Demand:
    """Random demand, laid out as a table lays it out."""
    rng = np.random.default_rng(0)
    arena_RC = rng.standard_normal((series * steps, 10), dtype=np.float32) + np.float32(10)
    arena_RC.flags.writeable = False
    start = pd.Timestamp("2022-01-01", tz="UTC")
    parts = tuple(
        Series(f"meter {n:04d}", "Europe/Lisbon", start, arena_RC[n * steps : (n + 1) * steps], first_row=n * steps)
        for n in range(series)
    )
    return Demand(parts, COLUMNS, pd.Timedelta("1h"), "MW", pd.Timedelta(0), arena_RC)


def set_cost(demand: Demand) -> tuple[WindowSet, float, int]:
    """The window set of every hour, the seconds and the bytes that it took."""
    tracemalloc.start()
    began = time.perf_counter()
    windows = WindowSet(demand, origins_every(demand, context=CONTEXT, horizon=HORIZON), CONTEXT, HORIZON)
    seconds = time.perf_counter() - began
    grown, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"(peak while building it: {peak / 2**20:.1f} MiB)")
    return windows, seconds, grown


def batch_index(windows: WindowSet, seed: int = 0) -> np.ndarray:
    """Random windows of all series."""
    return np.random.default_rng(seed).integers(0, len(windows), BATCH)


def best(run: Callable[[], object], times: int = 9) -> float:
    """The median of several runs after one to warm up."""
    run()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


class Items(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """The usual way: one window at a time."""

    def __init__(self, demand: Demand) -> None:
        self.demand, self.per_series = demand, len(demand.series[0]) - CONTEXT - HORIZON + 1

    def __len__(self) -> int:
        return self.per_series * len(self.demand.series)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        one, row = divmod(index, self.per_series)
        values_TC = self.demand.series[one].values_TC[row : row + CONTEXT + HORIZON]
        return torch.tensor(values_TC[:CONTEXT]), torch.tensor(values_TC[CONTEXT:, 0])


def against_loop(demand: Demand, windows: WindowSet, gathered: float) -> None:
    """A `Dataset.__getitem__` loop over the same number of windows, without masks and cutoffs."""
    items = Items(demand)

    def batches() -> Iterator[list[torch.Tensor]]:
        order = np.random.default_rng(0).integers(0, len(items), BATCH * 12)
        yield from DataLoader(torch.utils.data.Subset(items, order.tolist()), batch_size=BATCH)

    began = time.perf_counter()
    count = sum(1 for _ in batches())
    loop = (time.perf_counter() - began) / count
    print(f"Dataset.__getitem__ loop, no masks, no cutoffs: {1e3 * loop:.2f} ms, {loop / gathered:.1f} x one gather")


def against_training(demand: Demand) -> None:
    """Share of a training step that making its batch takes: the windows alone, and with all columns of the recipe."""
    few = demand.select([one.unique_id for one in demand.series[:50]])
    recipe = named("lstm")
    features = fit_features(recipe.features, few, CONTEXT)
    windows = features.window_set(few, origins_every(few, context=CONTEXT, horizon=HORIZON), HORIZON)
    feed = Feed.of(features, windows)
    plain = WindowSet(few, windows.origins, CONTEXT, HORIZON)
    index_B = batch_index(windows)
    step = best(training_step(recipe, features, feed, feed.batch(index_B)), times=5)
    for name, seconds in (
        ("windows", best(lambda: plain.gather(index_B))),
        (f"windows and {len(features.future_names)} columns of features", best(lambda: feed.batch(index_B))),
    ):
        print(
            f"{name}: {1e3 * seconds:.2f} ms a batch, {seconds / step:.1%} of a training step "
            f"({1e3 * step:.0f} ms, LSTM 48)"
        )
    wide = wider(recipe)
    step = best(training_step(wide, features, feed, feed.batch(index_B)), times=5)
    seconds = best(lambda: feed.batch(index_B))
    print(f"the same beside LSTM 128: {seconds / step:.1%} of a training step ({1e3 * step:.0f} ms)")


def wider(recipe: Recipe) -> Recipe:
    """The recipe with the 128-wide encoder of the published timings."""
    assert isinstance(recipe.model, NetworkModel)
    encoder = recipe.model.network.encoder.model_copy(update={"width": 128})
    network = recipe.model.network.model_copy(update={"encoder": encoder})
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"network": network})})


def training_step(recipe: Recipe, features: Features, feed: Feed, batch: Batch) -> Callable[[], None]:
    """Forward, backward and optimiser on a batch that is ready."""
    assert isinstance(recipe.model, NetworkModel)
    shape = network_shape(features, feed.windows, recipe.quantiles)
    network = build(recipe.model.network, shape, seed=0)
    network.scaling.fit([batch[0]])
    optimiser = torch.optim.AdamW(network.parameters())
    levels_Q = torch.tensor(shape.quantiles)

    def step() -> None:
        optimiser.zero_grad()
        batch_loss(network, batch, levels_Q).backward()
        optimiser.step()

    return step


def against_neuralforecast(demand: Demand) -> None:
    """As neuralforecast's base model does, on 5 series, where it is installed: unfold all windows, copy, draw."""
    try:
        from neuralforecast.tsdataset import TimeSeriesDataset
    except ImportError:
        print("neuralforecast is not installed here; `pip install neuralforecast` to see it beside")
        return
    few = demand.select([one.unique_id for one in demand.series[:5]])
    frame = few.to_frame()
    frame["ds"] = frame["ds"].dt.tz_localize(None)
    dataset, *_ = TimeSeriesDataset.from_df(frame)
    temporal_SCT = torch.stack([dataset[number]["temporal"] for number in range(len(few.series))])
    made: list[torch.Tensor] = []

    def draw() -> None:
        windows = temporal_SCT.unfold(-1, CONTEXT + HORIZON, 1).permute(0, 2, 3, 1).contiguous().flatten(0, 1)
        made[:] = [windows[torch.randint(len(windows), (BATCH,))]]
        made.append(windows)

    theirs = best(draw, times=3)
    ours = WindowSet(few, origins_every(few, context=CONTEXT, horizon=HORIZON), CONTEXT, HORIZON)
    seconds = best(lambda: ours.gather(batch_index(ours)))
    copied = made[1].element_size() * made[1].numel() / 2**20
    print(
        f"neuralforecast's way on 5 series: {1e3 * theirs:.0f} ms and {copied:,.0f} MiB a batch, "
        f"{theirs / seconds:.0f} x one gather of ours ({1e3 * seconds:.2f} ms)"
    )


if __name__ == "__main__":
    main()
