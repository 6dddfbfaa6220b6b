"""What the window as a whole says about every hour ahead."""

from __future__ import annotations

import pytest
import torch

from forecast.networks.configs import DirectConfig, HighwayConfig, NetworkConfig, NoEncoderConfig, OutlookConfig
from forecast.networks.direct import DirectDecoder
from forecast.networks.encoded import Encoded, Leads
from forecast.networks.highway import HourlyHighway
from forecast.networks.network import DemandNetwork, build
from forecast.networks.outlook import Outlook, hourly
from forecast.networks.shape import NetworkShape

HOURS, LEADS = 24, 3


def network(outlook: bool = True, per_hour: int = 1, horizon: int = LEADS) -> DemandNetwork:
    sides = NetworkShape(
        past_columns=1, future_columns=1, context=HOURS * per_hour, horizon=horizon * per_hour,
        level_steps=7 * HOURS * per_hour, steps_per_hour=per_hour, stride=per_hour,
    )  # fmt: skip
    config = NetworkConfig.model_validate({
        "encoder": NoEncoderConfig(width=2), "decoder": DirectConfig(width=4), "highway": False,
        "outlook": {"alone": True, "width": 8, "dropout": 0.0} if outlook else False,
    })  # fmt: skip
    return build(config, sides, seed=0)


def inputs(batch: int = 64, per_hour: int = 1, horizon: int | None = None) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    past = 100 + 20 * torch.randn(batch, HOURS * per_hour, 1, generator=draw)
    future = torch.zeros(batch, horizon or LEADS * per_hour, 1)
    return [past, torch.ones_like(past), future, torch.ones_like(future), torch.zeros(batch, 0)]


def test_each_hour_ahead_learns_its_own_hour_of_the_past() -> None:
    """Hour ahead k is the k-th oldest hour: nothing that is the same at every step can tell them apart."""
    told, wanted = inputs(256), inputs(256)[0][:, :LEADS, 0]
    left = {}
    for outlook in (True, False):
        one = network(outlook)
        one.scaling.fit([[*told, torch.zeros(256, 0, 1)]])
        optimiser = torch.optim.Adam(one.parameters(), lr=1e-2)
        for _ in range(300):
            loss = (one(*told)[..., 4] - wanted).abs().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        left[outlook] = float(loss.detach())
    assert left[True] < 2.0  # the hours deviate by 20
    assert left[False] > 2 * left[True]


def test_what_a_masked_hour_holds_changes_no_bit_and_its_absence_does() -> None:
    one, told = network().eval(), inputs(4)
    torch.nn.init.normal_(one.outlook.straight.weight)
    told[1][:, 5] = 0
    hidden = one(*told)
    told[0][:, 5] = 1e9
    assert torch.equal(one(*told), hidden)
    told[0][:, 5], told[1][:, 5] = 150, 1
    assert not torch.allclose(one(*told), hidden)


def test_beyond_less_than_a_day_that_was_learned_the_last_hour_stands_for_all() -> None:
    one = network().eval()
    torch.nn.init.normal_(one.outlook.straight.bias)
    said = one(*inputs(4, horizon=LEADS + 2))
    torch.testing.assert_close(said[:, LEADS], said[:, LEADS - 1])
    assert not torch.allclose(said[:, 1], said[:, 0])


def test_beyond_the_days_that_were_learned_the_same_hour_of_the_last_one_stands() -> None:
    one = network(horizon=30).eval()
    torch.nn.init.normal_(one.outlook.straight.bias)
    said = one(*inputs(4, horizon=60))
    torch.testing.assert_close(said[:, 30:54], said[:, 6:30])
    torch.testing.assert_close(said[:, 54:], said[:, 6:12])


def test_steps_inside_an_hour_share_its_offset() -> None:
    one = network(per_hour=2).eval()
    torch.nn.init.normal_(one.outlook.straight.bias)
    said = one(*inputs(4, per_hour=2))
    torch.testing.assert_close(said[:, 2], said[:, 3])
    assert not torch.allclose(said[:, 1], said[:, 2])


@pytest.mark.parametrize("length", [10, 24, 40])
def test_the_newest_hours_are_read_whatever_the_length_of_the_history(length: int) -> None:
    past = torch.arange(1.0, length + 1).unsqueeze(0)
    week = hourly(past, torch.ones_like(past), hours=12, steps=2)
    newest = [(length - 2 * back + length - 2 * back - 1) / 2 for back in range(12)][::-1]
    assert week[0].tolist() == [max(hour, 0.0) for hour in newest]


def test_each_series_has_maps_of_its_own_and_a_stranger_none() -> None:
    torch.manual_seed(3)
    part = Outlook(OutlookConfig(width=4, own=2, dropout=0.0), hours=HOURS, told=1, own=2, leads=LEADS)
    week, told = torch.randn(3, HOURS), torch.zeros(3, 1)
    own = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    torch.nn.init.normal_(part.own.weight)
    said = part(week[:1].expand(3, -1), told, own)
    assert not torch.allclose(said[0], said[1])
    torch.testing.assert_close(said[2], torch.zeros(LEADS))


def test_a_highway_and_a_perceptron_know_the_hour_ahead() -> None:
    highway = HourlyHighway(1, shared=False, hourly=False, leads=Leads(2))
    highway.lead_NK.data[:] = torch.tensor([[1.0], [3.0]])
    assert highway(torch.ones(1, 3, 1), torch.zeros(1, 3, dtype=torch.long)).tolist() == [[1.0, 3.0, 3.0]]
    decoder = DirectDecoder(DirectConfig(width=4), 2, 1, 1, leads=Leads(2))
    torch.nn.init.normal_(decoder.lead_ND)
    encoded = Encoded(torch.zeros(1, 1, 2), torch.ones(1, 1), torch.zeros(1, 2))
    hidden = decoder(encoded, torch.ones(1, 3, 1), torch.ones(1, 1))
    assert torch.equal(hidden[:, 1], hidden[:, 2])
    assert not torch.allclose(hidden[:, 0], hidden[:, 1])


def test_a_highway_of_leads_alone_is_one() -> None:
    assert HighwayConfig(shared=False, hourly=False, smooth=0).leads


def test_one_series_alone_may_go_without() -> None:
    shape = NetworkShape(past_columns=1, future_columns=1, context=HOURS, horizon=LEADS)
    several = shape.model_copy(update={"peers": 3, "peer_columns": 2})
    for alone, sides, has in ((True, shape, True), (False, shape, False), (False, several, True)):
        config = NetworkConfig(encoder=NoEncoderConfig(), highway=None, outlook=OutlookConfig(width=4, alone=alone))
        assert (build(config, sides, seed=0).outlook is not None) is has
