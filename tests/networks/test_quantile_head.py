"""The head and the highway."""

from statistics import NormalDist

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.networks.heads import MonotoneQuantileHead
from forecast.networks.highway import HourlyHighway

LEVELS = st.lists(st.integers(1, 99), min_size=1, max_size=12, unique=True).map(lambda q: [v / 100 for v in sorted(q)])


@settings(max_examples=60, deadline=None)
@given(LEVELS, st.integers(0, 2**31), st.sampled_from([1e-30, 1.0, 1e3, 1e10, 1e30]))
def test_quantiles_never_cross(levels: list[float], seed: int, size: float) -> None:
    draw = torch.Generator().manual_seed(seed)
    head = MonotoneQuantileHead(5, levels)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw) * size)
    z_BHQ = head(torch.randn(4, 3, 5, generator=draw) * 10)
    assert z_BHQ.shape == (4, 3, len(levels))
    assert z_BHQ.isfinite().all()
    assert (z_BHQ[..., 1:] >= z_BHQ[..., :-1]).all()


@pytest.mark.parametrize("levels", [(0.1, 0.5, 0.9), (0.05, 0.2), (0.6, 0.7, 0.95), (0.5,)])
def test_an_untrained_head_says_a_normal(levels: tuple[float, ...]) -> None:
    wanted = [NormalDist().inv_cdf(level) for level in levels]
    torch.testing.assert_close(MonotoneQuantileHead(3, levels)(torch.zeros(1, 1, 3))[0, 0], torch.tensor(wanted))


def test_every_quantile_can_be_reached_from_the_middle() -> None:
    head = MonotoneQuantileHead(2, (0.1, 0.5, 0.9))
    hidden = torch.randn(1, 1, 2)
    head(hidden)[0, 0, 0].backward()
    assert head.linear.bias.grad is not None
    assert head.linear.bias.grad.ne(0).tolist() == [True, True, False]
    torch.testing.assert_close(head.median(hidden), head(hidden)[..., 1])


def test_a_highway_is_shared_weights_plus_those_of_the_hour() -> None:
    torch.manual_seed(0)
    highway = HourlyHighway(3, slots=4)
    assert all((p == 0).all() for p in highway.parameters())
    with torch.no_grad():
        for parameter in highway.parameters():
            parameter.normal_()
    x_BHK, slot_BH = torch.randn(2, 5, 3), torch.randint(4, (2, 5))
    offset_BH = highway(x_BHK, slot_BH)
    for b in range(2):
        for h in range(5):
            weights_K = highway.shared_K + highway.hourly_KN[:, slot_BH[b, h]]
            torch.testing.assert_close(offset_BH[b, h], x_BHK[b, h] @ weights_K)


def test_parts_of_a_highway_can_be_left_out() -> None:
    x_BHK, slot_BH = torch.ones(1, 2, 3), torch.tensor([[0, 1]])
    for shared, hourly in ((True, False), (False, True)):
        highway = HourlyHighway(3, shared=shared, hourly=hourly)
        assert len(list(highway.parameters())) == 1
        with torch.no_grad():
            next(highway.parameters()).fill_(1.0)
        assert highway(x_BHK, slot_BH).tolist() == [[3.0, 3.0]]
