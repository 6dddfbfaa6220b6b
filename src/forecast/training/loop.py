"""One loop for every network: an epoch is a pure function of what the checkpoint holds and of its own number.

Order, dropout and rate of an epoch depend on the seed and the epoch's number alone, so a killed run that starts again
from its checkpoint ends with the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from forecast.errors import NonFiniteLoss
from forecast.features import Features
from forecast.features.civil import CivilClock
from forecast.networks.arrays import load_arrays, state_arrays
from forecast.networks.network import DemandNetwork
from forecast.networks.runtime import tensors
from forecast.networks.scaling import Window
from forecast.recipe import TrainingConfig
from forecast.training import checkpoint
from forecast.training.progress import Progress
from forecast.windows import Ints, WindowSet

Five = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
Batch = tuple[Five, Tensor, Tensor]
Scaled = Callable[..., tuple[Tensor, Window]]
EVALUATED = 2048


@dataclass(frozen=True, eq=False)
class Feed:
    """Batches of some windows, gathered when asked for.

    Attributes:
        features: what is read.
        windows: where from.
        clock: their calendar.
        device: where tensors go.
    """

    features: Features
    windows: WindowSet
    clock: CivilClock
    device: str = "cpu"

    @classmethod
    def of(cls, features: Features, windows: WindowSet, device: str = "cpu") -> Feed:
        """A feed with its calendar made once."""
        return cls(features, windows, features.clock(windows), device)

    def batch(self, index_B: Ints) -> Batch:
        """Inputs, targets and their mask as tensors."""
        inputs = self.features.inputs(self.windows, self.clock, index_B)
        target, mask = (torch.from_numpy(array).to(self.device) for array in (inputs.target_BH, inputs.target_mask_BH))
        return tensors(inputs, self.device), target, mask

    def spread(self, most: int, size: int) -> Iterator[Batch]:
        """At most `most` windows, evenly spread, in order, in batches of `size`."""
        index_N = np.unique(np.linspace(0, len(self.windows) - 1, min(most, len(self.windows))).astype(np.int64))
        for begin in range(0, len(index_N), size):
            yield self.batch(index_N[begin : begin + size])


def pinball(z_BHQ: Tensor, target_BH: Tensor, mask_BH: Tensor, levels_Q: Tensor) -> Tensor:
    """Mean pinball loss over known steps and levels; scaled like its inputs (Koenker and Bassett 1978)."""
    error_BHQ = target_BH.unsqueeze(2) - z_BHQ
    loss_BH = torch.maximum(levels_Q * error_BHQ, (levels_Q - 1) * error_BHQ).mean(2)
    return (loss_BH * mask_BH).sum() / mask_BH.sum().clamp(min=1)


def batch_loss(network: DemandNetwork, batch: Batch, levels_Q: Tensor, scaled: Scaled | None = None) -> Tensor:
    """The loss of a batch in units of each window's scale; an unknown target counts for nothing.

    `scaled` is the network's own, compiled.
    """
    inputs, target_BH, mask_BH = batch
    taught_BH = torch.where(mask_BH > 0, target_BH, torch.full_like(target_BH, torch.nan))
    z_BHQ, window = (scaled or network.scaled)(*inputs, taught_BH)
    known_BH = torch.where(mask_BH > 0, target_BH, window.level_B1)
    return pinball(z_BHQ, network.scaling.to_z(known_BH, window), mask_BH, levels_Q)


class Loop:
    """Trains one network on one feed.

    Args:
        network: its scaling already fitted.
        feed: the training windows.
        config: how it learns.
        validation: the windows that stop it, or None to run all epochs.
        epochs: passes that the schedule is made for.
    """

    def __init__(
        self, network: DemandNetwork, feed: Feed, config: TrainingConfig, validation: Feed | None, device: str
    ) -> None:
        self.network, self.feed, self.config, self.validation, self.device = network, feed, config, validation, device
        self.levels_Q = torch.tensor(network.shape.quantiles, device=device)
        self.drawn = min(len(feed.windows), config.windows_per_epoch)
        self.steps = math.ceil(self.drawn / config.batch)
        self.optimiser = _optimiser(network, config)
        self.scaled: Scaled = torch.compile(network.scaled) if config.compile else network.scaled
        self.average = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self.best = {name: value.clone() for name, value in self.average.items()}
        self.notes: dict[str, Any] = {"epoch": 0, "history": [], "best_epoch": 0, "best_loss": math.inf}

    def run(self, stage: str, until: int, progress: Progress, path: Path | None = None, key: str = "") -> None:
        """Epochs up to `until`, from the checkpoint where there is one for this key.

        Raises:
            NonFiniteLoss: loss or weights are no longer numbers; the checkpoint before that epoch is kept.
        """
        self._resume(path, key)
        while self.notes["epoch"] < until and not self._out_of_patience():
            metrics = self._epoch(self.notes["epoch"])
            self.notes["epoch"] += 1
            self._judge(metrics)
            progress.epoch(stage, self.notes["epoch"], until, metrics)
            if path is not None:
                checkpoint.write(path, key, self._state())
        self.network.load_state_dict(self.best)

    def _epoch(self, epoch: int) -> dict[str, float]:
        torch.manual_seed(self.config.seed * 100_003 + epoch)
        order_N = np.random.default_rng([self.config.seed, epoch]).permutation(len(self.feed.windows))[: self.drawn]
        self.network.train()
        total = 0.0
        for place in range(self.steps):
            rate = self._rate(epoch * self.steps + place)
            index_B = np.sort(order_N[place * self.config.batch : (place + 1) * self.config.batch])
            total += self._step(index_B, rate, epoch) * len(index_B)
        metrics = {"train_loss": total / self.drawn, "rate": rate}
        if self.validation is not None:
            metrics["validation_loss"] = self._validation_loss()
        return metrics

    def _step(self, index_B: Ints, rate: float, epoch: int) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.config.precision == "bf16"):
            loss = batch_loss(self.network, self.feed.batch(index_B), self.levels_Q, self.scaled)
        if not torch.isfinite(loss):
            self._stop(f"the loss became {float(loss.detach())} in epoch {epoch + 1} at rate {rate:g}")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        if not torch.isfinite(norm):
            self._stop(f"the gradient's norm became {float(norm)} in epoch {epoch + 1} at rate {rate:g}")
        self.optimiser.step()
        self._average(epoch * self.steps)
        return float(loss.detach())

    def _stop(self, found: str) -> None:
        raise NonFiniteLoss(
            found, "finite numbers", "lower training.rate or training.clip; the last good checkpoint is kept"
        )

    def _average(self, step: int) -> None:
        """Exponential average of the weights, its memory growing with the steps made."""
        decay = min(self.config.averaging, (1 + step) / (10 + step)) if self.config.averaging else 0.0
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - decay)

    def _validation_loss(self) -> float:
        assert self.validation is not None
        raw = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(self.average)
        self.network.eval()
        total, count = 0.0, 0.0
        with torch.no_grad():
            for batch in self.validation.spread(EVALUATED, 256):
                known = float(batch[2].sum())
                total += float(batch_loss(self.network, batch, self.levels_Q)) * known
                count += known
        self.network.load_state_dict(raw)
        return total / max(count, 1.0)

    def _judge(self, metrics: dict[str, float]) -> None:
        """Keeps the averaged weights when they are the best so far; without validation the last are."""
        self.notes["history"].append({"epoch": self.notes["epoch"], **metrics})
        loss = metrics.get("validation_loss", -float(self.notes["epoch"]))
        if not math.isfinite(loss):
            self._stop(f"the validation loss became {loss} in epoch {self.notes['epoch']}")
        if loss < self.notes["best_loss"]:
            self.notes["best_loss"], self.notes["best_epoch"] = loss, self.notes["epoch"]
            self.best = {name: value.clone() for name, value in self.average.items()}

    def _out_of_patience(self) -> bool:
        return bool(
            self.notes["epoch"] - self.notes["best_epoch"] >= self.config.patience and self.validation is not None
        )

    def _rate(self, step: int) -> float:
        """The learning rate of a step (Smith and Topin 2018 for one cycle)."""
        share = step / max(1, self.config.epochs * self.steps - 1)
        if self.config.schedule == "constant":
            return self.config.rate
        if self.config.schedule == "cosine":
            return self.config.rate * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)
        rise = 0.25
        if share < rise:
            return self.config.rate * (0.04 + 0.96 * (1 - math.cos(math.pi * share / rise)) / 2)
        return self.config.rate * (1e-3 + (1 - 1e-3) * (1 + math.cos(math.pi * (share - rise) / (1 - rise))) / 2)

    def _state(self) -> checkpoint.Progressed:
        arrays = {f"network/{name}": array for name, array in state_arrays(self.network).items()}
        for part, weights in (("average", self.average), ("best", self.best)):
            arrays |= {f"{part}/{name}": value.cpu().numpy().copy() for name, value in weights.items()}
        return checkpoint.Progressed(arrays | checkpoint.optimiser_arrays(self.optimiser), self.notes)

    def _resume(self, path: Path | None, key: str) -> None:
        state = checkpoint.read(path, key) if path is not None else None
        if state is None:
            return
        parts: dict[str, dict[str, Any]] = {"network": {}, "average": {}, "best": {}}
        for name, array in state.arrays.items():
            part, _, rest = name.partition("/")
            if part in parts:
                parts[part][rest] = array
        load_arrays(self.network, parts["network"])
        for part, weights in (("average", self.average), ("best", self.best)):
            for name, array in parts[part].items():
                weights[name] = torch.from_numpy(np.array(array)).to(self.device)
        checkpoint.restore_optimiser(self.optimiser, state.arrays)
        self.notes = state.notes


def _optimiser(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    weights = [value for value in network.parameters() if value.requires_grad]
    if config.optimiser == "adamw":
        return torch.optim.AdamW(weights, lr=config.rate, weight_decay=config.weight_decay)
    if config.optimiser == "adam":
        return torch.optim.Adam(weights, lr=config.rate)
    if config.optimiser == "rmsprop":
        return torch.optim.RMSprop(weights, lr=config.rate, alpha=0.99, momentum=config.momentum)
    return torch.optim.SGD(weights, lr=config.rate, momentum=config.momentum, weight_decay=config.weight_decay)
