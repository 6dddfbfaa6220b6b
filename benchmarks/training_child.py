"""Who trains on our side of `benchmarks/training.py`: torch's kernel alone, and the product's loop."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from training_data import city

from forecast.features import fit_features
from forecast.networks.configs import DirectConfig, NetworkConfig, RecurrentConfig
from forecast.networks.network import DemandNetwork, build
from forecast.networks.runtime import prepare_torch
from forecast.recipe import FeatureConfig, TrainingConfig
from forecast.tables import Demand
from forecast.tables.forecast import LEVELS
from forecast.training.device import device_of
from forecast.training.feed import Feed
from forecast.training.learn import network_shape
from forecast.training.loop import Loop
from forecast.training.progress import Silent
from forecast.windows import origins_every

CONTEXT, HORIZON, BATCH, WIDTH, LAYERS = 168, 24, 256, 128, 2
NETWORK = NetworkConfig(
    encoder=RecurrentConfig(kind="lstm", width=WIDTH, layers=LAYERS), decoder=DirectConfig(width=WIDTH)
)


class Turns:
    """Says "ready" after the first stretch of steps, then waits for a word before each; tells clock and processor."""

    def __init__(self) -> None:
        self.began: tuple[float, float] | None = None

    def epoch(self, *_: Any) -> None:
        """A stretch is over."""
        now = time.perf_counter(), time.process_time()
        print(" ".join(str(b - a) for a, b in zip(self.began, now, strict=True)) if self.began else "ready", flush=True)
        if not sys.stdin.readline():
            os._exit(0)
        self.began = time.perf_counter(), time.process_time()


def main(what: str, precision: str, options: argparse.Namespace) -> None:
    """Trains for ever, in turns."""
    torch.set_num_threads(1)
    prepare_torch()
    feed = training_feed(options.days)
    if what == "kernel":
        kernel(feed, precision, options.steps)
    training = TrainingConfig(
        epochs=100_000, windows_per_epoch=options.steps * BATCH, batch=BATCH, precision=precision,
        device=options.device,
    )  # fmt: skip
    device = device_of(training)
    loop = Loop(made(feed, 0).to(device), Feed.of(feed.features, feed.windows, device), training, None, device)
    loop.run("learn", training.epochs, Turns())


def kernel(feed: Feed, precision: str, steps: int) -> None:
    """Forward and backward of torch's kernel on a batch in place, its gradient that of the last state."""
    columns = 1 + feed.batch(np.arange(1))[0][0].shape[2]
    lstm, turns = nn.LSTM(columns, WIDTH, LAYERS, batch_first=True), Turns()
    x_BLC = torch.randn(BATCH, CONTEXT, columns)
    while True:
        for _ in range(steps):
            lstm.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                hidden_BLD, _state = lstm(x_BLC)
            hidden_BLD[:, -1].float().square().mean().backward()
        turns.epoch()


def training_feed(days: int) -> Feed:
    """All windows of the city, with the columns of a usual recipe."""
    demand = Demand.from_frame(city(days), zone="Europe/Lisbon")
    features = fit_features(FeatureConfig(), demand, CONTEXT)
    return Feed.of(
        features, features.window_set(demand, origins_every(demand, context=CONTEXT, horizon=HORIZON), HORIZON)
    )


def made(feed: Feed, seed: int) -> DemandNetwork:
    """The network at its first weights, its scaling fitted."""
    network = build(NETWORK, network_shape(feed.features, feed.windows, LEVELS), seed)
    network.scaling.fit([inputs for inputs, _, _ in feed.spread(512, 256)])
    return network


