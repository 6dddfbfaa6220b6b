"""Batches of a table's windows, as tensors, for whatever learns from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from forecast.features import Features
from forecast.features.civil import CivilClock
from forecast.networks.runtime import Six, tensors
from forecast.windows import Ints, WindowSet, spread

Batch = tuple[Six, Tensor, Tensor]
EVALUATED = 2048
AT_ONCE, KEPT_BYTES = 1024, 1 << 30
"""Windows of up to so many bytes are gathered once and not again for every epoch."""


@dataclass(frozen=True, eq=False)
class Feed:
    """Batches of some windows, gathered when asked for.

    Attributes:
        features: what is read.
        windows: where from.
        clock: their calendar.
        device: where tensors go.
        kept: all windows as `_stored` tensors; None gathers them when asked for.
    """

    features: Features
    windows: WindowSet
    clock: CivilClock
    device: str = "cpu"
    kept: tuple[Tensor, ...] | None = None

    @classmethod
    def of(cls, features: Features, windows: WindowSet, device: str = "cpu") -> Feed:
        """A feed with its calendar made once."""
        return cls(features, windows, features.clock(windows), device)

    def batch(self, index_B: Ints) -> Batch:
        """Inputs, targets and their mask as tensors."""
        if self.kept is not None:
            return _picked(self.kept, torch.from_numpy(index_B).to(self.device))
        inputs = self.features.inputs(self.windows, self.clock, index_B)
        target, mask = (torch.from_numpy(array).to(self.device) for array in (inputs.target_BH, inputs.target_mask_BH))
        return tensors(inputs, self.device), target, mask

    def keeping(self) -> Feed:
        """The same feed with all its windows gathered once, where they fit into `KEPT_BYTES`."""
        if self.kept is not None or not len(self.windows):
            return self
        first = _stored(self.batch(np.arange(1)))
        if len(self.windows) * sum(part.nbytes for part in first) > KEPT_BYTES:
            return self
        kept = tuple(part.new_empty((len(self.windows), *part.shape[1:])) for part in first)
        for begin in range(0, len(self.windows), AT_ONCE):
            stretch = slice(begin, min(begin + AT_ONCE, len(self.windows)))
            for whole, part in zip(kept, _stored(self.batch(np.arange(stretch.start, stretch.stop))), strict=True):
                whole[stretch] = part
        return replace(self, kept=kept)

    def spread(self, most: int, size: int) -> Iterator[Batch]:
        """At most `most` windows, evenly spread, in order, in batches of `size`."""
        index_N = spread(0, len(self.windows), most)
        for begin in range(0, len(index_N), size):
            yield self.batch(index_N[begin : begin + size])


def _stored(batch: Batch) -> tuple[Tensor, ...]:
    """The eight tensors of a batch, masks taking one byte each."""
    (past, past_mask, future, future_mask, static, peers), target, mask = batch
    return past, past_mask > 0, future, future_mask > 0, static, peers, target, mask > 0


def _picked(kept: tuple[Tensor, ...], index_B: Tensor) -> Batch:
    """Some windows of what was stored, as `Feed.batch` gathers them."""
    picked = [one[index_B] for one in kept]
    picked = [one.to(kept[0].dtype) if one.dtype == torch.bool else one for one in picked]
    past, past_mask, future, future_mask, static, peers, target, mask = picked
    return (past, past_mask, future, future_mask, static, peers), target, mask
