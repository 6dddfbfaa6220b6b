"""Graphs of networks that differ in their weights only: one is traced, the others are that one with their own weights.

To trace a network takes seconds; the members of an ensemble, and what a search trained anew, have one architecture. A
graph is kept where its tensors are the weights, buffers and constants of the traced module, all of them, by name and
value. Numbers that the tracer may have written between its operators are held to torch by the example of each graph.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Any

import numpy as np
from torch import Tensor, nn

MOST = 16
"""Architectures that are kept; the one that was traced first goes first."""
_kept: OrderedDict[Hashable, bytes] = OrderedDict()
_lock = Lock()


def of(key: Hashable, asked: nn.Module) -> bytes | None:
    """The graph of a module whose architecture was traced before.

    Args:
        key: tells the architecture.
        asked: the module as it would be traced.
    """
    kept = _kept.get(key)
    if kept is None:
        return None
    import onnx

    model = onnx.load_from_string(kept)
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

    held = onnx.load_from_string(written).graph.initializer
    for one in held:
        tensor = _tensor(asked, one.name)
        if tensor is None or not _fits(one, tensor) or one.raw_data != _bytes(tensor):
            return
    if set(asked.state_dict()) - {one.name for one in held}:
        return
    with _lock:
        _kept[key] = written
        while len(_kept) > MOST:
            _kept.popitem(last=False)


def forget() -> bool:
    """Traces every architecture anew from now on; whether there was any."""
    with _lock:
        some = bool(_kept)
        _kept.clear()
    return some


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