def together(rounds: int) -> None:
    """Several seeds as one batched computation, gates by `torch.baddbmm`, against torch's kernel one after another.

    Forward and backward of the encoder on one thread: what a core does in a second. Two processes, one on each core, do
    twice what one does; so a batched form pays only where it beats the kernel here.
    """
    torch.set_num_threads(1)
    prepare_torch()
    print("| layers, width, batch | seeds | kernel, one after another | one batched computation | ratio |")
    print("|---|---|---|---|---|")
    for layers, width, batch, several in ((1, 16, 32, (2, 8)), (1, 48, 32, (2, 8)), (2, 128, 256, (2,))):
        for seeds in several:
            cells = [nn.LSTM(6, width, layers, batch_first=True) for _ in range(seeds)]
            x_KBLC = torch.randn(seeds, batch, CONTEXT, 6)
            batched = Batched(cells)
            assert torch.allclose(batched(x_KBLC)[0], cells[0](x_KBLC[0])[0][:, -1], atol=1e-5)

            def apart(cells: list[nn.LSTM] = cells, x_KBLC: Tensor = x_KBLC) -> None:
                for cell, x_BLC in zip(cells, x_KBLC, strict=True):
                    cell(x_BLC)[0][:, -1].square().mean().backward()

            def at_once(batched: Batched = batched, x_KBLC: Tensor = x_KBLC) -> None:
                batched(x_KBLC).square().mean().backward()

            taken = np.array([[used(work) for work in (apart, at_once)] for _ in range(rounds)])
            one, other = seeds * batch / np.median(taken, axis=0)
            print(f"| {layers}, {width}, {batch} | {seeds} | {one:.0f} | {other:.0f} | {other / one:.2f} |", flush=True)


class Batched(nn.Module):
    """LSTMs of one form with weights of their own, K of them, stepped together; (K, B, L, C) to (K, B, D)."""

    def __init__(self, cells: list[nn.LSTM]) -> None:
        super().__init__()
        self.layers = cells[0].num_layers

        def stacked(name: str, layer: int) -> nn.Parameter:
            return nn.Parameter(torch.stack([getattr(cell, f"{name}_l{layer}").detach() for cell in cells]))

        each = range(self.layers)
        self.inputs = nn.ParameterList(stacked("weight_ih", layer) for layer in each)
        self.states = nn.ParameterList(stacked("weight_hh", layer) for layer in each)
        self.biases = nn.ParameterList(
            stacked("bias_ih", layer).detach() + stacked("bias_hh", layer).detach() for layer in each
        )

    def forward(self, x_KBLC: Tensor) -> Tensor:
        seeds, batch = x_KBLC.shape[:2]
        x_LKBC = x_KBLC.permute(2, 0, 1, 3)
        for inputs_KGC, states_KGD, bias_KG in zip(self.inputs, self.states, self.biases, strict=True):
            told_LKBG = torch.matmul(x_LKBC, inputs_KGC.transpose(1, 2)) + bias_KG.unsqueeze(1)
            turned_KDG = states_KGD.transpose(1, 2)
            hidden = cell = x_KBLC.new_zeros(seeds, batch, states_KGD.shape[2])
            after = []
            for told_KBG in told_LKBG:
                i, f, g, o = torch.baddbmm(told_KBG, hidden, turned_KDG).chunk(4, dim=2)
                cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
                hidden = o.sigmoid() * cell.tanh()
                after.append(hidden)
            x_LKBC = torch.stack(after)
        return x_LKBC[-1]


def used(work: Any) -> float:
    """Processor seconds, after one run to warm up."""
    work()
    began = time.process_time()
    work()
    return time.process_time() - began


def accuracy(options: argparse.Namespace) -> None:
    """Validation losses after the same training in both precisions, by seed."""
    torch.set_num_threads(1)
    prepare_torch()
    demand = Demand.from_frame(city(options.days), zone="Europe/Lisbon")
    split = demand.last_known_end() - 0.2 * (demand.last_known_end() - demand.series[0].start)
    early = demand.as_of(split)
    features = fit_features(FeatureConfig(), early, CONTEXT)
    train = features.window_set(early, origins_every(early, context=CONTEXT, horizon=HORIZON), HORIZON)
    first = int((split - demand.series[0].start) / demand.step)
    held_out = features.window_set(demand, origins_every(demand, context=first, horizon=HORIZON), HORIZON)
    feed, judge = Feed.of(features, train), Feed.of(features, held_out)
    print("| seed | float32 | bfloat16 | ratio |")
    print("|---|---|---|---|")
    for seed in range(options.rounds):
        losses = []
        for precision in ("fp32", "bf16"):
            training = TrainingConfig(
                epochs=options.steps, windows_per_epoch=8 * BATCH, batch=BATCH, precision=precision, seed=seed
            )
            loop = Loop(made(feed, seed), feed, training, judge, "cpu")
            loop.run("learn", training.epochs, Silent())
            losses.append(loop.notes["best_loss"])
        print(f"| {seed} | {losses[0]:.4f} | {losses[1]:.4f} | {losses[1] / losses[0]:.3f} |", flush=True)
