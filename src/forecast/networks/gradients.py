"""How far back a network's gradient reaches: the report that names vanishing and exploding."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, islice
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from forecast.networks.network import DemandNetwork

Norms = npt.NDArray[np.float64]
Health = Literal["vanishing", "exploding", "healthy"]

VANISHING = 2.0**-24
"""Under this share of the largest norm, the oldest steps no longer move a sum of float32 gradients."""
EXPLODING = 2.0**10
"""Above this multiple of the newest norm, clipping to norm 1 leaves the newest steps less than a thousandth."""


def gradient_by_lag(network: DemandNetwork, batch: Sequence[Tensor]) -> Norms:
    """Mean norm of d loss / d encoder input by lag, newest encoder step first; shape (L / patch,).

    The loss is the mean pinball over known targets in units of the windows' scale. `batch` is past, past mask, future,
    future mask, static, peers, targets (B, H; NaN where unknown) and, if there is one, the targets' mask. Measured in
    evaluation mode at the standardised input, so that neither dropout nor the window's level hides the path through the
    encoder. Weights keep their gradients. With an encoder truncated to its newest k steps the lags beyond are zero; in
    chunks, every lag that the decoder asks has its gradient from within its chunk.
    """
    captured: list[Tensor] = []

    def watch(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        captured.append(inputs[0].detach().requires_grad_())
        return (captured[0], *inputs[1:])

    hook, training = network.encoder.register_forward_pre_hook(watch), network.training
    network.eval()
    try:
        # cuDNN refuses a recurrent backward pass in evaluation mode.
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
            loss = _scaled_pinball(network, batch)
            gradient = torch.autograd.grad(loss, captured, allow_unused=True, materialize_grads=True)[0]
    finally:
        hook.remove()
        network.train(training)
    norms_L: Norms = gradient.double().norm(dim=2).mean(0).flip(0).cpu().numpy()
    return norms_L


def _scaled_pinball(network: DemandNetwork, batch: Sequence[Tensor]) -> Tensor:
    past_BLP, past_mask_BLP, future_BHF, future_mask_BHF, static_BS, peers_BSD, target_BH, *mask = batch
    z_BHQ, window = network.scaled(past_BLP, past_mask_BLP, future_BHF, future_mask_BHF, static_BS, peers_BSD)
    known_BH = ~target_BH.isnan() if not mask else (mask[0] > 0) & ~target_BH.isnan()
    target_BH = network.scaling.to_z(torch.where(known_BH, target_BH, window.level_B1), window)
    levels_Q = z_BHQ.new_tensor(network.shape.quantiles)
    error_BHQ = target_BH.unsqueeze(2) - z_BHQ
    loss_BH = torch.maximum(levels_Q * error_BHQ, (levels_Q - 1) * error_BHQ).mean(2)
    return torch.where(known_BH, loss_BH, 0.0).sum() / known_BH.sum().clamp(min=1)


def name_gradients(norms: npt.ArrayLike, within: int | None = None) -> Health:
    """Name a row of gradient norms, newest first; `within` the newest so many, where the rest is cut on purpose.

    "exploding": a norm is not finite, or the oldest quarter's median is above `EXPLODING` times the newest quarter's.
    "vanishing": the oldest quarter's median is under `VANISHING` times the largest norm, or all are zero.

    >>> name_gradients([1.0, 0.9, 0.8, 0.7]), name_gradients(gradient_chain(3.0, 0.5, 40))
    ('healthy', 'vanishing')
    """
    norms_L = np.asarray(norms, dtype=np.float64)[:within]
    quarter = max(1, len(norms_L) // 4)
    newest, oldest = np.median(norms_L[:quarter]), np.median(norms_L[-quarter:])
    if not np.isfinite(norms_L).all() or (oldest > EXPLODING * newest and newest > 0):
        return "exploding"
    return "vanishing" if oldest <= VANISHING * norms_L.max() else "healthy"


def gradient_chain(first: float, factor: float, steps: int) -> Norms:
    """The gradient after 1, 2, … steps back when every step multiplies it by the same factor.

    Source: Pascanu et al. 2013, arXiv 1211.5063: the product of ∂h_t/∂h_{t−1}.
    """
    return np.array(list(islice((first * factor**step for step in count()), steps)))


def first_step(norms: npt.ArrayLike, *, under: float | None = None, over: float | None = None) -> int | None:
    """The first step (counted from 1) whose norm is under, or over, a bound; None if none is.

    >>> first_step(gradient_chain(3.0, 0.5, 40), under=2.0**-31), first_step(gradient_chain(3.0, 2.0, 40), over=2.0**31)
    (34, 31)
    """
    norms_L = np.asarray(norms, dtype=np.float64)
    hit_L = np.zeros(len(norms_L), dtype=bool)
    if under is not None:
        hit_L |= norms_L < under
    if over is not None:
        hit_L |= norms_L > over
    return int(hit_L.argmax()) + 1 if hit_L.any() else None
