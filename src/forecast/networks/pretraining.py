"""Masked pre-training: the encoder learns to say what was hidden from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from forecast.networks.hiding import hidden_spans
from forecast.networks.network import DemandNetwork
from forecast.networks.scaling import Window, masked

Error = Literal["squared", "pinball"]


class Reconstruction(nn.Module):
    """A network's encoder with a linear head that says the hidden loads of a window, for `loss` alone.

    Random stretches of the context's load columns are masked; each encoder step's hidden vector gives the loads of its
    own steps, in units of the window's scale. Only hidden values that are known count. A causal encoder says a stretch
    from what came before it, others from both sides. The network is held, not copied: what its encoder learns stays.
    Source: Devlin et al. 2018, arXiv 1810.04805 (hide and reconstruct); Zerveas et al. 2020, arXiv 2010.02803 (time
    series, stretches instead of single steps).

    Args:
        network: its scaling already fitted.
        share: share of the context that is hidden, about.
        span: encoder steps of one stretch.
        error: squared, or the pinball loss of the median.
        seed: of the head's first weights.
    """

    def __init__(
        self, network: DemandNetwork, share: float, span: int, error: Error = "squared", seed: int = 0
    ) -> None:
        super().__init__()
        self.network, self.share, self.span, self.error = network, share, span, error
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = nn.Linear(network.encoder.width, network.patch)

    def loss(self, inputs: Sequence[Tensor]) -> Tensor:
        """Mean error over the hidden known loads of a batch; begins with past, past mask; static is the fifth."""
        past_BLP, mask_BLP, static_BS = inputs[0], inputs[1], inputs[4]
        hidden_BL = self.hide(mask_BLP)
        z_BL, window = self.reconstruct(past_BLP, mask_BLP, static_BS, hidden_BL)
        clip = self.network.config.scaling.clip
        truth_BL = self.network.scaling.to_z(masked(past_BLP[..., 0], mask_BLP[..., 0]), window).clamp(-clip, clip)
        error_BL = truth_BL - z_BL
        error_BL = error_BL.square() if self.error == "squared" else 0.5 * error_BL.abs()
        return torch.where(hidden_BL, error_BL, 0.0).sum() / hidden_BL.sum().clamp(min=1)

    def hide(self, mask_BLP: Tensor) -> Tensor:
        """True where a known load is hidden, (B, L); drawn from torch's random state."""
        (batch, steps), patch = mask_BLP.shape[:2], self.network.patch
        hidden_BS = hidden_spans(batch, -(-steps // patch), self.share, self.span, mask_BLP.device)
        return hidden_BS.repeat_interleave(patch, dim=1)[:, -steps:] & (mask_BLP[..., 0] > 0)

    def reconstruct(
        self, past_BLP: Tensor, mask_BLP: Tensor, static_BS: Tensor, hidden_BL: Tensor
    ) -> tuple[Tensor, Window]:
        """The load at every context step, (B, L), in units of the window's scale, from what is not hidden."""
        network, scaling = self.network, self.network.scaling
        # Level and scale are the whole window's, as in training proper: they are the unit, not the answer.
        window = scaling.window(past_BLP, mask_BLP, static_BS)
        shown_BLP = mask_BLP.masked_fill(hidden_BL.unsqueeze(2) & scaling.past_load_P, 0.0)
        ones_B1 = torch.ones_like(window.level_B1)
        encoded = network._encode(
            scaling.past(past_BLP, shown_BLP, window), shown_BLP, torch.cat([scaling.static(static_BS), ones_B1], dim=1)
        )
        z_BL: Tensor = self.head(encoded.hidden_BLD).flatten(1)
        return z_BL[:, -past_BLP.shape[1] :], window
