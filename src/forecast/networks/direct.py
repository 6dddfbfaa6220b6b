"""The direct decoder: one perceptron, every horizon step by itself."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from forecast.networks.configs import DirectConfig
from forecast.networks.encoded import Encoded


class DirectDecoder(nn.Module):
    """Two GELU layers on [known inputs of the step, encoder state, static columns].

    Shapes: `encoded`, `known_BHK`, `static_BS` to `(B, H, D)`; H may be any length.
    """

    def __init__(self, config: DirectConfig, encoder_width: int, known_columns: int, static_columns: int) -> None:
        super().__init__()
        self.width = config.width
        # One layer in two parts: the window's part is the same for all steps and computed once.
        self.known = nn.Linear(known_columns, config.width)
        self.start = nn.Linear(encoder_width + static_columns, config.width, bias=False)
        self.second = nn.Linear(config.width, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, encoded: Encoded, known_BHK: Tensor, static_BS: Tensor) -> Tensor:
        start_BD = self.start(torch.cat([encoded.state_BD, static_BS], dim=1))
        hidden_BHD = self.dropout(gelu(self.known(known_BHK) + start_BD.unsqueeze(1)))
        answer_BHD: Tensor = self.dropout(gelu(self.second(hidden_BHD)))
        return answer_BHD
