"""Several networks as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """Members averaged by quantile: the mean of non-crossing quantiles does not cross.

    Shapes: as `network.DemandNetwork`; all members read the same arrays. Source: Lichtendahl et al. 2013,
    "Is it better to average probabilities or quantiles?".
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(
        self, past_BLP: Tensor, past_mask_BLP: Tensor, future_BHF: Tensor, future_mask_BHF: Tensor, static_BS: Tensor
    ) -> Tensor:
        inputs = (past_BLP, past_mask_BLP, future_BHF, future_mask_BHF, static_BS)
        return torch.stack([member(*inputs) for member in self.members]).mean(0)
