"""The rules of a step, as a recipe names them."""

from __future__ import annotations

import math

import torch
from torch import nn

from forecast.recipe import TrainingConfig

MOMENTUM = {"sgd": 0.9, "rmsprop": 0.0}
"""Where the recipe names none."""


def make_optimiser(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimiser of a recipe over the weights that may move.

    - "sgd": v = β v + g, step −α v. The textbook's v = β v + (1−β) g makes the same steps at the rate α / (1−β).
      λ‖w‖² adds 2 λ w to g.
    - "rmsprop": s = 0.99 s + 0.01 g², step −α g / (√s + ε), the textbook's with ε outside the root; `momentum` then
      adds up the steps as in sgd (0: the textbook). No weight decay.
    - "adam": both with bias correction, β = 0.9 and 0.999 (Kingma and Ba 2014, arXiv 1412.6980). No weight decay.
    - "adamw": adam, and every weight shrinks by α λ (Loshchilov and Hutter 2017, arXiv 1711.05101).

    Both in torch's fused form, one call for all weights: a call for each costs a small network a twentieth of its step.
    """
    weights = [value for value in network.parameters() if value.requires_grad]
    if config.optimiser == "adamw":
        return torch.optim.AdamW(weights, lr=config.rate, weight_decay=config.weight_decay, fused=True)
    if config.optimiser == "adam":
        return torch.optim.Adam(weights, lr=config.rate, fused=True)
    momentum = config.momentum if config.momentum is not None else MOMENTUM[config.optimiser]
    if config.optimiser == "rmsprop":
        return torch.optim.RMSprop(weights, lr=config.rate, alpha=0.99, momentum=momentum)
    return torch.optim.SGD(weights, lr=config.rate, momentum=momentum, weight_decay=2 * config.weight_decay)


def rate_at(share: float, config: TrainingConfig) -> float:
    """The learning rate when a share of all steps, 0 to 1, is made (Smith and Topin 2017 for one cycle)."""
    if config.schedule == "constant":
        return config.rate
    if config.schedule == "cosine":
        return config.rate * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)
    rise = 0.25
    if share < rise:
        return config.rate * (0.04 + 0.96 * (1 - math.cos(math.pi * share / rise)) / 2)
    return config.rate * (1e-3 + (1 - 1e-3) * (1 + math.cos(math.pi * (share - rise) / (1 - rise))) / 2)
