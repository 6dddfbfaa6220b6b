"""Attention of each step ahead over its own hour of the last days: a few keys, and all of the daily cycle."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from forecast.networks.attention import MultiHeadAttention, ScaledDotScore, masked_softmax
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
        slot_H = encoded.lead(query_BHQ.shape[1]) // encoded.step % self.day
        whole = self._whole(encoded, query_BHQ.shape[1])
        found_BHD: Tensor = self(query_BHQ, encoded.hidden_BLD, encoded.mask_BL, slot_H=slot_H, whole=whole)[0]
        return found_BHD

    def _whole(self, encoded: Encoded, ahead: int) -> bool:
        """Whether the steps ahead are one day from its first hour on: they need no picking.

        An exported graph always picks, because it may be asked for any number of steps.
        """
        if torch.compiler.is_exporting() or ahead != self.day:
            return False
        leads = range(encoded.first, encoded.first + ahead * encoded.stride, encoded.stride)
        return all(lead // encoded.step % self.day == place for place, lead in enumerate(leads))

    def forward(  # type: ignore[override]
        self,
        query_BHD: Tensor,
        memory_BLM: Tensor,
        mask_BL: Tensor | None = None,
        *,
        slot_H: Tensor,
        whole: bool = False,
    ) -> tuple[Tensor, Tensor]:
        steps, (batch, ahead, _) = memory_BLM.shape[1], query_BHD.shape
        back_K = self.day * torch.arange(self.days, 0, -1, device=memory_BLM.device)
        place_HK = steps + slot_H.unsqueeze(1) - back_K
        known_BL = torch.ones_like(memory_BLM[..., 0]) if mask_BL is None else mask_BL
        known_BHK = self._by_day(known_BL.unsqueeze(2), slot_H, whole)[..., 0] > 0
        query_BHNE = self.query(query_BHD).reshape(batch, ahead, self.heads, -1)
        key_BHKNE = self._heads(self._by_day(self.key(memory_BLM), slot_H, whole) + self.lag_KD)
        value_BHKNE = self._heads(self._by_day(self.value(memory_BLM), slot_H, whole))
        scores_BHNK = self._scores(query_BHNE, key_BHKNE)
        weights_BHNK = masked_softmax(scores_BHNK, known_BHK.unsqueeze(2).expand_as(scores_BHNK))
        # Sums of a few products: many small matrix products would cost several times as much.
        mixed_BHNE = (weights_BHNK.transpose(2, 3).unsqueeze(4) * value_BHKNE).sum(2)
        return self.out(mixed_BHNE.flatten(2)), self._everywhere(weights_BHNK, place_HK.clamp(min=0), steps)

    def _by_day(self, x_BLD: Tensor, slot_H: Tensor, whole: bool) -> Tensor:
        """Each step ahead's own hour, the oldest day first, (B, H, K, D); zero before the context begins."""
        reach = self.days * self.day
        x_BLD = pad(x_BLD[:, -reach:], (0, 0, max(0, reach - x_BLD.shape[1]), 0))
        x_BKTD = x_BLD.reshape(x_BLD.shape[0], self.days, self.day, -1)
        by_day_BHKD: Tensor = (x_BKTD if whole else x_BKTD[:, :, slot_H]).transpose(1, 2)
        return by_day_BHKD

    def _scores(self, query_BHNE: Tensor, key_BHKNE: Tensor) -> Tensor:
        if isinstance(self.score, ScaledDotScore):
            scores_BHKN: Tensor = (query_BHNE.unsqueeze(2) * key_BHKNE).sum(4) * query_BHNE.shape[-1] ** -0.5
            return scores_BHKN.transpose(2, 3)
        batch, ahead = query_BHNE.shape[:2]
        query_XN1E, key_XNKE = query_BHNE.flatten(0, 1).unsqueeze(2), key_BHKNE.transpose(2, 3).flatten(0, 1)
        scores_XN1K: Tensor = self.score(query_XN1E, key_XNKE)
        return scores_XN1K.reshape(batch, ahead, self.heads, self.days)

    def _heads(self, x_BHKD: Tensor) -> Tensor:
        return x_BHKD.reshape(*x_BHKD.shape[:3], self.heads, -1)

    def _everywhere(self, weights_BHNK: Tensor, place_HK: Tensor, steps: int) -> Tensor:
        """The weights at their encoder steps, (B, N, H, L); none are laid out while it learns."""
        weights_BNHK = weights_BHNK.detach().transpose(1, 2)
        if self.training:
            return weights_BNHK
        all_BNHL = weights_BNHK.new_zeros(*weights_BNHK.shape[:3], steps)
        return all_BNHL.scatter_add(3, place_HK.expand_as(weights_BNHK), weights_BNHK)
