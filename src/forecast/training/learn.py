"""How a network is learned: once to choose its epoch, then, where the recipe says so, once more on the whole span."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from forecast.features import Features, measured_in, peers
from forecast.features.civil import HOURS
from forecast.forecaster import Model
from forecast.forecaster.residual import Residual
from forecast.networks.gradients import gradient_by_lag, name_gradients
from forecast.networks.network import DemandNetwork, build
from forecast.networks.runtime import NetworkRuntime, prepare_torch
from forecast.networks.shape import NetworkShape
from forecast.recipe import NetworkModel, TrainingConfig
from forecast.training.device import device_of
from forecast.training.feed import Feed
from forecast.training.loop import Loop
from forecast.training.pretrain import pretrain
from forecast.training.progress import Progress
from forecast.training.ridge import BasedFeatures, LearnedRidge, learn_ridge
from forecast.windows import WindowSet

SCALED_ON = 2048
Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass
class LearnedMember:
    """A model that answers, the one that was judged, and how they came about.

    Attributes:
        model: the one that answers.
        judged: the one that learned from the early part only; its errors on the late part calibrate. None where
            nothing was held out.
        refitted: whether the two differ.
        history, best_epoch, gradient_by_lag, gradient_health: as in `TrainingReport`; empty for a baseline.
    """

    model: Model
    judged: Model | None
    refitted: bool = True
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    gradient_by_lag: list[float] = field(default_factory=list)
    gradient_health: str = ""


@dataclass(frozen=True)
class Parts:
    """The two spans that a member learns from.

    Attributes:
        features, train: the early part.
        held_out: the late part; None where the table is too short to hold anything out.
        final, whole: everything.
        levels: the quantile levels.
    """

    features: Features
    train: WindowSet
    held_out: WindowSet | None
    final: Features
    whole: WindowSet
    levels: tuple[float, ...]


@dataclass(frozen=True)
class NetworkLearning:
    """One network's learning.

    Attributes:
        model: what is learned and how.
        parts: from what.
        checkpoint, key: where a killed run goes on from, and what it belongs to.
        progress: told after every epoch.
        shape: of a network that goes on; None reads it from the windows.
    """

    model: NetworkModel
    parts: Parts
    checkpoint: Path | None
    key: str
    progress: Progress
    shape: NetworkShape | None = None

    def run(self) -> LearnedMember:
        """Learns on the early windows, chooses the epoch on the held-out ones, and learns again on the whole span."""
        prepare_torch()
        parts, config = self.parts, with_epochs(self.model.training, self.parts.features)
        torch.set_num_threads(config.threads)
        ridge = self._ridge(parts.features, parts.train)
        feed = Feed.of(self._reading(parts.features, ridge), parts.train, self._device)
        loop, history = self._learned(feed, self._validation(ridge), config, "learn")
        judged, best_epoch = _answering(loop.network, ridge), int(loop.notes["best_epoch"])
        model, refitted = judged, parts.held_out is not None and config.final == "refit"
        if refitted:
            # The schedule is fitted to the chosen epochs, so that the second run also ends with a low rate.
            chosen = config.model_copy(update={"epochs": best_epoch})
            ridge = self._ridge(parts.final, parts.whole)
            feed = Feed.of(self._reading(parts.final, ridge), parts.whole, self._device)
            loop, again = self._learned(feed, None, chosen, "refit")
            history += again
            model = _answering(loop.network, ridge)
        norms = gradients(loop.network, feed)
        return LearnedMember(
            model, judged if parts.held_out is not None else None, refitted, history, best_epoch, norms,
            name_gradients(norms),
        )  # fmt: skip

    def refresh(self, arrays: Arrays) -> LearnedMember:
        """Goes on from given weights over the whole span, scaling kept, as the config says."""
        prepare_torch()
        torch.set_num_threads(self.model.training.threads)
        ridge = self._ridge(self.parts.final, self.parts.whole)
        feed = Feed.of(self._reading(self.parts.final, ridge), self.parts.whole, self._device)
        loop, history = self._learned(feed, None, self.model.training, "refresh", arrays)
        return LearnedMember(_answering(loop.network, ridge), None, True, history, len(history))

    def _ridge(self, features: Features, windows: WindowSet) -> LearnedRidge | None:
        base = self.model.residual_on
        return learn_ridge(base, features, windows, self.parts.levels) if base is not None else None

    def _reading(self, features: Features, ridge: LearnedRidge | None, *, out_of_fold: bool = True) -> Features:
        return BasedFeatures.on(features, ridge, out_of_fold=out_of_fold) if ridge is not None else features

    def _validation(self, ridge: LearnedRidge | None) -> Feed | None:
        if self.parts.held_out is None or self.model.training.stopping == "never":
            return None
        return Feed.of(self._reading(self.parts.features, ridge, out_of_fold=False), self.parts.held_out, self._device)

    def _learned(
        self, feed: Feed, validation: Feed | None, config: TrainingConfig, stage: str, start: Arrays | None = None
    ) -> tuple[Loop, list[dict[str, Any]]]:
        shape = self.shape or network_shape(feed.features, feed.windows, self.parts.levels)
        network = build(self.model.network, shape, config.seed)
        scaled_on = Feed(feed.features, feed.windows, feed.clock)
        network.scaling.fit([inputs for inputs, _, _ in scaled_on.spread(SCALED_ON, 512)])
        network = network.to(self._device)
        history = []
        if start is None:
            name = "pretrain" if stage == "learn" else f"pretrain {stage}"
            history = pretrain(network, feed, config, self._device, self.progress, self._file(name), self.key, name)
        loop = Loop(network, feed, config, validation, self._device, start=start)
        loop.run(stage, config.epochs, self.progress, self._file(stage), self.key)
        return loop, history + [{"stage": stage, **row} for row in loop.notes["history"]]

    def _file(self, stage: str) -> Path | None:
        return self.checkpoint / f"{stage}.safetensors" if self.checkpoint is not None else None

    @property
    def _device(self) -> str:
        return device_of(self.model.training)


def with_epochs(config: TrainingConfig, features: Features) -> TrainingConfig:
    """The config with as many epochs as these columns deserve."""
    if set(features.columns.known) - set(features.state.binary):
        return config
    return config.model_copy(update={"epochs": max(1, round(config.epochs * config.blind_share))})


def network_shape(features: Features, windows: WindowSet, levels: tuple[float, ...]) -> NetworkShape:
    """The sides of the arrays that these features give of these windows."""
    demand = windows.demand
    return NetworkShape(
        past_columns=len(features.past_names),
        future_columns=len(features.future_names),
        static_columns=len(features.columns.static),
        context=features.context,
        horizon=windows.horizon,
        quantiles=levels,
        past_load_columns=tuple(np.flatnonzero(features.past_load_columns).tolist()),
        future_load_columns=tuple(np.flatnonzero(features.future_load_columns).tolist()),
        future_units=measured_in(features.future_names),
        hour_columns=(0, HOURS),
        level_steps=7 * demand.steps_per_day,
        steps_per_hour=max(1, demand.steps_per_day // 24),
        stride=max(1, demand.steps_per_day // 24),
        peers=len(features.state.series) if len(features.state.series) > 1 else 0,
        peer_columns=len(peers.NAMES),
        base_column=len(features.future_names) - 1 if isinstance(features, BasedFeatures) else None,
    )


def _answering(network: DemandNetwork, ridge: LearnedRidge | None) -> Model:
    runtime = NetworkRuntime(network.to("cpu").eval())
    return Residual(ridge.whole, runtime) if ridge is not None else runtime


def gradients(network: DemandNetwork, feed: Feed) -> list[float]:
    """`gradient_by_lag` of some of the feed's windows, on the CPU."""
    own = Feed(feed.features, feed.windows, feed.clock)
    inputs, target_BH, mask_BH = next(own.spread(64, 64))
    return [float(norm) for norm in gradient_by_lag(network, (*inputs, target_BH, mask_BH))]
