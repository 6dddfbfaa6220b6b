"""One loop for every network: an epoch is a pure function of what the checkpoint holds and of its own number.

Order, dropout and rate of an epoch depend on the seed and the epoch's number alone, so a killed run that starts again
from its checkpoint ends with the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from forecast.errors import NonFiniteLoss
from forecast.networks.arrays import load_arrays, state_arrays
from forecast.networks.hiding import hide_history
from forecast.networks.network import DemandNetwork
from forecast.networks.recurrent import RecurrentDecoder
from forecast.networks.scaling import Window
from forecast.networks.warmstart import start_from
from forecast.recipe import TrainingConfig
from forecast.training import checkpoint
from forecast.training.feed import EVALUATED, Batch, Feed
from forecast.training.optimiser import make_optimiser, rate_at
from forecast.training.progress import Progress
from forecast.windows import Ints

Scaled = Callable[..., tuple[Tensor, Window]]
Loss = Callable[[Batch], Tensor]
Arrays = Mapping[str, npt.NDArray[Any]]
SENSIBLE = 100.0
"""A target further from its window's level than so many scales (a week of zeros ends) would drown all others."""


def pinball(z_BHQ: Tensor, target_BH: Tensor, mask_BH: Tensor, levels_Q: Tensor) -> Tensor:
    """Mean pinball loss over known steps and levels; scaled like its inputs (Koenker and Bassett 1978)."""
    error_BHQ = target_BH.unsqueeze(2) - z_BHQ
    loss_BH = torch.maximum(levels_Q * error_BHQ, (levels_Q - 1) * error_BHQ).mean(2)
    return (loss_BH * mask_BH).sum() / mask_BH.sum().clamp(min=1)


def batch_loss(
    network: DemandNetwork, batch: Batch, levels_Q: Tensor, scaled: Scaled | None = None, phase: int | None = None
) -> Tensor:
    """The loss of a batch in units of each window's scale; an unknown or absurd target counts for nothing.

    `scaled` is the network's own, compiled; `phase` says which steps of each hour count, None all.
    """
    inputs, target_BH, mask_BH = batch
    taught_BH = torch.where(mask_BH > 0, target_BH, torch.full_like(target_BH, torch.nan))
    z_BHQ, window = (scaled or network.scaled)(*inputs, taught_BH, phase)
    if phase is not None:
        target_BH, mask_BH = target_BH[:, phase :: network.stride], mask_BH[:, phase :: network.stride]
    truth_BH = network.scaling.to_z(torch.where(mask_BH > 0, target_BH, window.level_B1), window)
    sensible_BH = truth_BH.abs() <= SENSIBLE
    return pinball(z_BHQ, torch.where(sensible_BH, truth_BH, 0.0), mask_BH * sensible_BH, levels_Q)


