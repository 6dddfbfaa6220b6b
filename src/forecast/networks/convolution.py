"""Causal dilated convolutions over the observed window."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import gelu, pad

from forecast.networks.configs import ConvolutionConfig
from forecast.networks.encoded import Encoded
from forecast.networks.skip import Skip


class CausalConvolution(nn.Module):
    """One residual layer: step t reads steps t, t − dilation, … and none later. Shapes: `(B, L, C)` to `(B, L, D)`."""

    def __init__(self, columns: int, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.reach = (kernel - 1) * dilation
        self.convolution = nn.Conv1d(columns, width, kernel, dilation=dilation)
        self.norm, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)
        self.skip = Skip(columns, width)

    def forward(self, x_BLC: Tensor) -> Tensor:
        f_BDL = self.convolution(pad(x_BLC.transpose(1, 2), (self.reach, 0)))
        f_BLD = self.dropout(gelu(self.norm(f_BDL.transpose(1, 2))))
        return self.skip(x_BLC, f_BLD)  # type: ignore[no-any-return]


class ConvolutionEncoder(nn.Module):
    """Causal convolutions whose dilation doubles from layer to layer.

    Shapes: `x_BLC`, `mask_BL`, `static_BS` to `Encoded`. The static columns are added to every embedded step; the state
    is the newest step's. Source: van den Oord et al. 2016, arXiv 1609.03499; Bai et al. 2018, arXiv 1803.01271.
    """

    def __init__(self, config: ConvolutionConfig, columns: int, static_columns: int) -> None:
        super().__init__()
        self.width = config.width
        self.embed, self.start = nn.Linear(columns, config.width), nn.Linear(static_columns, config.width)
        self.layers = nn.Sequential(
            *(
                CausalConvolution(config.width, config.width, config.kernel, 2**number, config.dropout)
                for number in range(config.layers)
            )
        )

    def forward(self, x_BLC: Tensor, mask_BL: Tensor, static_BS: Tensor) -> Encoded:
        hidden_BLD = self.layers(self.embed(x_BLC) + self.start(static_BS).unsqueeze(1))
        return Encoded(hidden_BLD, mask_BL, hidden_BLD[:, -1])
