"""The share of taught steps reaches an autoregressive network."""

import pytest
import torch

from forecast.networks.configs import NetworkConfig
from forecast.networks.network import DemandNetwork, build
from forecast.networks.recurrent import RecurrentDecoder
from forecast.networks.shape import NetworkShape

SHAPE = NetworkShape(past_columns=1, future_columns=1, context=24, horizon=8, level_steps=24)


def network(schedule: str) -> DemandNetwork:
    decoder = {
        "kind": "recurrent", "width": 6, "autoregressive": True, "teacher_forcing": 1.0, "forcing_schedule": schedule,
    }  # fmt: skip
    return build(NetworkConfig.model_validate({"decoder": decoder, "highway": None}), SHAPE, seed=0).train()


def moved(one: DemandNetwork, epoch: int) -> float:
    """How far the truth moves what is said in an epoch of three."""
    assert isinstance(one.decoder, RecurrentDecoder)
    one.decoder.teach(epoch, 3)
    draw = torch.Generator().manual_seed(0)
    past, future = 50 + torch.randn(64, 24, 1, generator=draw), torch.randn(64, 8, 1, generator=draw)
    inputs = (past, torch.ones_like(past), future, torch.ones_like(future), torch.zeros(64, 0))
    said = []
    for truth in (45.0, 55.0):
        torch.manual_seed(1)
        said.append(one(*inputs, targets_BH=torch.full((64, 8), truth)))
    return float((said[0] - said[1]).detach().abs().mean())


@pytest.mark.parametrize("schedule", ["linear", "inverse-sigmoid"])
def test_a_falling_share_hears_less_and_less_of_the_truth(schedule: str) -> None:
    one = network(schedule)
    heard = [moved(one, epoch) for epoch in range(3)]
    assert heard[0] > heard[1] > heard[2]
    assert (heard[2] == 0) is (schedule == "linear")


def test_a_constant_share_hears_the_same_in_every_epoch() -> None:
    one = network("constant")
    assert moved(one, 0) == moved(one, 1) == moved(one, 2) > 0
