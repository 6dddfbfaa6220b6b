"""Attention of each step ahead over its own hour of the last days: a few keys, and all of the daily cycle."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from forecast.networks.attention import MultiHeadAttention, masked_softmax, weigh
from forecast.networks.configs import SameHourConfig
from forecast.networks.encoded import Encoded


class SameHourAttention(MultiHeadAttention):
    """Several heads over the encoder's steps one day back, two days back, ... from each step ahead.

    Shapes: `query_BHQ` asks `memory_BLM` to `(B, H, D)` and weights `(B, N, H, L)` over all encoder steps, zero off the
    step's own hour. A step more than a day ahead asks the last known days, too. Each key also knows how many days back
    it lies. Days that the context does not reach, or in which nothing is known, get no weight.

    Args:
        config: days, heads, width.
        query_width: of a step ahead.
        memory_width: of an encoder step.
        day: encoder steps in 24 hours.
    """

    def __init__(self, config: SameHourConfig, query_width: int, memory_width: int, day: int) -> None:
        super().__init__(config.width, config.heads, config.score, memory_width)
        self.days, self.day = config.days, day
        self.query = nn.Linear(query_width, config.width)
        self.lag_KD = nn.Parameter(0.1 * torch.randn(config.days, config.width))

    def look(self, query_BHQ: Tensor, encoded: Encoded) -> Tensor:
        """What the steps ahead that `encoded` names find, (B, H, D)."""
        lead_H = torch.div(encoded.lead(query_BHQ.shape[1]), encoded.step, rounding_mode="floor")
        found_BHD: Tensor = self(query_BHQ, encoded.hidden_BLD, encoded.mask_BL, lead_H=lead_H)[0]
        return found_BHD

    def forward(  # type: ignore[override]
        self, query_BHD: Tensor, memory_BLM: Tensor, mask_BL: Tensor | None = None, *, lead_H: Tensor
    ) -> tuple[Tensor, Tensor]:
        steps, (batch, ahead, _) = memory_BLM.shape[1], query_BHD.shape
        back_K = self.day * torch.arange(1, self.days + 1, device=lead_H.device)
        place_HK = steps + (lead_H % self.day).unsqueeze(1) - back_K
        inside_HK, place_HK = place_HK >= 0, place_HK.clamp(min=0)
        known_BHK = inside_HK.expand(batch, -1, -1) if mask_BL is None else inside_HK & (mask_BL[:, place_HK] > 0)
        query_BHNE = self.query(query_BHD).reshape(batch, ahead, self.heads, -1)
        key_BHKD = self.key(memory_BLM)[:, place_HK] + self.lag_KD
        value_BHKD = self.value(memory_BLM)[:, place_HK]
        # Heads beside the steps ahead: (B, H, N, 1, E) asks (B, H, N, K, E).
        key_BHNKE, value_BHNKE = self._heads(key_BHKD), self._heads(value_BHKD)
        scores_BHNK = self.score(
            query_BHNE.flatten(0, 1).unsqueeze(2), key_BHNKE.flatten(0, 1)
        ).reshape(batch, ahead, self.heads, self.days)  # fmt: skip
        weights_BHNK = masked_softmax(scores_BHNK, known_BHK.unsqueeze(2).expand_as(scores_BHNK))
        mixed_BHNE = weigh(weights_BHNK.unsqueeze(3), value_BHNKE).squeeze(3)
        return self.out(mixed_BHNE.flatten(2)), self._everywhere(weights_BHNK, place_HK, steps)

    def _heads(self, x_BHKD: Tensor) -> Tensor:
        return x_BHKD.reshape(*x_BHKD.shape[:3], self.heads, -1).transpose(2, 3)

    def _everywhere(self, weights_BHNK: Tensor, place_HK: Tensor, steps: int) -> Tensor:
        """The weights at their encoder steps, (B, N, H, L); none are laid out while it learns."""
        weights_BNHK = weights_BHNK.detach().transpose(1, 2)
        if self.training:
            return weights_BNHK
        all_BNHL = weights_BNHK.new_zeros(*weights_BNHK.shape[:3], steps)
        return all_BNHL.scatter_add(3, place_HK.expand_as(weights_BNHK), weights_BNHK)
