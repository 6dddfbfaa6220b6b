"""The direct decoder: one perceptron, every horizon step by itself."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from forecast.networks.configs import DirectConfig
from forecast.networks.encoded import Encoded, Leads
from forecast.networks.same_hour import SameHourAttention


class DirectDecoder(nn.Module):
    """Two GELU layers on [known inputs of the step, encoder state, static columns].

    Every hour ahead has a vector of its own; see `Leads`. With `same_hour` the second layer
    also reads what the step finds at its own hour of the last days.

    Shapes: `encoded`, `known_BHK`, `static_BS` to `(B, H, D)`; H may be any length. `day`: encoder steps in 24 hours.
    """

    def __init__(
        self, config: DirectConfig, encoder_width: int, known_columns: int, static_columns: int, leads: Leads,
        day: int = 24,
    ) -> None:  # fmt: skip
        super().__init__()
        self.width = config.width
        # One layer in two parts: the window's part is the same for all steps and computed once.
        self.known = nn.Linear(known_columns, config.width)
        self.start = nn.Linear(encoder_width + static_columns, config.width, bias=False)
        self.leads = leads
        self.lead_ND = nn.Parameter(torch.zeros(leads.most, config.width))
        look = config.same_hour
        self.same_hour = SameHourAttention(look, config.width, encoder_width, day) if look is not None else None
        self.second = nn.Linear(config.width + (look.width if look is not None else 0), config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, encoded: Encoded, known_BHK: Tensor, static_BS: Tensor) -> Tensor:
        start_BD = self.start(torch.cat([encoded.state_BD, static_BS], dim=1))
        lead_HD = self.lead_ND[self.leads.of(known_BHK)]
        hidden_BHD = self.dropout(gelu(self.known(known_BHK) + start_BD.unsqueeze(1) + lead_HD))
        if self.same_hour is not None:
            hidden_BHD = torch.cat([hidden_BHD, self.same_hour.look(hidden_BHD, encoded)], dim=2)
        answer_BHD: Tensor = self.dropout(gelu(self.second(hidden_BHD)))
        return answer_BHD
