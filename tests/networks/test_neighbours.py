"""What a series hears of the others: known ones only, weighed by who they are."""

from __future__ import annotations

import pytest
import torch

from forecast.networks.configs import DirectConfig, NeighboursConfig, NetworkConfig, NoEncoderConfig
from forecast.networks.neighbours import Neighbours
from forecast.networks.network import DemandNetwork, build
from forecast.networks.shape import NetworkShape


def peers(batch: int = 4, series: int = 3, columns: int = 2) -> torch.Tensor:
    states = torch.randn(batch, series, columns, generator=torch.Generator().manual_seed(0))
    own = torch.nn.functional.one_hot(torch.arange(batch) % series, series).float()
    return torch.cat([states, own.unsqueeze(2)], dim=2)


def part(hidden: float = 0.0) -> Neighbours:
    torch.manual_seed(1)
    return Neighbours(NeighboursConfig(heads=2, width=4, embedding=3, hidden=hidden), series=3, columns=2)


def test_weights_belong_to_who_asks_and_add_up_to_one_over_the_known() -> None:
    one, told = part(), peers()
    told[0, 1, :2] = torch.nan
    known = told[..., :2].isfinite().any(2)
    weights = one.weights(told[..., -1], known)
    torch.testing.assert_close(weights.sum(2), torch.ones(4, 2))
    assert not weights[0, :, 1].any()
    torch.testing.assert_close(weights[3, :, 0] / weights[3, :, 2], weights[0, :, 0] / weights[0, :, 2])
    assert not torch.allclose(weights[1], weights[2])


def test_an_unknown_neighbour_changes_no_bit_whatever_stands_there() -> None:
    one, told = part(), peers()
    told[:, 2, :2] = torch.nan
    silent = one(told)
    told[:, 2, 0] = torch.inf
    assert torch.equal(one(told), silent)
    assert torch.isfinite(silent).all()


def test_nobody_known_is_heard_as_nothing_and_a_stranger_hears_all_alike() -> None:
    one, told = part(), peers()
    told[..., :2] = torch.nan
    heard = one(told)
    torch.testing.assert_close(heard[:, 3:], torch.zeros(4, 4))
    stranger = peers()
    stranger[..., -1] = 0
    torch.testing.assert_close(
        one.weights(stranger[..., -1], torch.ones(4, 3, dtype=torch.bool)), torch.full((4, 2, 3), 1 / 3)
    )
    torch.testing.assert_close(one(stranger)[:, :3], torch.zeros(4, 3))


def test_some_windows_hear_nobody_and_some_do_not_know_themselves_while_it_learns() -> None:
    told = peers(batch=4000)
    torch.manual_seed(2)
    one = part(hidden=0.2).train()
    own, known = told[..., -1], torch.ones(4000, 3, dtype=torch.bool)
    shown, heard = one._shown(own, known)
    alone = (heard == (own > 0)).all(1).float().mean().item()
    stranger = (shown.sum(1) == 0).float().mean().item()
    nobody = (~heard).all(1).float().mean().item()
    assert alone == pytest.approx(0.2, abs=0.03)
    assert stranger == pytest.approx(0.2, abs=0.03)
    assert nobody == pytest.approx(0.1, abs=0.03)
    assert not (heard & (own > 0))[shown.sum(1) == 0].any(), "a stranger does not hear itself either"
    assert torch.equal(one.eval()._shown(own, known)[1], known)


def network(series: int, neighbours: bool = True) -> DemandNetwork:
    shape = NetworkShape(
        past_columns=1, future_columns=1, context=24, horizon=3, level_steps=24, peers=series, peer_columns=2
    )
    config = NetworkConfig.model_validate({
        "encoder": NoEncoderConfig(), "decoder": DirectConfig(width=8), "highway": False,
        "neighbours": {} if neighbours else False,
    })  # fmt: skip
    return build(config, shape, seed=3).eval()


def windows() -> list[torch.Tensor]:
    past, future = torch.randn(4, 24, 1), torch.randn(4, 3, 1)
    return [past, torch.ones_like(past), future, torch.ones_like(future), torch.zeros(4, 0)]


def test_a_network_of_several_series_hears_them_and_answers_without_them() -> None:
    one, given, told = network(3), windows(), peers()
    before = one(*given, told)
    louder = told.clone()
    louder[:, 1, 0] += 2
    assert ((one(*given, louder) - before).abs().amax((1, 2)) > 1e-7).all()
    nobody = torch.cat([torch.full((4, 3, 2), torch.nan), torch.zeros(4, 3, 1)], dim=2)
    torch.testing.assert_close(one(*given), one(*given, nobody))


def test_one_series_alone_and_a_recipe_without_neighbours_have_no_such_weights() -> None:
    assert network(0).neighbours is None
    assert network(3, False).neighbours is None
    given = windows()
    assert network(0)(*given, torch.zeros(4, 0, 3)).shape == (4, 3, 9)
