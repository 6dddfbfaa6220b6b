"""The window as a whole, read once, and what it says about every hour ahead."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, pad

from forecast.networks.configs import OutlookConfig


class Outlook(nn.Module):
    """One offset for every hour ahead from the whole window at once, each hour with weights of its own.

    Three parts add up, and all of them start at zero: a perceptron; a linear map; and, where several series were
    learned, linear maps of few ranks that each series mixes by its own vector. The perceptron and the linear map read
    the last week hour by hour beside everything else; the series' own maps read the week alone.

    Shapes: `week_BT` (standardised load, `hourly`), `told_BK` (what is the same at every step ahead) and `own_BE` (the
    series' vector, zeros for a stranger) to `(B, leads)`, in units of the window's scale.

    >>> part = Outlook(OutlookConfig(width=8, own=2), hours=168, told=3, own=4, leads=24)
    >>> part(torch.ones(1, 168), torch.ones(1, 3), torch.ones(1, 4)).abs().sum().item()
    0.0
    """

    def __init__(self, config: OutlookConfig, *, hours: int, told: int, own: int, leads: int) -> None:
        super().__init__()
        self.hours, self.leads, self.own_columns = hours, leads, own
        self.first = nn.Linear(hours + told, config.width)
        self.second = nn.Linear(config.width, config.width)
        self.answer = _from_zero(nn.Linear(config.width, leads))
        self.straight = _from_zero(nn.Linear(hours + told, leads))
        self.dropout = nn.Dropout(config.dropout)
        ranks = config.own if own else 0
        self.ranks = nn.Linear(hours, ranks, bias=False) if ranks else None
        self.own = _from_zero(nn.Linear(own, ranks * leads, bias=False)) if ranks else None

    def forward(self, week_BT: Tensor, told_BK: Tensor, own_BE: Tensor) -> Tensor:
        all_BK = torch.cat([week_BT, told_BK], dim=1)
        hidden_BW = self.dropout(gelu(self.first(all_BK)))
        hidden_BW = self.dropout(gelu(self.second(hidden_BW)))
        offset_BN: Tensor = self.answer(hidden_BW) + self.straight(all_BK)
        if self.ranks is not None and self.own is not None:
            own_BRN = self.own(own_BE).reshape(own_BE.shape[0], -1, self.leads)
            offset_BN = offset_BN + (self.ranks(week_BT).unsqueeze(2) * own_BRN).sum(1)
        return offset_BN


def hourly(past_BL: Tensor, mask_BL: Tensor, hours: int, steps: int) -> Tensor:
    """Means of the newest `hours` times `steps` values, hour by hour, oldest first; zero where nothing is known.

    >>> hourly(torch.tensor([[9.0, 1.0, 3.0, 5.0]]), torch.tensor([[1.0, 1.0, 1.0, 0.0]]), hours=3, steps=2).tolist()
    [[0.0, 5.0, 3.0]]
    """
    missing = max(0, hours * steps - past_BL.shape[1])
    value_BTS, known_BTS = (
        pad(one_BL[:, -hours * steps :], (missing, 0)).reshape(-1, hours, steps)
        for one_BL in (torch.where(mask_BL > 0, past_BL, 0.0), (mask_BL > 0).to(past_BL.dtype))
    )
    hours_BT: Tensor = value_BTS.sum(2) / known_BTS.sum(2).clamp(min=1.0)
    return hours_BT


def _from_zero(layer: nn.Linear) -> nn.Linear:
    for weight in layer.parameters():
        nn.init.zeros_(weight)
    return layer
