"""Weights handed from one network to another."""

import numpy as np
import torch

from forecast.networks.arrays import state_arrays
from forecast.networks.configs import NetworkConfig
from forecast.networks.network import DemandNetwork, build
from forecast.networks.shape import NetworkShape
from forecast.networks.warmstart import start_from


def network(width: int = 6, decoder: int = 8, future: int = 2, seed: int = 0) -> DemandNetwork:
    config = {"encoder": {"kind": "gru", "width": width}, "decoder": {"kind": "direct", "width": decoder}}
    shape = NetworkShape(past_columns=1, future_columns=future, context=12, horizon=3, hour_columns=(0, 2))
    return build(NetworkConfig.model_validate(config), shape, seed)


def test_the_same_network_is_taken_whole() -> None:
    old, new = network(seed=1), network(seed=2)
    started = start_from(new, state_arrays(old))
    assert set(started.taken) == set(new.state_dict())
    assert started.left == started.fresh == ()
    assert all(np.array_equal(array, state_arrays(new)[name]) for name, array in state_arrays(old).items())


def test_what_does_not_fit_is_named_and_left() -> None:
    old, new = network(decoder=8, seed=1), network(decoder=9, seed=2)
    own = state_arrays(new)
    offered = {**state_arrays(old), "stranger": np.ones(3, np.float32)}
    started = start_from(new, offered)
    assert "stranger" in started.left
    assert all(name.startswith(("decoder.", "head.", "stranger")) for name in started.left)
    assert set(started.fresh) == set(started.left) - {"stranger"}
    for name, array in state_arrays(new).items():
        assert np.array_equal(array, own[name] if name in started.fresh else offered[name]), name
    assert any(name.startswith("encoder.") for name in started.taken)


def test_another_number_type_is_left() -> None:
    one = torch.nn.Linear(2, 1)
    offered = {"weight": np.ones((1, 2)), "bias": np.zeros(1, np.float32)}
    assert start_from(one, offered) == (("bias",), ("weight",), ("weight",))


def test_the_arrays_stay_the_callers() -> None:
    one, offered = torch.nn.Linear(1, 1), {"weight": np.ones((1, 1), np.float32)}
    start_from(one, offered)
    with torch.no_grad():
        one.weight.add_(1)
    assert offered["weight"][0, 0] == 1
