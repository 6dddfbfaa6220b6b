"""One-step reference cells: the textbook's equations, to check and explain torch's kernels, which do the training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

Activation = Callable[[Tensor], Tensor]


def heaviside(z: Tensor) -> Tensor:
    """1 where z >= 0, else 0; its gradient is zero everywhere."""
    return (z >= 0).to(z.dtype)


class ElmanCell(nn.Module):
    """h' = activation(W x + U h + b).

    Shapes: `x_BC`, `h_BD` to `(B, D)`. With the default tanh it equals `torch.nn.RNNCell`, whose two biases add to b.
    Source: Elman 1990, "Finding structure in time".

    >>> ElmanCell(1, 2)(torch.zeros(1, 1), torch.zeros(1, 2)).shape
    torch.Size([1, 2])
    """

    def __init__(self, columns: int, width: int, activation: Activation = torch.tanh) -> None:
        super().__init__()
        bound = width**-0.5
        self.activation = activation
        self.w_DC = nn.Parameter(torch.empty(width, columns).uniform_(-bound, bound))
        self.u_DD = nn.Parameter(torch.empty(width, width).uniform_(-bound, bound))
        self.b_D = nn.Parameter(torch.zeros(width))

    def forward(self, x_BC: Tensor, h_BD: Tensor) -> Tensor:
        return self.activation(x_BC @ self.w_DC.T + h_BD @ self.u_DD.T + self.b_D)


class GruCell(nn.Module):
    """The textbook GRU: c' = Γ_u∘c̃ + (1 − Γ_u)∘c with c̃ = tanh(W_c [Γ_r∘c, x] + b_c).

    Shapes: `x_BC`, `c_BD` to `(B, D)`. Every weight is (D, D + C) and acts on [c, x] in this order.
    torch's GRU differs twice: its update gate is z = 1 − Γ_u (negate W_u and b_u), and its reset gate multiplies
    U_c c after the matrix product. `reset="after"` computes torch's order, `"before"` the textbook's; the two agree
    where the reset gate is the same for all units or U_c is diagonal.
    Source: Cho et al. 2014, arXiv 1406.1078 (there, as in torch, the gate keeps the old state).
    """

    def __init__(self, columns: int, width: int, reset: Literal["before", "after"] = "before") -> None:
        super().__init__()
        self.width, self.reset = width, reset
        bound = width**-0.5
        self.w_c, self.w_u, self.w_r = (
            nn.Parameter(torch.empty(width, width + columns).uniform_(-bound, bound)) for _ in range(3)
        )
        self.b_c, self.b_u, self.b_r = (nn.Parameter(torch.zeros(width)) for _ in range(3))

    def gates(self, x_BC: Tensor, c_BD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Candidate c̃, update gate Γ_u and reset gate Γ_r, each (B, D)."""
        cx = torch.cat([c_BD, x_BC], dim=1)
        update_BD = torch.sigmoid(cx @ self.w_u.T + self.b_u)
        reset_BD = torch.sigmoid(cx @ self.w_r.T + self.b_r)
        if self.reset == "before":
            z_BD = torch.cat([reset_BD * c_BD, x_BC], dim=1) @ self.w_c.T
        else:
            z_BD = reset_BD * (c_BD @ self.w_c[:, : self.width].T) + x_BC @ self.w_c[:, self.width :].T
        return torch.tanh(z_BD + self.b_c), update_BD, reset_BD

    def forward(self, x_BC: Tensor, c_BD: Tensor) -> Tensor:
        candidate_BD, update_BD, _ = self.gates(x_BC, c_BD)
        return update_BD * candidate_BD + (1 - update_BD) * c_BD
