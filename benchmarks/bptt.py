"""Full against truncated backpropagation through time: memory, time, and what it costs in accuracy.

Run with `make bench BENCH=bptt` or `python benchmarks/bptt.py`. A context of four weeks of hours is read by a recurrent
encoder; `truncate` lets the gradient reach only so far back, "newest" reads the older steps without gradient and
"chunks" learns within chunks of that length. Two decoders: `direct` asks the encoder's final state only, `attention`
asks every step, which is where the two forms differ.

Memory is what autograd keeps at once between the forward and the backward pass of one batch, every storage counted
once. Time is one training step (forward, backward, no optimiser), the fastest of several. The validation loss is the
mean pinball loss in units of each window's scale after a short training, the mean over seeds. The made city's demand
depends on the warmth of the last ten days, and its meters report ten days late, so that no recent load gives it away:
what is learned over fewer than 240 steps is not all there is. The highway is left out, for it remembers, too. Under
each table stands how much gradient reaches back at the first weights. Bytes are exact; ratios of time carry over,
seconds do not.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from forecast.features import fit_features
from forecast.networks.configs import (
    DecoderConfig,
    DirectConfig,
    NetworkConfig,
    RecurrentConfig,
    RecurrentDecoderConfig,
)
from forecast.networks.gradients import gradient_by_lag, name_gradients
from forecast.networks.network import DemandNetwork, build
from forecast.recipe import FeatureConfig, TrainingConfig
from forecast.tables import Columns, Demand
from forecast.tables.forecast import LEVELS
from forecast.training.feed import Batch, Feed
from forecast.training.learn import network_shape
from forecast.training.loop import Loop, batch_loss
from forecast.training.progress import Silent
from forecast.windows import origins_every

CONTEXT, HORIZON, BATCH = 28 * 24, 24, 32
FORMS = [(None, "newest")] + [(k, form) for form in ("newest", "chunks") for k in (336, 168, 48, 24)]
DECODERS: dict[str, DecoderConfig] = {
    "direct": DirectConfig(width=64),
    "attention": RecurrentDecoderConfig(width=48, attention={"heads": 4}),  # type: ignore[arg-type]
}


def main() -> None:
    """Prints one table for each decoder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=("rnn", "lstm", "gru"), default="lstm")
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--windows", type=int, default=512, help="training windows of an epoch")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--decoders", default="direct,attention")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    train, held_out = feeds(city())
    print(
        f"{options.kind} {options.width}, context {CONTEXT} hours, batch {BATCH}; {options.epochs} epochs of "
        f"{options.windows} windows, {options.seeds} seed(s)"
    )
    for decoder in options.decoders.split(","):
        table(decoder, options, train, held_out)


def table(decoder: str, options: argparse.Namespace, train: Feed, held_out: Feed) -> None:
    """One decoder's table: a row for each way to truncate, ratios to full backpropagation."""
    print(f"\n{decoder} decoder")
    print(
        f"{'truncate':>9} {'form':>7} {'kept MiB':>9} {'ratio':>6} {'step ms':>8} {'ratio':>6} {'loss':>7} {'ratio':>6}"
    )
    full: tuple[float, float, float] | None = None
    norms = np.zeros(CONTEXT)
    for truncate, form in FORMS:
        encoder = RecurrentConfig(kind=options.kind, width=options.width, truncate=truncate, truncation=form)
        config = NetworkConfig(encoder=encoder, decoder=DECODERS[decoder], highway=None)
        network, batch = made(config, train, 0), train.batch(np.arange(BATCH))
        mib, seconds = kept(network, batch) / 2**20, fastest(lambda n=network, b=batch: step(n, b))
        loss = float(np.mean([learned(config, train, held_out, options, seed) for seed in range(options.seeds)]))
        full = full or (mib, seconds, loss)
        norms = norms if truncate else gradient_by_lag(network, (*batch[0], *batch[1:]))
        print(
            f"{truncate or 'none':>9} {form if truncate else 'full':>7} {mib:9.1f} {mib / full[0]:6.2f} "
            f"{1e3 * seconds:8.0f} {seconds / full[1]:6.2f} {loss:7.4f} {loss / full[2]:6.3f}",
            flush=True,
        )
    shares = ", ".join(f"{lag}: {norms[lag - 1] / norms.max():.0e}" for lag in (1, 24, 48, 168, 336, CONTEXT))
    print(f"gradient by lag, as a share of the largest: {shares} ({name_gradients(norms)})")


