"""Attention: scores, weights, heads, masks and positions."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from forecast.networks.configs import ScoreKind


class ScaledDotScore(nn.Module):
    """q·k / √E. Shapes: `query_BNHE`, `key_BNLE` to `(B, N, H, L)`. Source: Vaswani et al. 2017, arXiv 1706.03762."""

    def forward(self, query_BNHE: Tensor, key_BNLE: Tensor) -> Tensor:
        scores_BNHL: Tensor = query_BNHE @ key_BNLE.transpose(-2, -1) * query_BNHE.shape[-1] ** -0.5
        return scores_BNHL


class CosineScore(nn.Module):
    """cos(q, k) · sharpness, the sharpness learned from its start value: cosines alone barely move a softmax.

    Shapes: `query_BNHE`, `key_BNLE` to `(B, N, H, L)`. Source: Graves et al. 2014, arXiv 1410.5401, equations 5 and 6.
    """

    def __init__(self, sharpness: float = 1.0) -> None:
        super().__init__()
        self.log_sharpness = nn.Parameter(torch.tensor([log(sharpness)]))

    def forward(self, query_BNHE: Tensor, key_BNLE: Tensor) -> Tensor:
        cosine_BNHL: Tensor = normalize(query_BNHE, dim=-1) @ normalize(key_BNLE, dim=-1).transpose(-2, -1)
        return cosine_BNHL * self.log_sharpness.exp()


class AdditiveScore(nn.Module):
    """v · tanh(W q + U k), shared by the heads.

    Shapes: `query_BNHE`, `key_BNLE` to `(B, N, H, L)`; it holds B·N·H·L·E numbers on the way.
    Source: Bahdanau et al. 2014, arXiv 1409.0473, appendix A.1.2.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.v_E = nn.Parameter(torch.empty(width).uniform_(-(width**-0.5), width**-0.5))

    def forward(self, query_BNHE: Tensor, key_BNLE: Tensor) -> Tensor:
        joined_BNHLE: Tensor = self.query(query_BNHE).unsqueeze(3) + self.key(key_BNLE).unsqueeze(2)
        return torch.tanh(joined_BNHLE) @ self.v_E


def score(kind: ScoreKind, width: int) -> ScaledDotScore | CosineScore | AdditiveScore:
    """The score of a name, for heads of `width`."""
    if kind == "cosine":
        return CosineScore(sharpness=8.0)
    return AdditiveScore(width) if kind == "additive" else ScaledDotScore()


def masked_softmax(scores: Tensor, allowed: Tensor | None) -> Tensor:
    """Softmax over the last axis where `allowed`; a row that is allowed nothing gets zeros, not NaN."""
    if allowed is None:
        return scores.softmax(-1)
    # The lowest finite number: minus infinity makes a row without any key NaN.
    floor = torch.full((), torch.finfo(scores.dtype).min, dtype=scores.dtype, device=scores.device)
    return torch.where(allowed, torch.where(allowed, scores, floor).softmax(-1), torch.zeros_like(scores))


def weigh(weights: Tensor, values: Tensor) -> Tensor:
    """Weighted sums of values. Shapes: `(..., H, L)` and `(..., L, E)` to `(..., H, E)`."""
    return weights @ values


def causal_mask(length: int, device: torch.device | None = None) -> Tensor:
    """True where position t (row) may see position s (column): s <= t. Shape (T, T)."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()


def sinusoid(position_T: Tensor, width: int) -> Tensor:
    """sin(pos / 10000^(2i/width)) at even places, cos at odd places. Shape (T, width); positions may be any number.

    Source: Vaswani et al. 2017, arXiv 1706.03762, section 3.5.

    >>> sinusoid(torch.zeros(1), 4).tolist()
    [[0.0, 1.0, 0.0, 1.0]]
    """
    even_I = torch.arange(0, width, 2, device=position_T.device, dtype=torch.float32)
    angle_TI = position_T.float().unsqueeze(1) * torch.exp(even_I * (-log(10000.0) / width))
    return torch.stack([angle_TI.sin(), angle_TI.cos()], dim=2).flatten(1)[:, :width]


class MultiHeadAttention(nn.Module):
    """Several heads of softmax(score(Q, K)) V with one output projection.

    Shapes: `query_BHD` asks `memory_BLM`; `mask_BL` is 1 where the memory may be seen; `causal` (self-attention) lets
    position t see positions <= t. Returns `(B, H, D)` and the weights `(B, N, H, L)`. Where nothing may be seen the
    weights are zero and the answer is the output projection's bias.

    >>> out, weights = MultiHeadAttention(4, 2)(torch.zeros(1, 3, 4), torch.zeros(1, 5, 4))
    >>> out.shape, weights.shape
    (torch.Size([1, 3, 4]), torch.Size([1, 2, 3, 5]))
    """

    def __init__(self, width: int, heads: int, kind: ScoreKind = "scaled_dot", memory_width: int | None = None) -> None:
        super().__init__()
        memory_width = width if memory_width is None else memory_width
        self.heads = heads
        self.query, self.key = nn.Linear(width, width), nn.Linear(memory_width, width)
        self.value, self.out = nn.Linear(memory_width, width), nn.Linear(width, width)
        self.score = score(kind, width // heads)

    def forward(
        self, query_BHD: Tensor, memory_BLM: Tensor, mask_BL: Tensor | None = None, *, causal: bool = False
    ) -> tuple[Tensor, Tensor]:
        query_BNHE, key_BNLE = self._split(self.query(query_BHD)), self._split(self.key(memory_BLM))
        scores_BNHL = self.score(query_BNHE, key_BNLE)
        allowed = None if mask_BL is None else (mask_BL > 0)[:, None, None, :].expand_as(scores_BNHL)
        if causal:
            seen = causal_mask(query_BHD.shape[1], query_BHD.device)
            allowed = seen.expand_as(scores_BNHL) if allowed is None else allowed & seen
        weights_BNHL = masked_softmax(scores_BNHL, allowed)
        mixed_BNHE = weigh(weights_BNHL, self._split(self.value(memory_BLM)))
        return self.out(mixed_BNHE.transpose(1, 2).flatten(2)), weights_BNHL

    def _split(self, x_BTD: Tensor) -> Tensor:
        return x_BTD.reshape(*x_BTD.shape[:2], self.heads, -1).transpose(1, 2)


def attention_weights(network: nn.Module, *inputs: Tensor) -> dict[str, Tensor]:
    """The attention weights of one call, by the name of each attention part; for explanations.

    Shapes: each (B, N, H, L). A part that is called for every step (an autoregressive decoder) gives its steps joined
    along H. The network is used as it is: call `eval()` first.
    """
    seen: dict[str, list[Tensor]] = {}
    hooks = []
    for name, part in network.named_modules():
        if isinstance(part, MultiHeadAttention):
            seen[name] = []
            hooks.append(part.register_forward_hook(lambda _m, _i, out, kept=seen[name]: kept.append(out[1].detach())))
    try:
        with torch.no_grad():
            network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: torch.cat(weights, dim=2) for name, weights in seen.items() if weights}
