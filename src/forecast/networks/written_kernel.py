"""Torch's recurrent kernels while a network is written down: one operator each, as ONNX has it.

The exporter works out a kernel's shapes by walking through all of its steps, which takes it half a minute a layer. This
operator tells its shapes at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from onnxscript import opset18 as op
from torch import Tensor, nn

_GATES = {"RNN": (0,), "LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}
"""ONNX's order of the gates, in places of torch's."""


class WrittenKernel(nn.Module):
    """Stands for `nn.RNN`, `nn.LSTM` or `nn.GRU` of one layer (batch first, with biases) in a network that is exported.

    It can be traced, not run. Weights and biases are in ONNX's order and shapes.
    """

    def __init__(self, kernel: nn.RNNBase) -> None:
        super().__init__()
        self.mode = kernel.mode.removesuffix("_TANH")
        self.hidden_size = kernel.hidden_size
        ways = ["", "_reverse"] if kernel.bidirectional else [""]

        def stacked(name: str) -> Tensor:
            parts = [getattr(kernel, f"{name}_l0{way}").detach().split(kernel.hidden_size) for way in ways]
            return torch.stack([torch.cat([gates[place] for place in _GATES[self.mode]]) for gates in parts])

        self.register_buffer("w", stacked("weight_ih"))
        self.register_buffer("r", stacked("weight_hh"))
        self.register_buffer("b", torch.cat([stacked("bias_ih"), stacked("bias_hh")], dim=1))

    def forward(self, x_BLC: Tensor, state: Any) -> tuple[Tensor, Any]:
        hidden, cell = state if self.mode == "LSTM" else (state, state)
        answer_BLD, hidden, cell = _recurrent(x_BLC, hidden, cell, self.w, self.r, self.b, self.mode)
        return answer_BLD, (hidden, cell) if self.mode == "LSTM" else hidden


@torch.library.custom_op("forecast::recurrent", mutates_args=())
def _recurrent(
    x: Tensor, hidden: Tensor, cell: Tensor, w: Tensor, r: Tensor, b: Tensor, mode: str
) -> tuple[Tensor, Tensor, Tensor]:
    raise NotImplementedError("a written kernel is traced, never run")


@_recurrent.register_fake
def _shapes(
    x: Tensor, hidden: Tensor, cell: Tensor, w: Tensor, r: Tensor, b: Tensor, mode: str
) -> tuple[Tensor, Tensor, Tensor]:
    wide = hidden.shape[0] * hidden.shape[2]
    return x.new_empty((x.shape[0], x.shape[1], wide)), torch.empty_like(hidden), torch.empty_like(cell)


def _as_onnx(x: Any, hidden: Any, cell: Any, w: Any, r: Any, b: Any, mode: str) -> tuple[Any, Any, Any]:
    ways, _, width = w.shape[0], w.shape[1], r.shape[2]
    how = {"hidden_size": int(width), "direction": "bidirectional" if int(ways) == 2 else "forward"}
    steps = op.Transpose(x, perm=[1, 0, 2])
    if mode == "LSTM":
        every, hidden, cell = op.LSTM(steps, w, r, b, None, hidden, cell, **how)
    elif mode == "GRU":
        # torch resets the old state after its product with the weights.
        every, hidden = op.GRU(steps, w, r, b, None, hidden, linear_before_reset=1, **how)
    else:
        every, hidden = op.RNN(steps, w, r, b, None, hidden, activations=["Tanh"] * int(ways), **how)
    # (L, ways, B, D) to (B, L, ways · D)
    return op.Reshape(op.Transpose(every, perm=[2, 0, 1, 3]), op.Constant(value_ints=[0, 0, -1])), hidden, cell


TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {torch.ops.forecast.recurrent.default: _as_onnx}
"""How the exporter writes the operator down."""