def city(days: int = 240) -> Demand:
    """Hourly demand of a made city: day, weekend, warmth as walls feel it (a mean over the last ten days), noise."""
    rng = np.random.default_rng(0)
    ds = pd.date_range("2024-01-01", periods=24 * days, freq="1h", tz="UTC")
    hours = np.arange(len(ds))
    front = pd.Series(rng.normal(0, 1, len(ds))).ewm(halflife=30).mean().to_numpy() * 30
    temperature = 12 - 8 * np.cos(hours / 8766 * 2 * np.pi) + 4 * np.sin((hours - 9) / 24 * 2 * np.pi) + front
    felt = pd.Series(temperature).rolling(240, min_periods=1).mean().to_numpy()
    day = 1 + 0.2 * np.sin((hours - 8) / 24 * 2 * np.pi) - 0.1 * (ds.dayofweek.to_numpy() >= 5)
    y = 500 * day - 20 * felt + rng.normal(0, 6, len(ds))
    frame = pd.DataFrame({"unique_id": "city", "ds": ds, "y": y, "temperature": temperature})
    return Demand.from_frame(frame, columns=Columns(known=("temperature",)), zone="Europe/Lisbon", delay="10d")


def feeds(demand: Demand) -> tuple[Feed, Feed]:
    """The first four fifths to learn from, the rest to judge; no window of one reaches into the other's targets."""
    end = demand.last_known_end()
    split = end - 0.2 * (end - demand.series[0].start)
    early = demand.as_of(split)
    features = fit_features(FeatureConfig(reach_days=28, same_hour_days=2, similar_days=False), early, CONTEXT)
    train = features.window_set(early, origins_every(early, context=CONTEXT, horizon=HORIZON), HORIZON)
    first = int((split - demand.series[0].start) / demand.step)
    held_out = features.window_set(demand, origins_every(demand, context=first, horizon=HORIZON), HORIZON)
    return Feed.of(features, train), Feed.of(features, held_out)


def made(config: NetworkConfig, feed: Feed, seed: int) -> DemandNetwork:
    """A network at its first weights, its scaling fitted."""
    shape = network_shape(feed.features, feed.windows, LEVELS)
    network = build(config, shape, seed)
    network.scaling.fit([inputs for inputs, _, _ in feed.spread(512, 256)])
    return network.train()


def step(network: DemandNetwork, batch: Batch) -> None:
    """Forward and backward."""
    network.zero_grad()
    batch_loss(network, batch, torch.tensor(network.shape.quantiles)).backward()


def kept(network: DemandNetwork, batch: Batch) -> int:
    """Bytes that autograd keeps at once for the backward pass; weights and the batch itself are not counted."""
    given = {one.untyped_storage().data_ptr() for one in (*network.parameters(), *batch[0], *batch[1:])}
    storages: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in given:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        step(network, batch)
    return sum(storages.values())


def fastest(run: Callable[[], None], times: int = 7) -> float:
    """The seconds of the fastest of several runs, after one to warm up: what else the machine does only adds."""
    run()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return min(taken)


def learned(config: NetworkConfig, train: Feed, held_out: Feed, options: argparse.Namespace, seed: int) -> float:
    """The best validation loss of a short training."""
    training = TrainingConfig(
        epochs=options.epochs, windows_per_epoch=options.windows, batch=BATCH, patience=options.epochs, seed=seed
    )
    loop = Loop(made(config, train, seed), train, training, held_out, "cpu")
    loop.run("learn", options.epochs, Silent())
    return float(loop.notes["best_loss"])


if __name__ == "__main__":
    main()
