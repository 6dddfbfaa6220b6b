"""Same-hour attention and phases: each step sees its own hour of the last days, and minutes inside an hour in turn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from forecast.errors import RecipeError
from forecast.networks.attention import attention_weights
from forecast.networks.configs import (
    AttentionConfig,
    AttentionDecoderConfig,
    DecoderConfig,
    DirectConfig,
    NetworkConfig,
    NoEncoderConfig,
    RecurrentConfig,
    RecurrentDecoderConfig,
    SameHourConfig,
)
from forecast.networks.embedding import look_inside
from forecast.networks.encoded import Encoded
from forecast.networks.network import DemandNetwork, build
from forecast.networks.same_hour import SameHourAttention
from forecast.networks.shape import NetworkShape

LOOKING = DirectConfig(width=8, same_hour=SameHourConfig(days=3, width=8, heads=2))


def inputs(batch: int, context: int, horizon: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    past, future = (torch.randn(batch, steps, 2, generator=generator) for steps in (context, horizon))
    return past, torch.ones_like(past), future, torch.ones_like(future), torch.zeros(batch, 0)


def network(decoder: DecoderConfig, steps_per_hour: int = 1, context: int = 96, **encoder: object) -> DemandNetwork:
    shape = NetworkShape(
        past_columns=2, future_columns=2, context=context * steps_per_hour, horizon=24 * steps_per_hour,
        level_steps=168 * steps_per_hour, steps_per_hour=steps_per_hour, stride=steps_per_hour,
    )  # fmt: skip
    kind = RecurrentConfig.model_validate({"kind": "gru", "width": 6, **encoder}) if encoder else NoEncoderConfig()
    return build(NetworkConfig(encoder=kind, decoder=decoder, highway=None), shape, seed=1).eval()


def test_a_step_moves_with_its_own_hour_of_the_last_days_and_with_no_other() -> None:
    one = network(LOOKING)
    given = inputs(1, 96, 24)
    before = one(*given).detach()
    for back in (24, 48, 72):
        moved = [part.clone() for part in given]
        # Column 1: column 0 would move the window's level, and with it every step.
        moved[0][0, 96 - back + 5, 1] += 3.0
        changed = (one(*moved).detach() - before).abs().amax(dim=(0, 2)) > 1e-6
        assert changed.nonzero().flatten().tolist() == [5]
    moved = [part.clone() for part in given]
    moved[0][0, 96 - 96 + 5, 1] += 3.0
    assert torch.equal(one(*moved).detach(), before), "the fourth day is beyond the three"


def test_weights_lie_on_the_same_hour_and_add_up_to_one() -> None:
    one = network(LOOKING)
    (weights_BNHL,) = attention_weights(one, *inputs(2, 96, 30)).values()
    assert weights_BNHL.shape == (2, 2, 30, 96)
    np.testing.assert_allclose(weights_BNHL.sum(3).numpy(), 1, atol=1e-6)
    for step in (0, 7, 23, 24, 29):
        places = weights_BNHL[0, 0, step].nonzero().flatten().tolist()
        assert places == [24 + step % 24, 48 + step % 24, 72 + step % 24]


def test_unknown_days_and_days_before_the_context_get_no_weight() -> None:
    one = network(LOOKING)
    past, mask, *rest = inputs(1, 60, 24)
    mask[:, 36:60] = 0
    (weights_BNHL,) = attention_weights(one, past, mask, *rest).values()
    assert weights_BNHL[0, 0, 15].nonzero().flatten().tolist() == [60 - 72 + 15, 60 - 48 + 15]
    assert weights_BNHL[0, 0, 5].nonzero().flatten().tolist() == [60 - 48 + 5]
    mask[:] = 0
    (weights_BNHL,) = attention_weights(one, past, mask, *rest).values()
    assert not weights_BNHL.any()
    assert torch.isfinite(one(past, mask, *rest)).all()


def test_it_is_seen_from_inside_as_attention_over_history() -> None:
    one = network(LOOKING, kind="gru")
    given = inputs(2, 96, 24)
    insight = look_inside(one, lambda: one(*given))
    assert insight.attention_BHL is not None
    assert insight.attention_BHL.shape == (2, 24, 96)
    np.testing.assert_allclose(insight.attention_BHL.sum(2), 1, atol=1e-5)


def test_the_same_as_attention_that_is_masked_to_the_hour() -> None:
    torch.manual_seed(0)
    same = SameHourAttention(SameHourConfig(days=2, width=8, heads=2), query_width=5, memory_width=4, day=6).eval()
    torch.nn.init.zeros_(same.lag_KD)
    query, memory = torch.randn(3, 6, 5), torch.randn(3, 12, 4)
    found = same.look(query, Encoded(memory, torch.ones(3, 12), memory[:, -1]))
    q, k, v = (
        part.reshape(3, -1, 2, 4).transpose(1, 2) for part in (same.query(query), same.key(memory), same.value(memory))
    )
    allowed = (torch.arange(12) % 6) == torch.arange(6).unsqueeze(1)
    plain = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
    torch.testing.assert_close(found, same.out(plain.transpose(1, 2).flatten(2)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("score", ["additive", "cosine"])
def test_other_scores_look_at_the_same_hours(score: str) -> None:
    one = network(
        DirectConfig.model_validate({"width": 8, "same_hour": {"days": 3, "width": 8, "heads": 2, "score": score}})
    )
    (weights_BNHL,) = attention_weights(one, *inputs(2, 96, 24)).values()
    np.testing.assert_allclose(weights_BNHL.sum(3).numpy(), 1, atol=1e-6)
    assert weights_BNHL[1, 1, 7].nonzero().flatten().tolist() == [31, 55, 79]


def test_heads_must_divide_its_width() -> None:
    with pytest.raises(RecipeError, match="width 10 with 4 heads"):
        SameHourConfig(width=10, heads=4)


DECODERS = [
    LOOKING,
    DirectConfig(width=8),
    RecurrentDecoderConfig(width=6, bidirectional=True, attention=AttentionConfig(heads=2)),
    RecurrentDecoderConfig(width=6, autoregressive=True),
    AttentionDecoderConfig(width=8, heads=2, causal_self_attention=True),
]


@pytest.mark.parametrize(
    "decoder", DECODERS, ids=lambda one: f"{one.kind} {getattr(one, 'same_hour', None) is not None}"
)
@pytest.mark.parametrize("horizon", [144, 100, 6, 4])
def test_ten_minutes_are_six_interleaved_hourly_forecasts(decoder: DecoderConfig, horizon: int) -> None:
    one = network(decoder, steps_per_hour=6, context=72, kind="gru")
    given = inputs(2, 72 * 6, horizon)
    whole = one(*given).detach()
    assert whole.shape == (2, horizon, 9)
    for phase in range(min(6, horizon)):
        z_BHQ, window = one.scaled(*given, phase=phase)
        torch.testing.assert_close(one.scaling.to_demand(z_BHQ, window), whole[:, phase::6], atol=1e-4, rtol=1e-4)


def test_a_phase_hears_nothing_of_the_other_minutes() -> None:
    one = network(RecurrentDecoderConfig(width=6, bidirectional=True), steps_per_hour=2, context=72, kind="gru")
    given = inputs(1, 144, 48)
    before = one(*given).detach()
    moved = [part.clone() for part in given]
    moved[2][0, 11, 0] += 5.0
    changed = (one(*moved).detach() - before).abs().amax(dim=(0, 2)) > 1e-7
    assert set(changed.nonzero().flatten().tolist()) == set(range(1, 48, 2))


@pytest.mark.parametrize(("patch", "horizon"), [("6h", 4), ("3h", 8), ("2h", 12), ("auto", 24)])
def test_the_first_steps_do_not_depend_on_how_many_are_asked(patch: str, horizon: int) -> None:
    shape = NetworkShape(past_columns=2, future_columns=2, context=96, horizon=horizon, level_steps=168)
    config = NetworkConfig(encoder=NoEncoderConfig(), decoder=LOOKING, highway=None, patch=patch)
    one = build(config, shape, seed=1).eval()
    past, mask, future, future_mask, static = inputs(2, 96, horizon + 1)
    whole = one(past, mask, future, future_mask, static)
    short = one(past, mask, future[:, :horizon], future_mask[:, :horizon], static)
    torch.testing.assert_close(whole[:, :horizon], short)


def test_a_patch_that_does_not_divide_a_day_is_refused() -> None:
    shape = NetworkShape(past_columns=2, future_columns=2, context=96, horizon=24, level_steps=168)
    with pytest.raises(RecipeError, match="same-hour attention over encoder steps that do not divide a day"):
        build(NetworkConfig(encoder=NoEncoderConfig(), decoder=LOOKING, highway=None, patch="5h"), shape, seed=1)


def test_attention_inside_an_hour_is_told_lead_by_lead() -> None:
    one = network(LOOKING, steps_per_hour=2, context=96, kind="gru")
    given = inputs(1, 192, 48)
    insight = look_inside(one, lambda: one(*given))
    assert insight.attention_BHL is not None
    hours = insight.attention_BHL[0].argmax(1) % 24
    assert hours.tolist() == [lead // 2 for lead in range(48)]
