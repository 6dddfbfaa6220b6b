"""Weights and buffers as named NumPy arrays, for a folder without pickles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from forecast.errors import ModelFolderError

Arrays = dict[str, npt.NDArray[np.generic]]


def state_arrays(network: nn.Module) -> Arrays:
    """Copies of all weights and buffers by name.

    >>> sorted(state_arrays(nn.Linear(2, 1)))
    ['bias', 'weight']
    """
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in network.state_dict().items()}


def load_arrays(network: nn.Module, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
    """Put arrays back, bit for bit; the network is untouched unless all of them fit.

    Raises:
        ModelFolderError: a name is missing or unknown, or a shape or number type differs.
    """
    wanted = network.state_dict()
    missing, unknown = sorted(wanted.keys() - arrays.keys()), sorted(arrays.keys() - wanted.keys())
    if missing or unknown:
        raise ModelFolderError(
            f"{len(missing)} weights are missing ({', '.join(missing[:3])}) and {len(unknown)} are unknown "
            f"({', '.join(unknown[:3])})",
            "the weights of the network that the folder's recipe describes",
            "save the forecaster again, or use the version of the package that saved it",
        )
    for name, tensor in wanted.items():
        _check_fit(name, tensor, arrays[name])
    network.load_state_dict({name: torch.from_numpy(np.array(arrays[name])) for name in wanted})


def _check_fit(name: str, tensor: torch.Tensor, array: npt.NDArray[np.generic]) -> None:
    kind = str(tensor.dtype).removeprefix("torch.")
    if tuple(tensor.shape) != array.shape or kind != str(array.dtype):
        raise ModelFolderError(
            f"weight '{name}' is {array.dtype} {array.shape}",
            f"{kind} {tuple(tensor.shape)}",
            "save the forecaster again, or use the recipe that it was saved with",
        )
