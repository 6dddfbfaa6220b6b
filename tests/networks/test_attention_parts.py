"""Attention: masks, scores, positions, weights for explanations."""

import pytest
import torch

from forecast.networks.attention import (
    AdditiveScore,
    CosineScore,
    MultiHeadAttention,
    ScaledDotScore,
    attention_weights,
    causal_mask,
    masked_softmax,
    sinusoid,
)

KINDS = ("scaled_dot", "additive", "cosine")


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_shares_of_what_may_be_seen(kind: str) -> None:
    torch.manual_seed(0)
    attention = MultiHeadAttention(8, 2, kind, memory_width=5)
    mask_BL = torch.tensor([[1.0, 1, 0, 1], [0, 0, 0, 0]])
    out_BHD, weights_BNHL = attention(torch.randn(2, 3, 8), torch.randn(2, 4, 5), mask_BL)
    assert out_BHD.shape == (2, 3, 8)
    assert weights_BNHL.shape == (2, 2, 3, 4)
    torch.testing.assert_close(weights_BNHL[0].sum(-1), torch.ones(2, 3))
    assert (weights_BNHL[0, ..., 2] == 0).all()
    assert (weights_BNHL[1] == 0).all()
    torch.testing.assert_close(out_BHD[1], attention.out.bias.expand(3, 8))


@pytest.mark.parametrize("kind", KINDS)
def test_rows_without_a_key_leave_gradients_finite(kind: str) -> None:
    attention = MultiHeadAttention(4, 2, kind)
    out_BHD, _ = attention(torch.randn(1, 3, 4), torch.randn(1, 3, 4), torch.zeros(1, 3))
    out_BHD.square().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in attention.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_a_position_sees_itself_and_the_past(kind: str) -> None:
    torch.manual_seed(1)
    attention, x_BTD = MultiHeadAttention(8, 2, kind), torch.randn(1, 6, 8)
    moved_BTD = x_BTD.clone()
    moved_BTD[:, 4:] += 1.0
    before, weights_BNHL = attention(x_BTD, x_BTD, causal=True)
    after, _ = attention(moved_BTD, moved_BTD, causal=True)
    assert (weights_BNHL.triu(1) == 0).all()
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.equal(before[:, 4:], after[:, 4:])
    free, _ = attention(moved_BTD, moved_BTD)
    assert not torch.equal(free[:, :4], attention(x_BTD, x_BTD)[0][:, :4])


def test_causal_mask() -> None:
    assert causal_mask(3).tolist() == [[True, False, False], [True, True, False], [True, True, True]]


def test_additive_score_is_its_equation() -> None:
    torch.manual_seed(2)
    score, q, k = AdditiveScore(4), torch.randn(1, 1, 2, 4), torch.randn(1, 1, 3, 4)
    scores_HL = score(q, k)[0, 0]
    for h in range(2):
        for s in range(3):
            wanted = score.v_E @ torch.tanh(score.query(q[0, 0, h]) + score.key(k[0, 0, s]))
            torch.testing.assert_close(scores_HL[h, s], wanted)


def test_scores_share_one_signature() -> None:
    q, k = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 6, 5)
    for score in (ScaledDotScore(), CosineScore(), AdditiveScore(5)):
        assert score(q, k).shape == (2, 3, 4, 6)


def test_half_precision_masks_stay_finite() -> None:
    for dtype in (torch.float16, torch.bfloat16):
        weights = masked_softmax(torch.zeros(2, 2, dtype=dtype), torch.tensor([[True, False], [False, False]]))
        assert weights.tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_positions_may_be_odd_in_width_and_any_number() -> None:
    assert sinusoid(torch.tensor([-3.0, 0.5]), 5).shape == (2, 5)
    half = torch.tensor([0.5])
    torch.testing.assert_close(sinusoid(half, 2), torch.stack([half.sin(), half.cos()], dim=1))


def test_weights_of_a_call_can_be_read() -> None:
    class Two(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = MultiHeadAttention(4, 1), MultiHeadAttention(4, 2)

        def forward(self, x_BTD: torch.Tensor) -> torch.Tensor:
            x_BTD, _ = self.one(x_BTD, x_BTD)
            return torch.cat([self.two(x_BTD[:, t : t + 1], x_BTD)[0] for t in range(3)], dim=1)

    network, x_BTD = Two(), torch.randn(2, 3, 4)
    weights = attention_weights(network, x_BTD)
    assert {name: tuple(w.shape) for name, w in weights.items()} == {"one": (2, 1, 3, 3), "two": (2, 2, 3, 3)}
    torch.testing.assert_close(weights["one"], network.one(x_BTD, x_BTD)[1])
    assert not network.one._forward_hooks
