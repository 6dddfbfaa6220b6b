"""The skip connection."""

from __future__ import annotations

from torch import Tensor, nn


class Skip(nn.Module):
    """f(x) + x, where x passes a linear projection if the widths differ.

    Shapes: `x_BLC` and `f_BLD` to `(B, L, D)`. Source: He et al. 2015, "Deep residual learning", equations 1 and 2.

    >>> import torch
    >>> Skip(2, 2)(torch.ones(1, 1, 2), torch.ones(1, 1, 2)).tolist()
    [[[2.0, 2.0]]]
    """

    def __init__(self, columns: int, width: int) -> None:
        super().__init__()
        self.projection = nn.Identity() if columns == width else nn.Linear(columns, width, bias=False)

    def forward(self, x_BLC: Tensor, f_BLD: Tensor) -> Tensor:
        y_BLD: Tensor = f_BLD + self.projection(x_BLC)
        return y_BLD