class Loop:
    """Trains one network on one feed.

    Args:
        network: its scaling already fitted.
        feed: the training windows.
        config: how it learns.
        validation: the windows that stop it, or None to run all epochs.
        device: where it learns.
        start: weights of another network, of which whatever fits is taken; `started` says what was and what was not.
            The start is judged, too: where no epoch beats it, it is kept (`best_epoch` is 0).
        learner: what is trained, where that is not the network itself but holds it, with its `loss` of a batch.
    """

    def __init__(
        self,
        network: DemandNetwork,
        feed: Feed,
        config: TrainingConfig,
        validation: Feed | None,
        device: str,
        *,
        start: Arrays | None = None,
        learner: tuple[nn.Module, Loss] | None = None,
    ) -> None:
        self.config, self.validation, self.device = config, validation, device
        self.network: DemandNetwork = network
        self.started = start_from(network, start) if start is not None else None
        self.levels_Q = torch.tensor(network.shape.quantiles, device=device)
        most = min(config.windows_per_epoch, config.windows_per_series * len(feed.windows.demand.series))
        self.drawn = min(len(feed.windows), most)
        self.feed, self.keeps = feed, config.epochs * self.drawn >= 2 * len(feed.windows)
        self.size = max(config.batch, math.ceil(self.drawn / config.steps_per_epoch))
        self.steps = math.ceil(self.drawn / self.size)
        self.phase: int | None = None
        self.scaled: Scaled = torch.compile(network.scaled) if config.compile else network.scaled
        self.learner: nn.Module = network if learner is None else learner[0]
        self.learner_loss = None if learner is None else learner[1]
        self.optimiser = make_optimiser(self.learner, config)
        self.average = {name: value.detach().clone() for name, value in self.learner.state_dict().items()}
        self.best = {name: value.clone() for name, value in self.average.items()}
        self.path: Path | None = None
        self.notes: dict[str, Any] = {"epoch": 0, "history": [], "best_epoch": 0, "best_loss": math.inf}

    def run(self, stage: str, until: int, progress: Progress, path: Path | None = None, key: str = "") -> None:
        """Epochs up to `until`, from the checkpoint where there is one for this key.

        Raises:
            NonFiniteLoss: loss or weights are no longer numbers; the checkpoint before that epoch is kept.
        """
        self.path = path
        if not self._resume(path, key) and self.started is not None and self.validation is not None:
            self.notes["best_loss"] = self._finite(self._validation_loss(), "the starting weights")
        if self.keeps and self.notes["epoch"] < until:
            self.feed = self.feed.keeping()
        while self.notes["epoch"] < until and not self._out_of_patience():
            metrics = self._epoch(self.notes["epoch"])
            self.notes["epoch"] += 1
            self._judge(metrics)
            progress.epoch(stage, self.notes["epoch"], until, metrics)
            if path is not None:
                checkpoint.write(path, key, self._state())
        self.learner.load_state_dict(self.best)
        self.feed = replace(self.feed, kept=None)

    def _loss(self, batch: Batch) -> Tensor:
        if self.learner_loss is not None:
            return self.learner_loss(batch)
        return batch_loss(self.network, batch, self.levels_Q, self.scaled, self.phase)

    def _epoch(self, epoch: int) -> dict[str, float]:
        torch.manual_seed(self.config.seed * 100_003 + epoch)
        if isinstance(self.network.decoder, RecurrentDecoder):
            self.network.decoder.teach(epoch, self.config.epochs)
        order_N = np.random.default_rng([self.config.seed, epoch]).permutation(len(self.feed.windows))[: self.drawn]
        self.learner.train()
        total, norms = 0.0, []
        for place in range(self.steps):
            rate = self._rate(epoch * self.steps + place)
            index_B = np.sort(order_N[place * self.size : (place + 1) * self.size])
            # Steps inside an hour are alike: one of them is learned from at a time, each in its turn.
            if self.network.stride > 1:
                self.phase = (epoch * self.steps + place) % min(self.network.stride, self.feed.windows.horizon)
            loss, norm = self._step(index_B, rate, epoch)
            total += loss * len(index_B)
            norms.append(norm)
        metrics = {
            "train_loss": total / self.drawn,
            "rate": rate,
            "gradient_norm": float(np.mean(norms)),
            "clipped_share": float(np.mean(np.array(norms) > self.config.clip)),
        }
        if self.validation is not None:
            metrics["validation_loss"] = self._validation_loss()
        return metrics

    def _step(self, index_B: Ints, rate: float, epoch: int) -> tuple[float, float]:
        """One step; its loss, and the gradient's norm before clipping."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.config.precision == "bf16"):
            loss = self._loss(self._shown(self.feed.batch(index_B)))
        if not torch.isfinite(loss):
            self._stop(f"the loss became {float(loss.detach())} in epoch {epoch + 1} at rate {rate:g}")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.learner.parameters(), self.config.clip)
        if not torch.isfinite(norm):
            self._stop(f"the gradient's norm became {float(norm)} in epoch {epoch + 1} at rate {rate:g}")
        self.optimiser.step()
        self._average(epoch * self.steps)
        return float(loss.detach()), float(norm)

    def _shown(self, batch: Batch) -> Batch:
        """The batch, some of its windows without history where the recipe says so."""
        if not self.config.unseen:
            return batch
        hidden = hide_history(batch[0], self.config.unseen, self.network.scaling)
        past, past_mask, future, future_mask, static, peers = hidden
        return (past, past_mask, future, future_mask, static, peers), *batch[1:]

    def _stop(self, found: str) -> None:
        kept = "; the last good checkpoint is kept" if self.path is not None and self.path.exists() else ""
        raise NonFiniteLoss(found, "finite numbers", f"lower training.rate or training.clip{kept}")

    def _average(self, step: int) -> None:
        """Exponential average of the weights, its memory growing with the steps made."""
        decay = min(self.config.averaging, (1 + step) / (10 + step)) if self.config.averaging else 0.0
        weights = {name: value for name, value in self.learner.state_dict().items() if value.is_floating_point()}
        with torch.no_grad():
            torch._foreach_lerp_([self.average[name] for name in weights], [*weights.values()], 1 - decay)

    def _validation_loss(self) -> float:
        assert self.validation is not None
        raw = {name: value.detach().clone() for name, value in self.learner.state_dict().items()}
        self.learner.load_state_dict(self.average)
        self.learner.eval()
        total, count = 0.0, 0.0
        with torch.no_grad():
            for batch in self.validation.spread(EVALUATED, 256):
                known = float(batch[2].sum())
                total += float(batch_loss(self.network, batch, self.levels_Q)) * known
                count += known
        self.learner.load_state_dict(raw)
        return total / max(count, 1.0)

    def _judge(self, metrics: dict[str, float]) -> None:
        """Keeps the averaged weights when they are the best so far; without validation the last are."""
        self.notes["history"].append({"epoch": self.notes["epoch"], **metrics})
        loss = metrics.get("validation_loss", -float(self.notes["epoch"]))
        self._finite(loss, f"epoch {self.notes['epoch']}")
        if loss < self.notes["best_loss"]:
            self.notes["best_loss"], self.notes["best_epoch"] = loss, self.notes["epoch"]
            self.best = {name: value.clone() for name, value in self.average.items()}

    def _finite(self, loss: float, where: str) -> float:
        if not math.isfinite(loss):
            self._stop(f"the validation loss became {loss} in {where}")
        return loss

    def _out_of_patience(self) -> bool:
        return bool(
            self.notes["epoch"] - self.notes["best_epoch"] >= self.config.patience and self.validation is not None
        )

    def _rate(self, step: int) -> float:
        """The learning rate of a step."""
        return rate_at(step / max(1, self.config.epochs * self.steps - 1), self.config)

    def _state(self) -> checkpoint.Progressed:
        arrays = {f"network/{name}": array for name, array in state_arrays(self.learner).items()}
        for part, weights in (("average", self.average), ("best", self.best)):
            arrays |= {f"{part}/{name}": value.cpu().numpy().copy() for name, value in weights.items()}
        return checkpoint.Progressed(arrays | checkpoint.optimiser_arrays(self.optimiser), self.notes)

    def _resume(self, path: Path | None, key: str) -> bool:
        """Whether there was a checkpoint to go on from."""
        state = checkpoint.read(path, key) if path is not None else None
        if state is None:
            return False
        parts: dict[str, dict[str, Any]] = {"network": {}, "average": {}, "best": {}}
        for name, array in state.arrays.items():
            part, _, rest = name.partition("/")
            if part in parts:
                parts[part][rest] = array
        load_arrays(self.learner, parts["network"])
        for part, weights in (("average", self.average), ("best", self.best)):
            for name, array in parts[part].items():
                weights[name] = torch.from_numpy(np.array(array)).to(self.device)
        checkpoint.restore_optimiser(self.optimiser, state.arrays)
        self.notes = state.notes
        return True
