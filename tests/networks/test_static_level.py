"""The level of meters without history."""

import pytest
import torch
from torch import Tensor

from forecast.networks.configs import ScalingConfig
from forecast.networks.scaling import WindowScaling
from forecast.networks.shape import NetworkShape
from forecast.networks.static_level import StaticLevel


def windows(static_NS: Tensor, level_N: Tensor, seed: int = 0) -> list[Tensor]:
    """One window a meter: 24 hours about its level with a tenth of it as spread."""
    draw = torch.Generator().manual_seed(seed)
    past = (level_N[:, None] * (1 + 0.1 * torch.randn(len(level_N), 24, generator=draw))).unsqueeze(2)
    future = torch.zeros(len(level_N), 3, 1)
    return [past, torch.ones_like(past), future, torch.ones_like(future), static_NS]


def scaling(scale: str = "level", static_columns: int = 1) -> WindowScaling:
    shape = NetworkShape(
        past_columns=1, future_columns=1, static_columns=static_columns, context=24, horizon=3, level_steps=24
    )
    return WindowScaling(ScalingConfig.model_validate({"scale": scale}), shape)


SMALL, LARGE = 5.0, 400.0
KINDS_N1 = torch.tensor([0.0, 1.0]).repeat(20).unsqueeze(1)
LEVELS_N = torch.where(KINDS_N1[:, 0] > 0, LARGE, SMALL)


@pytest.mark.parametrize("scale", ["level", "window"])
def test_a_meter_without_history_gets_the_level_of_its_kind(scale: str) -> None:
    fitted = scaling(scale)
    fitted.fit([windows(KINDS_N1, LEVELS_N)])
    unseen = torch.tensor([[0.0], [1.0]])
    nothing = torch.zeros(2, 24, 1)
    window = fitted.window(nothing, nothing, unseen)
    for level, wanted in zip(window.level_B1.flatten().tolist(), (SMALL, LARGE), strict=True):
        assert level == pytest.approx(wanted, rel=0.1)
    torch.testing.assert_close(window.scale_B1, fitted.ratio * window.level_B1)
    # Without the columns it is the mean of all, as far off as can be.
    assert fitted.window(nothing, nothing).level_B1[0, 0] > 10 * SMALL


def test_what_is_known_of_the_load_comes_first() -> None:
    fitted = scaling()
    fitted.fit([windows(KINDS_N1, LEVELS_N)])
    past = torch.full((1, 24, 1), 50.0)
    mask = torch.zeros(1, 24, 1)
    mask[0, 3] = 1
    assert fitted.window(past, mask, torch.ones(1, 1)).level_B1.item() == 50.0


def test_one_scale_for_all_stays_one_scale() -> None:
    fitted = scaling("series")
    fitted.fit([windows(KINDS_N1, LEVELS_N)])
    nothing = torch.zeros(2, 24, 1)
    assert (fitted.window(nothing, nothing, torch.tensor([[0.0], [1.0]])).scale_B1 == fitted.scale).all()


def test_a_level_grows_with_a_column_over_decades() -> None:
    customers_N1 = torch.logspace(1, 5, 30).unsqueeze(1)
    level = StaticLevel(1)
    level.fit(customers_N1, 0.4 * customers_N1)
    between = torch.tensor([[300.0], [20_000.0]])
    torch.testing.assert_close(level(between), 0.4 * between, rtol=0.15, atol=0)


def test_levels_beyond_the_training_windows_are_held() -> None:
    level = StaticLevel(1)
    level.fit(torch.tensor([[1.0], [2.0]]), torch.tensor([[10.0], [100.0]]))
    assert level(torch.tensor([[1e6]])).item() == pytest.approx(200, rel=1e-3)
    assert level(torch.tensor([[-1e6]])).item() == pytest.approx(5, rel=1e-3)


def test_a_missing_column_is_the_usual_one() -> None:
    level = StaticLevel(2)
    static_NS = torch.tensor([[0.0, 3.0], [1.0, float("nan")], [0.0, 5.0], [1.0, 4.0]])
    level.fit(static_NS, torch.tensor([[10.0], [1000.0], [10.0], [1000.0]]))
    assert level(torch.full((1, 2), float("nan"))).item() == pytest.approx(100, rel=0.01)  # the geometric mean
    assert level(torch.tensor([[0.0, float("inf")], [1.0, float("nan")]])).isfinite().all()


def test_demand_that_is_not_positive_keeps_the_mean_level() -> None:
    fitted = scaling()
    fitted.fit([windows(KINDS_N1, torch.where(KINDS_N1[:, 0] > 0, LARGE, -SMALL))])
    nothing = torch.zeros(1, 24, 1)
    assert fitted.window(nothing, nothing, torch.ones(1, 1)).level_B1 == fitted.level
    assert fitted.window(nothing, nothing, torch.ones(1, 1)).scale_B1 == fitted.scale


def test_without_static_columns_there_is_no_map() -> None:
    assert not [name for name in scaling(static_columns=0).state_dict() if "static_level" in name]


def test_a_refit_for_another_series_moves_the_level_only() -> None:
    fitted = scaling()
    fitted.fit([windows(KINDS_N1, LEVELS_N)])
    before = {name: value.clone() for name, value in fitted.state_dict().items()}
    fitted.refit_level([windows(torch.ones(8, 1), torch.full((8,), 7000.0))])
    moved = {name for name, value in fitted.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"level", "scale", "ratio", "window_mean", "window_std"}
    assert fitted.level.item() == pytest.approx(7000, rel=0.05)
