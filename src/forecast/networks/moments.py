"""Masked means and standard deviations, gathered batch by batch."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor


class Moments:
    """Mean and standard deviation of columns over their known entries, in float64.

    >>> moments = Moments(1)
    >>> moments.add(torch.tensor([[1.0], [3.0], [9.0]]), torch.tensor([[1.0], [1.0], [0.0]]))
    >>> [one.tolist() for one in moments.result()]
    [[2.0], [1.0]]
    """

    def __init__(self, columns: int) -> None:
        self._count, self._sum, self._square = (torch.zeros(columns, dtype=torch.float64) for _ in range(3))
        self._flag = torch.ones(columns, dtype=torch.bool)

    def add(self, x: Tensor, mask: Tensor | None = None) -> None:
        """Count in a batch (..., C); masked entries (0) are left out, whatever they hold."""
        x_NC = x.detach().double().cpu().reshape(prod(x.shape[:-1]), x.shape[-1])
        known = torch.ones_like(x_NC) if mask is None else mask.detach().double().cpu().reshape(x_NC.shape)
        x_NC = torch.where(known > 0, x_NC, 0.0)
        self._count += known.sum(0)
        self._sum += x_NC.sum(0)
        self._square += (x_NC * x_NC).sum(0)
        self._flag &= ((x_NC == 0) | (x_NC == 1)).all(0)

    @property
    def empty(self) -> bool:
        """No known entry in any column."""
        return not bool(self._count.any())

    def result(self) -> tuple[Tensor, Tensor]:
        """Float32 mean and standard deviation; a flag, and a column that never changes, have deviation 1.

        A rare flag in units of its tiny deviation would shout, and its few days would be learned by heart.
        """
        count = self._count.clamp(min=1.0)
        mean = self._sum / count
        std = (self._square / count - mean * mean).clamp(min=0.0).sqrt()
        # Below this a deviation is the rounding of the sums, not a movement of the column.
        moving = std > 1e-6 * mean.abs().clamp(min=1e-6)
        return mean.float(), torch.where(moving & ~self._flag, std, 1.0).float()
