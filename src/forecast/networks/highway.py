"""The linear path around the network."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class HourlyHighway(nn.Module):
    """A linear map from each step's known inputs to one offset, with shared weights and own weights per slot of a day.

    Shapes: `x_BHK` and integer `slot_BH` (hour of the local day) to `(B, H)`, in units of the window's scale. All
    weights start at zero. `slots` is 24 for hours; steps inside an hour share its weights.

    >>> HourlyHighway(3)(torch.ones(1, 2, 3), torch.tensor([[0, 23]])).tolist()
    [[0.0, 0.0]]
    """

    def __init__(self, columns: int, slots: int = 24, *, shared: bool = True, hourly: bool = True) -> None:
        super().__init__()
        self.shared_K = nn.Parameter(torch.zeros(columns)) if shared else None
        self.hourly_KN = nn.Parameter(torch.zeros(columns, slots)) if hourly else None

    def forward(self, x_BHK: Tensor, slot_BH: Tensor) -> Tensor:
        offset_BH = torch.zeros_like(x_BHK[..., 0])
        if self.shared_K is not None:
            offset_BH = offset_BH + x_BHK @ self.shared_K
        if self.hourly_KN is not None:
            # All slots by one matrix product, then pick: cheaper than gathering a weight row for every step.
            all_BHN = x_BHK @ self.hourly_KN
            offset_BH = offset_BH + all_BHN.gather(2, slot_BH.unsqueeze(2)).squeeze(2)
        return offset_BH
