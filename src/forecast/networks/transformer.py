"""Transformer encoder and decoder, pre-norm, on one time line whose zero is the cutoff."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from forecast.networks.attention import MultiHeadAttention, sinusoid
from forecast.networks.configs import AttentionDecoderConfig, ScoreKind, TransformerConfig
from forecast.networks.encoded import Encoded


class FeedForward(nn.Sequential):
    """Width → twice the width → width with GELU, at each position by itself."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width))


class TransformerEncoderLayer(nn.Module):
    """x + attend(norm x), then x + feed(norm x). Source: Xiong et al. 2020, arXiv 2002.04745 (pre-norm).

    Shapes: `x_BLD`, `mask_BL` to `(B, L, D)`.
    """

    def __init__(self, width: int, heads: int, kind: ScoreKind, dropout: float) -> None:
        super().__init__()
        self.attention, self.feed = MultiHeadAttention(width, heads, kind), FeedForward(width, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BLD: Tensor, mask_BL: Tensor | None, *, causal: bool) -> Tensor:
        normed_BLD = self.norms[0](x_BLD)
        x_BLD = x_BLD + self.dropout(self.attention(normed_BLD, normed_BLD, mask_BL, causal=causal)[0])
        return x_BLD + self.dropout(self.feed(self.norms[1](x_BLD)))  # type: ignore[no-any-return]


class TransformerDecoderLayer(nn.Module):
    """Self-attention over the horizon, cross-attention to the encoder, then the feed-forward part, all pre-norm.

    Shapes: `x_BHD`, `memory_BLM`, `mask_BL` to `(B, H, D)`.
    """

    def __init__(self, width: int, memory_width: int, heads: int, kind: ScoreKind, dropout: float) -> None:
        super().__init__()
        self.own = MultiHeadAttention(width, heads, kind)
        self.cross = MultiHeadAttention(width, heads, kind, memory_width=memory_width)
        self.feed = FeedForward(width, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BHD: Tensor, memory_BLM: Tensor, mask_BL: Tensor, *, causal: bool) -> Tensor:
        normed_BHD = self.norms[0](x_BHD)
        x_BHD = x_BHD + self.dropout(self.own(normed_BHD, normed_BHD, causal=causal)[0])
        x_BHD = x_BHD + self.dropout(self.cross(self.norms[1](x_BHD), memory_BLM, mask_BL)[0])
        return x_BHD + self.dropout(self.feed(self.norms[2](x_BHD)))  # type: ignore[no-any-return]


class TransformerEncoder(nn.Module):
    """A Transformer over the observed window; padded steps are never attended to.

    Shapes: `x_BLC`, `mask_BL`, `static_BS` to `Encoded`. Positions count back from the cutoff (−1 is the newest step),
    so a shorter context keeps its meaning. The static columns are added to every step; the state is the newest step's.
    """

    def __init__(self, config: TransformerConfig, columns: int, static_columns: int) -> None:
        super().__init__()
        self.width, self.causal = config.width, config.causal
        self.embed, self.start = nn.Linear(columns, config.width), nn.Linear(static_columns, config.width)
        self.layers = nn.ModuleList(
            TransformerEncoderLayer(config.width, config.heads, config.score, config.dropout)
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)

    def forward(self, x_BLC: Tensor, mask_BL: Tensor, static_BS: Tensor) -> Encoded:
        lag_L = torch.arange(-x_BLC.shape[1], 0, device=x_BLC.device)
        hidden_BLD = self.embed(x_BLC) + self.start(static_BS).unsqueeze(1) + sinusoid(lag_L, self.width)
        for layer in self.layers:
            hidden_BLD = layer(hidden_BLD, mask_BL, causal=self.causal)
        hidden_BLD = self.norm(hidden_BLD)
        return Encoded(hidden_BLD, mask_BL, hidden_BLD[:, -1])


class AttentionDecoder(nn.Module):
    """A Transformer decoder whose queries are the horizon's known inputs.

    Shapes: `encoded`, `known_BHK`, `static_BS` to `(B, H, D)`; H may be any length. Step h stands at h / (context steps
    of one encoder step) on the encoder's time line.
    """

    def __init__(
        self, config: AttentionDecoderConfig, encoder_width: int, known_columns: int, static_columns: int
    ) -> None:
        super().__init__()
        self.width, self.causal = config.width, config.causal_self_attention
        self.embed = nn.Linear(known_columns, config.width)
        self.start = nn.Linear(encoder_width + static_columns, config.width)
        self.layers = nn.ModuleList(
            TransformerDecoderLayer(config.width, encoder_width, config.heads, config.score, config.dropout)
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)

    def forward(self, encoded: Encoded, known_BHK: Tensor, static_BS: Tensor) -> Tensor:
        lead_H = encoded.lead(known_BHK.shape[1]) / encoded.step
        start_BD = self.start(torch.cat([encoded.state_BD, static_BS], dim=1))
        x_BHD = self.embed(known_BHK) + start_BD.unsqueeze(1) + sinusoid(lead_H, self.width)
        for layer in self.layers:
            x_BHD = layer(x_BHD, encoded.hidden_BLD, encoded.mask_BL, causal=self.causal)
        normed_BHD: Tensor = self.norm(x_BHD)
        return normed_BHD
