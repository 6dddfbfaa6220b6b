"""Masked pre-training over the training windows, with a stage and a checkpoint of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from forecast.networks.network import DemandNetwork
from forecast.networks.pretraining import Reconstruction
from forecast.recipe import TrainingConfig
from forecast.training.feed import Batch, Feed
from forecast.training.loop import Loop
from forecast.training.progress import Progress

STAGE = "pretrain"


def pretrain(
    network: DemandNetwork,
    feed: Feed,
    config: TrainingConfig,
    device: str,
    progress: Progress,
    path: Path | None = None,
    key: str = "",
    stage: str = STAGE,
) -> list[dict[str, Any]]:
    """Teaches the network's encoder to say hidden parts of its windows; the rest of the network stays as it is.

    The learning rate follows the recipe's schedule over the epochs of the pre-training. A killed run goes on from the
    checkpoint at `path`, to the same bits.

    Args:
        network: its scaling already fitted; its encoder is changed in place.
        feed: the training windows.
        config: its `pretrain` says how; nothing happens where that is None.
        device: where it learns; the network is there already.
        progress: told after every epoch of the stage.
        path, key: as `Loop.run`.
        stage: its name in the history.

    Returns:
        The history: stage, epoch, train_loss (mean error in units of the window's scale), rate, gradient_norm,
        clipped_share.
    """
    if config.pretrain is None:
        return []
    own = config.model_copy(update={"epochs": config.pretrain.epochs, "unseen": 0.0, "compile": False})
    chosen = config.pretrain
    reconstruction = Reconstruction(network, chosen.share, chosen.span, chosen.loss, config.seed).to(device)

    def loss(batch: Batch) -> Any:
        return reconstruction.loss(batch[0])

    loop = Loop(network, feed, own, None, device, learner=(reconstruction, loss))
    loop.run(stage, own.epochs, progress, path, key)
    return [{"stage": stage, **row} for row in loop.notes["history"]]
