"""A network that begins with the weights of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn


class WarmStart(NamedTuple):
    """Which arrays were taken, by name.

    `taken`: fit by name, shape and number type. `left`: offered, but unknown here or of another shape. `fresh`: the
    network's own that nothing was offered for; they keep their first values.
    """

    taken: tuple[str, ...]
    left: tuple[str, ...]
    fresh: tuple[str, ...]


def start_from(network: nn.Module, arrays: Mapping[str, npt.NDArray[np.generic]]) -> WarmStart:
    """Copies whatever fits by name and shape into the network, and says what did not.

    >>> start_from(nn.Linear(2, 1), {"weight": np.ones((1, 2), np.float32), "bias": np.ones(3, np.float32)})
    WarmStart(taken=('weight',), left=('bias',), fresh=('bias',))
    """
    own = network.state_dict()
    taken = []
    for name, array in arrays.items():
        if name in own and tuple(own[name].shape) == array.shape and _kind(own[name]) == str(array.dtype):
            own[name].copy_(torch.from_numpy(np.array(array)))
            taken.append(name)
    left, fresh = (tuple(name for name in names if name not in taken) for names in (arrays, own))
    return WarmStart(tuple(taken), left, fresh)


def _kind(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
