"""The level of a meter without history, from its static columns."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn

RIDGE = 1e-2
"""Pulls the weights of standardised columns towards zero: many columns of few meters stay tame."""
SLACK = log(2.0)
"""A level is never more than twice, or less than half, what the training windows had."""


class StaticLevel(nn.Module):
    """A linear map from static columns, and their signed logarithms, to the logarithm of the level.

    Fitted by least squares with a small ridge on the training windows, one row each; a missing column counts as its
    mean. Levels that are not all positive (net demand) leave it unfitted.

    Shapes: `static_BS` to `(B, 1)`.

    >>> level, customers = StaticLevel(1), torch.tensor([[10.0], [10.0], [1000.0]])
    >>> level.fit(customers, torch.tensor([[5.0], [5.0], [500.0]]))
    >>> bool(level.fitted), [round(one) for one in level(customers).flatten().tolist()]
    (True, [5, 5, 492])
    """

    fitted: Tensor
    intercept: Tensor
    weight_K: Tensor
    mean_K: Tensor
    std_K: Tensor
    bounds: Tensor

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.register_buffer("fitted", torch.zeros(1))
        self.register_buffer("intercept", torch.zeros(1))
        self.register_buffer("weight_K", torch.zeros(2 * columns))
        self.register_buffer("mean_K", torch.zeros(2 * columns))
        self.register_buffer("std_K", torch.ones(2 * columns))
        self.register_buffer("bounds", torch.zeros(2))

    def forward(self, static_BS: Tensor) -> Tensor:
        log_B = self.intercept + self._standard(static_BS) @ self.weight_K
        return torch.minimum(torch.maximum(log_B, self.bounds[0]), self.bounds[1]).exp().unsqueeze(1)

    @torch.no_grad()
    def fit(self, static_NS: Tensor, level_N1: Tensor) -> None:
        """Learns the map from windows whose level is known."""
        self.fitted.zero_()
        if not len(level_N1) or not bool((level_N1 > 0).all()):
            return
        raw_NK = _columns(static_NS).double()
        known_NK = raw_NK.isfinite()
        count_K = known_NK.sum(0).clamp(min=1)
        mean_K = torch.where(known_NK, raw_NK, 0.0).sum(0) / count_K
        std_K = (torch.where(known_NK, raw_NK - mean_K, 0.0).square().sum(0) / count_K).sqrt()
        self.mean_K.copy_(mean_K)
        self.std_K.copy_(torch.where(std_K > 1e-6 * mean_K.abs().clamp(min=1e-6), std_K, 1.0))
        log_N, z_NK = level_N1.double().flatten().log(), self._standard(static_NS).double()
        gram_KK = z_NK.T @ z_NK / len(z_NK) + RIDGE * torch.eye(z_NK.shape[1], dtype=torch.float64)
        self.weight_K.copy_(torch.linalg.solve(gram_KK, z_NK.T @ (log_N - log_N.mean()) / len(z_NK)))
        self.intercept.fill_(log_N.mean())
        self.bounds.copy_(torch.stack([log_N.min() - SLACK, log_N.max() + SLACK]))
        self.fitted.fill_(1.0)

    def _standard(self, static_NS: Tensor) -> Tensor:
        raw_NK = _columns(static_NS)
        return torch.where(raw_NK.isfinite(), (raw_NK - self.mean_K) / self.std_K, 0.0)


def _columns(static_NS: Tensor) -> Tensor:
    """Each column and its signed logarithm: a level often grows with a column, and often with its size only."""
    return torch.cat([static_NS, static_NS.sign() * static_NS.abs().log1p()], dim=1)
