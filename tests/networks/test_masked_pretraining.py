"""What is hidden, and how its reconstruction is judged."""

import pytest
import torch
from torch import Tensor

from forecast.networks.configs import NetworkConfig
from forecast.networks.hiding import hidden_spans, hide_history
from forecast.networks.network import DemandNetwork, build
from forecast.networks.pretraining import Reconstruction
from forecast.networks.shape import NetworkShape

SHAPE = NetworkShape(
    past_columns=3, future_columns=4, static_columns=1, context=50, horizon=4, past_load_columns=(0, 2),
    future_load_columns=(3,), hour_columns=(0, 2), level_steps=24, steps_per_hour=2,
)  # fmt: skip


def network(**encoder: object) -> DemandNetwork:
    config = NetworkConfig.model_validate({"encoder": {"kind": "gru", "width": 6, **encoder}})
    one = build(config, SHAPE, seed=0)
    one.scaling.fit([inputs(seed=9)])
    return one


def inputs(batch: int = 6, steps: int = 50, seed: int = 0) -> list[Tensor]:
    draw = torch.Generator().manual_seed(seed)
    past, future = 100 + torch.randn(batch, steps, 3, generator=draw), torch.randn(batch, 4, 4, generator=draw)
    mask = (torch.rand(past.shape, generator=draw) > 0.2).float()
    return [past, mask, future, torch.ones_like(future), torch.randn(batch, 1, generator=draw)]


@pytest.mark.parametrize(("share", "span"), [(0.25, 24), (0.5, 12), (0.1, 1), (0.15, 24)])
def test_about_the_share_is_hidden_in_stretches(share: float, span: int) -> None:
    torch.manual_seed(0)
    hidden_BS = hidden_spans(4000, 168, share, span)
    assert hidden_BS.float().mean().item() == pytest.approx(share, abs=0.03)
    assert hidden_BS.any(1).all()
    edges_B = (hidden_BS.float().diff(dim=1, prepend=torch.zeros(4000, 1)) == 1).sum(1)
    lengths = hidden_BS.sum(1) / edges_B
    assert (lengths >= span).all()  # overlapping stretches are longer, none is shorter


@pytest.mark.parametrize(("steps", "span"), [(1, 1), (2, 24), (5, 24), (48, 24)])
def test_never_a_whole_window(steps: int, span: int) -> None:
    torch.manual_seed(0)
    hidden_BS = hidden_spans(500, steps, 0.9, span)
    assert not hidden_BS.all(1).any()
    assert hidden_BS.any() or steps == 1


def test_hidden_loads_are_not_read_and_other_columns_are() -> None:
    torch.manual_seed(0)
    pretraining, (past, mask, _, _, static) = Reconstruction(network(bidirectional=True), 0.4, 6), inputs()
    hidden_BL = pretraining.hide(mask)
    before, _ = pretraining.reconstruct(past, mask, static, hidden_BL)
    assert before.shape == (6, 50)
    for one in range(6):  # the level and the scale are the whole window's: hidden loads change places, they stay
        places = hidden_BL[one, :26].nonzero().flatten()
        moved = past.clone()
        moved[one, places, 0] = past[one, places.flip(0), 0]
        assert torch.equal(moved, past) is (len(places) < 2)
        torch.testing.assert_close(pretraining.reconstruct(moved, mask, static, hidden_BL)[0], before)
    moved = past.clone()
    moved[..., 2] += 50.0 * hidden_BL
    after, _ = pretraining.reconstruct(moved, mask, static, hidden_BL)
    assert torch.equal(before, after)
    moved = past.clone()
    moved[..., 1] += 5.0 * hidden_BL
    assert not torch.equal(pretraining.reconstruct(moved, mask, static, hidden_BL)[0], before)


def test_only_hidden_known_loads_count() -> None:
    pretraining, batch = Reconstruction(network(), 0.4, 6), inputs()
    torch.manual_seed(3)
    hidden_BL = pretraining.hide(batch[1])
    assert hidden_BL.any()
    assert not (hidden_BL & (batch[1][..., 0] == 0)).any()
    torch.manual_seed(3)
    loss = pretraining.loss(batch)
    z_BL, window = pretraining.reconstruct(batch[0], batch[1], batch[4], hidden_BL)
    wanted = ((batch[0][..., 0] - window.level_B1) / window.scale_B1 - z_BL)[hidden_BL].square().mean()
    torch.testing.assert_close(loss, wanted)
    for poison in (float("nan"), 1e9):
        torch.manual_seed(3)
        dirty = [batch[0].masked_fill(batch[1] == 0, poison), *batch[1:]]
        assert torch.equal(pretraining.loss(dirty), loss)


def test_the_pinball_loss_of_the_median_is_half_the_absolute_error() -> None:
    batch, losses = inputs(), []
    one = Reconstruction(network(), 0.4, 6, "pinball")
    torch.manual_seed(3)
    losses.append(one.loss(batch))
    torch.manual_seed(3)
    hidden_BL = one.hide(batch[1])
    z_BL, window = one.reconstruct(batch[0], batch[1], batch[4], hidden_BL)
    error_BL = (batch[0][..., 0] - window.level_B1) / window.scale_B1 - z_BL
    torch.testing.assert_close(losses[0], 0.5 * error_BL[hidden_BL].abs().mean())


@pytest.mark.parametrize("encoder", [{}, {"kind": "convolution"}, {"kind": "transformer", "heads": 2}])
def test_the_encoder_learns_and_nothing_else_does(encoder: dict[str, object]) -> None:
    one = network(**encoder)
    pretraining = Reconstruction(one, 0.3, 6)
    pretraining.loss(inputs(steps=49)).backward()
    for name, weight in one.named_parameters():
        assert (weight.grad is not None) == name.startswith("encoder."), name
    assert pretraining.head.weight.grad is not None


def test_the_head_depends_on_the_seed_alone() -> None:
    state, one = torch.get_rng_state(), network()
    first, again, other = (Reconstruction(one, 0.3, 6, seed=seed).head.weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(state, torch.get_rng_state())


def test_a_hidden_history_leaves_calendar_weather_and_static() -> None:
    torch.manual_seed(0)
    peers_BSD = torch.tensor([[0.5, 1.0], [0.25, 0.0]]).expand(400, -1, -1)
    batch, scaling = [*inputs(batch=400), peers_BSD], network().scaling
    past, past_mask, future, future_mask, static, peers = hide_history(batch, 0.3, scaling)
    unseen_B = (past_mask[..., [0, 2]] == 0).all((1, 2))
    assert unseen_B.float().mean().item() == pytest.approx(0.3, abs=0.06)
    assert torch.equal(past_mask[..., 1], batch[1][..., 1])
    assert torch.equal(future_mask[..., :3], batch[3][..., :3])
    assert torch.equal(future_mask[:, 0, 3] == 0, unseen_B)
    assert torch.equal(past_mask[~unseen_B], batch[1][~unseen_B])
    assert past is batch[0]
    assert future is batch[2]
    assert static is batch[4]
    # Such a meter is none of the learned series: what its own slot would say is unknown, the neighbour is heard.
    assert peers[unseen_B, 0, 0].isnan().all()
    assert not peers[unseen_B, :, 1].any()
    assert (peers[:, 1, 0] == 0.25).all()
    assert torch.equal(peers[~unseen_B], peers_BSD[~unseen_B])
