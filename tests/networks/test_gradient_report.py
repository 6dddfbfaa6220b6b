"""The gradient report."""

import numpy as np
import pytest
import torch

from forecast.networks.configs import NetworkConfig
from forecast.networks.gradients import first_step, gradient_by_lag, name_gradients
from forecast.networks.network import DemandNetwork, build
from forecast.networks.shape import NetworkShape

SHAPE = NetworkShape(past_columns=1, future_columns=1, context=96, horizon=4, steps_per_hour=2, level_steps=48)


def network(**encoder: object) -> DemandNetwork:
    config = {"encoder": {"kind": "rnn", "width": 8, **encoder}, "highway": None}
    return build(NetworkConfig.model_validate(config), SHAPE, seed=0)


def batch(targets: bool = True) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    past, future = 50 + torch.randn(6, 96, 1, generator=draw), torch.randn(6, 4, 1, generator=draw)
    y_BH = 50 + torch.randn(6, 4, generator=draw)
    return [past, torch.ones_like(past), future, torch.ones_like(future), torch.zeros(6, 0), torch.zeros(6, 0, 1), y_BH]


def with_recurrent_weight(one: DemandNetwork, factor: float) -> DemandNetwork:
    """A recurrence that multiplies by `factor`, kept in tanh's straight part."""
    kernel = one.encoder.layers[0].kernel
    with torch.no_grad():
        kernel.weight_hh_l0.copy_(factor * torch.eye(8))
        kernel.weight_ih_l0.mul_(1e-9)
        one.encoder.layers[0].start.weight.zero_()
        one.encoder.layers[0].start.bias.zero_()
    return one


@pytest.mark.parametrize(("factor", "name"), [(0.5, "vanishing"), (1.0, "healthy"), (1.5, "exploding")])
def test_the_report_follows_the_recurrent_weight(factor: float, name: str) -> None:
    norms_L = gradient_by_lag(with_recurrent_weight(network(), factor), batch())
    assert norms_L.shape == (48,)  # 96 half hours are 48 encoder steps
    np.testing.assert_allclose(norms_L[1:20] / norms_L[:19], factor, rtol=0.05)
    assert name_gradients(norms_L) == name


def test_the_report_is_the_gradient_by_finite_difference() -> None:
    one = network(kind="gru").double().eval()
    data = [tensor.double()[:1] for tensor in batch()]
    norms_L, step, lag = gradient_by_lag(one, data), 1e-6, 3

    def loss(channel: int, by: float) -> float:
        def push(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
            moved = inputs[0].clone()
            moved[:, -1 - lag, channel] += by
            return (moved, *inputs[1:])

        hook = one.encoder.register_forward_pre_hook(push)
        with torch.no_grad():
            z_BHQ, window = one.scaled(*data[:5])
        hook.remove()
        error = one.scaling.to_z(data[6], window).unsqueeze(2) - z_BHQ
        level = torch.tensor(SHAPE.quantiles)
        return float(torch.maximum(level * error, (level - 1) * error).mean())

    slopes = [(loss(channel, step) - loss(channel, -step)) / (2 * step) for channel in range(4)]
    assert norms_L[lag] == pytest.approx(np.linalg.norm(slopes), rel=1e-3)


def test_the_report_leaves_the_network_as_it_was() -> None:
    one = network(kind="lstm", dropout=0.5, layers=2).train()
    gradient_by_lag(one, batch())
    assert one.training
    assert all(parameter.grad is None for parameter in one.parameters())
    assert not one.encoder._forward_pre_hooks


def test_truncation_shows_in_the_report() -> None:
    norms_L = gradient_by_lag(network(kind="gru", truncate=10), batch())
    assert (norms_L[:10] > 0).all()
    assert (norms_L[10:] == 0).all()


def test_unknown_targets_count_for_nothing() -> None:
    data = batch()
    mask_BH = torch.ones(6, 4)
    mask_BH[:, 2] = 0
    hidden = data[6].clone()
    hidden[:, 2] = float("nan")
    poisoned = data[6].clone()
    poisoned[:, 2] = 1e9
    by_nan = gradient_by_lag(network(), [*data[:6], hidden])
    np.testing.assert_array_equal(by_nan, gradient_by_lag(network(), [*data[:6], poisoned, mask_BH]))
    assert (by_nan != gradient_by_lag(network(), data)).any()


def test_an_encoder_that_nothing_asks_has_no_gradient() -> None:
    one = build(NetworkConfig.model_validate({"encoder": {"kind": "none"}, "highway": None}), SHAPE, seed=0)
    norms_L = gradient_by_lag(one, batch())
    assert (norms_L == 0).all()
    assert name_gradients(norms_L) == "vanishing"


def test_names() -> None:
    assert name_gradients([1.0] * 8) == "healthy"
    assert name_gradients([1.0, float("nan")]) == "exploding"
    assert name_gradients([1.0, float("inf")]) == "exploding"
    assert name_gradients([0.0, 0.0]) == "vanishing"
    assert name_gradients([2.0**-n for n in range(20)]) == "healthy"
    assert name_gradients([2.0**-n for n in range(40)]) == "vanishing"
    assert name_gradients([1.0, 1.0, 1.0, 2.0**11]) == "exploding"


def test_first_step_may_not_exist() -> None:
    assert first_step([1.0, 0.5], under=0.1) is None
    assert first_step([1.0, 0.05], under=0.1) == 2
