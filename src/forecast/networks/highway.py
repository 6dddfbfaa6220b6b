"""The linear path around the network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from forecast.networks.encoded import Leads

OWN_SHARE = 0.3
"""What a slot's own weights count beside the smooth ones: neighbouring hours are alike, so they move more slowly."""


class HourlyHighway(nn.Module):
    """A linear map from each step's known inputs to one offset.

    Its weights are a sum of up to four parts: shared by all slots of a day; `smooth` bumps around the clock, so that
    neighbouring slots learn together; each slot's own; and each hour ahead's own, where `leads` says so.

    Shapes: `x_BHK` and integer `slot_BH` (hour of the local day) to `(B, H)`, in units of the window's scale. All
    weights start at zero. `slots` is 24 for hours; steps inside an hour share its weights.

    >>> HourlyHighway(3)(torch.ones(1, 2, 3), torch.tensor([[0, 23]])).tolist()
    [[0.0, 0.0]]
    """

    bumps_MN: Tensor

    def __init__(
        self, columns: int, slots: int = 24, *, shared: bool = True, hourly: bool = True, smooth: int = 0,
        leads: Leads | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.shared_K = nn.Parameter(torch.zeros(columns)) if shared else None
        self.hourly_KN = nn.Parameter(torch.zeros(columns, slots)) if hourly else None
        self.smooth_KM = nn.Parameter(torch.zeros(columns, smooth)) if smooth else None
        self.leads = leads
        self.lead_NK = nn.Parameter(torch.zeros(leads.most, columns)) if leads is not None else None
        self.register_buffer("bumps_MN", bumps(smooth, slots) if smooth else None, persistent=False)

    def forward(self, x_BHK: Tensor, slot_BH: Tensor) -> Tensor:
        offset_BH = torch.zeros_like(x_BHK[..., 0])
        if self.shared_K is not None:
            offset_BH = offset_BH + x_BHK @ self.shared_K
        if self.leads is not None and self.lead_NK is not None:
            offset_BH = offset_BH + (x_BHK * self.lead_NK[self.leads.of(x_BHK)]).sum(2)
        weights_KN = self._by_slot()
        if weights_KN is not None:
            # All slots by one matrix product, then pick: cheaper than gathering a weight row for every step.
            all_BHN = x_BHK @ weights_KN
            offset_BH = offset_BH + all_BHN.gather(2, slot_BH.unsqueeze(2)).squeeze(2)
        return offset_BH

    def _by_slot(self) -> Tensor | None:
        if self.smooth_KM is None:
            return self.hourly_KN
        smooth_KN: Tensor = self.smooth_KM @ self.bumps_MN
        return smooth_KN if self.hourly_KN is None else smooth_KN + OWN_SHARE * self.hourly_KN


def bumps(count: int, slots: int) -> Tensor:
    """Gaussian bumps around the clock, (count, slots); at every slot they add up to 2.

    >>> bumps(4, 24).sum(0).mean().round().item()
    2.0
    """
    slot_N, centre_M1 = torch.arange(slots), (torch.arange(count) * slots / count).unsqueeze(1)
    away_MN = (slot_N - centre_M1).abs()
    away_MN = torch.minimum(away_MN, slots - away_MN)
    height_MN = torch.exp(-0.5 * (away_MN / (0.75 * slots / count)) ** 2)
    return 2 * height_MN / height_MN.sum(0)
