"""Graphs of networks that differ in their weights only: one is traced, the others are that one with their own weights.

To trace a network takes seconds; the members of an ensemble, and what a search trained anew, have one architecture. A
graph is kept where each of its tensors is a weight, buffer or constant of the traced module, by name and value: then
whatever the network holds was put in, and nothing was worked out from it on the way.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

import numpy as np
from torch import Tensor, nn

MOST = 16
"""Architectures that are kept; the one that was not asked for longest goes first."""
_kept: OrderedDict[Hashable, bytes] = OrderedDict()


def of(key: Hashable, asked: nn.Module) -> bytes | None:
    """The graph of a module whose architecture was traced before.

    Args:
        key: tells the architecture.
        asked: the module as it would be traced.
    """
    if key not in _kept:
        return None
    import onnx

    _kept.move_to_end(key)
    model = onnx.load_from_string(_kept[key])
    for one in model.graph.initializer:
        tensor = _tensor(asked, one.name)
        if tensor is None or not _fits(one, tensor):
            return None
        one.raw_data = _bytes(tensor)
    written: bytes = model.SerializeToString()
    return written


def keep(key: Hashable, written: bytes, asked: nn.Module) -> None:
    """Keeps a graph for networks of its architecture, where all that it holds has a name in its module.

    Args:
        key: tells the architecture.
        written: the graph.
        asked: the module that was traced.
    """
    import onnx

    for one in onnx.load_from_string(written).graph.initializer:
        tensor = _tensor(asked, one.name)
        if tensor is None or not _fits(one, tensor) or one.raw_data != _bytes(tensor):
            return
    _kept[key] = written
    while len(_kept) > MOST:
        _kept.popitem(last=False)


def forget() -> None:
    """Traces every architecture anew from now on."""
    _kept.clear()


def _tensor(asked: nn.Module, name: str) -> Tensor | None:
    """A parameter, buffer or constant by its path."""
    part: Any = asked
    for word in name.split("."):
        part = getattr(part, word, None)
    return part.detach() if isinstance(part, Tensor) else None


def _fits(one: Any, tensor: Tensor) -> bool:
    """Whether a tensor can stand for one of the graph."""
    import onnx

    shape, kind = tuple(one.dims), onnx.helper.tensor_dtype_to_np_dtype(one.data_type)
    return tuple(tensor.shape) == shape and tensor.numpy().dtype == kind and not one.external_data


def _bytes(tensor: Tensor) -> bytes:
    return np.ascontiguousarray(tensor.cpu().numpy()).tobytes()
