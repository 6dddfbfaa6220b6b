"""From a hidden vector to quantiles."""

from __future__ import annotations

from collections.abc import Sequence
from math import expm1, log
from statistics import NormalDist

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

LIMIT = 1e6
"""Raw outputs are held within ± this, so that no weight, however absurd, turns a difference into inf − inf."""


class MonotoneQuantileHead(nn.Module):
    """The middle quantile plus non-negative increments outwards: quantiles never cross, whatever the weights.

    Shapes: `hidden_BHD` to `(B, H, Q)`, in units of the window's scale, rising with the levels. Before any training
    the quantiles lie about as a standard normal's do. Increments are added one by one, because a parallel scan may
    round two equal sums differently and let them cross.

    >>> MonotoneQuantileHead(4, (0.1, 0.5, 0.9))(torch.zeros(1, 1, 4))
    tensor([[[-1.2816,  0.0000,  1.2816]]], grad_fn=<StackBackward0>)
    """

    def __init__(self, width: int, levels: Sequence[float]) -> None:
        super().__init__()
        self.middle = min(range(len(levels)), key=lambda q: abs(levels[q] - 0.5))
        self.linear = nn.Linear(width, len(levels))
        places = [NormalDist().inv_cdf(level) for level in levels]
        steps = [
            abs(place - places[q + (1 if q < self.middle else -1)]) if q != self.middle else 0.0
            for q, place in enumerate(places)
        ]
        start = [places[q] if q == self.middle else log(expm1(step)) for q, step in enumerate(steps)]
        with torch.no_grad():
            self.linear.weight.mul_(0.1)
            self.linear.bias.copy_(torch.tensor(start))

    def forward(self, hidden_BHD: Tensor) -> Tensor:
        raw_BHQ = self.linear(hidden_BHD)
        # Half precision has too few digits for a load: from here on at least float32.
        raw_BHQ = raw_BHQ.to(torch.promote_types(raw_BHQ.dtype, torch.float32)).clamp(-LIMIT, LIMIT)
        step_BHQ = softplus(raw_BHQ)
        quantiles = [raw_BHQ[..., self.middle]]
        for q in range(self.middle + 1, raw_BHQ.shape[-1]):
            quantiles.append(quantiles[-1] + step_BHQ[..., q])
        for q in reversed(range(self.middle)):
            quantiles.insert(0, quantiles[0] - step_BHQ[..., q])
        return torch.stack(quantiles, dim=-1)

    def median(self, hidden_BHD: Tensor) -> Tensor:
        """The middle quantile alone, (B, H)."""
        return self(hidden_BHD)[..., self.middle]  # type: ignore[no-any-return]
