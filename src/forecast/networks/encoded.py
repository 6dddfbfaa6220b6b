"""What every encoder returns and every decoder reads."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Encoded(NamedTuple):
    """An encoder's answer.

    `hidden_BLD`: one vector per encoder step, oldest first. `mask_BL`: 1 where the step holds anything known.
    `state_BD`: the final state. `step`: context steps in one encoder step, for positions on a common time line.
    `first`, `stride`: the decoder answers the steps first, first + stride, ... ahead, counted in context steps from 0.
    """

    hidden_BLD: Tensor
    mask_BL: Tensor
    state_BD: Tensor
    step: int = 1
    first: int = 0
    stride: int = 1

    def lead(self, count: int) -> Tensor:
        """Context steps from the cutoff to each of `count` answered steps, (H,)."""
        return self.first + self.stride * torch.arange(count, device=self.hidden_BLD.device)


class Leads(NamedTuple):
    """The hours ahead that have weights of their own.

    `most` of them; for later ones stands the same hour of the last day of them, or the last of less than a `day`.
    """

    most: int
    day: int = 24

    def of(self, known_BHK: Tensor) -> Tensor:
        """Place of each answered step of a phase among them, (H,).

        >>> Leads(most=5, day=3).of(torch.zeros(1, 9, 2)).tolist()
        [0, 1, 2, 3, 4, 2, 3, 4, 2]
        """
        hour_H = torch.arange(known_BHK.shape[1], device=known_BHK.device)
        day = self.day if self.day <= self.most else 1
        return torch.where(hour_H < self.most, hour_H, self.most - day + (hour_H - self.most) % day)


class Plain(nn.Module):
    """The encoder of `kind="none"`: every step embedded by itself, the state made from the static columns alone.

    Shapes: `x_BLC`, `mask_BL`, `static_BS` to `Encoded`.
    """

    def __init__(self, columns: int, static_columns: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.embed = nn.Linear(columns, width)
        self.start = nn.Linear(static_columns, width)

    def forward(self, x_BLC: Tensor, mask_BL: Tensor, static_BS: Tensor) -> Encoded:
        hidden_BLD = torch.nn.functional.gelu(self.embed(x_BLC))
        return Encoded(hidden_BLD, mask_BL, torch.tanh(self.start(static_BS)))
