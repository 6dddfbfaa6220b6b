"""Scaling inside the network."""

import pytest
import torch
from torch import Tensor

from forecast.errors import TrainingError
from forecast.networks.configs import ScalingConfig
from forecast.networks.scaling import WindowScaling
from forecast.networks.shape import NetworkShape

SHAPE = NetworkShape(
    past_columns=2, future_columns=2, static_columns=1, context=12, horizon=3, future_load_columns=(1,), level_steps=4,
)  # fmt: skip


def scaling(scale: str = "window", clip: float = 6.0) -> WindowScaling:
    return WindowScaling(ScalingConfig.model_validate({"scale": scale, "clip": clip}), SHAPE)


def windows(seed: int = 0, batch: int = 16) -> list[Tensor]:
    draw = torch.Generator().manual_seed(seed)
    past, future = (torch.randn(batch, steps, 2, generator=draw) for steps in (12, 3))
    past[..., 0] = 100 + 10 * past[..., 0]
    past[..., 1] = 20 + 3 * past[..., 1]
    future[..., 0] = 20 + 3 * future[..., 0]
    future[..., 1] = 100 + 10 * future[..., 1]
    static = 5 + torch.randn(batch, 1, generator=draw)
    return [past, torch.ones_like(past), future, torch.ones_like(future), static]


def test_level_is_the_mean_of_the_newest_known_steps() -> None:
    past, mask, *_ = windows()
    mask[:, -2, 0] = 0
    window = scaling().window(past, mask)
    wanted_B1 = past[:, [-4, -3, -1], 0].mean(1, keepdim=True)
    torch.testing.assert_close(window.level_B1, wanted_B1)
    known = [t for t in range(12) if t != 10]
    torch.testing.assert_close(window.scale_B1, (past[:, known, 0] - wanted_B1).square().mean(1, keepdim=True).sqrt())
    torch.testing.assert_close(window.known_B1, torch.full((16, 1), 11 / 12))


def test_level_falls_back_to_the_context_and_then_to_the_training_windows() -> None:
    fitted = scaling()
    fitted.fit([windows()])
    past, mask, *_ = windows(seed=1)
    mask[0, 4:, 0] = 0
    mask[1, :, 0] = 0
    window = fitted.window(past, mask)
    torch.testing.assert_close(window.level_B1[0, 0], past[0, :4, 0].mean())
    assert window.level_B1[1] == fitted.level
    assert window.scale_B1[1] == fitted.scale
    assert fitted.level.item() == pytest.approx(100, abs=5)
    assert fitted.scale.item() == pytest.approx(11, abs=3)


def test_a_few_hours_of_history_lean_on_the_usual_ratio() -> None:
    fitted = scaling()
    fitted.fit([windows()])
    past, mask, *_ = windows(seed=1)
    mask[:, :-1, 0] = 0  # one known step has no spread of its own
    scale_B1 = fitted.window(past, mask).scale_B1
    torch.testing.assert_close(scale_B1, 0.75**0.5 * fitted.ratio * past[:, -1, :1])
    assert (scale_B1 > 3).all()


@pytest.mark.parametrize("load", [0.0, 50.0, -3.0])
def test_a_constant_load_is_not_divided_by_zero(load: float) -> None:
    past, mask, *_ = windows()
    past[..., 0] = load
    one = scaling()
    window = one.window(past, mask)
    assert (window.scale_B1 > 0).all()
    assert one.past(past, mask, window).isfinite().all()
    assert (one.past(past, mask, window)[..., 0] == 0).all()
    assert one.window_inputs(window).isfinite().all()


def test_the_scale_of_a_series_is_fitted_once() -> None:
    fitted = scaling("series")
    fitted.fit([windows(seed=0), windows(seed=1)])
    past, mask, *_ = windows(seed=2)
    both = fitted.window(past, mask), fitted.window(past * 7, mask)
    assert torch.equal(both[0].scale_B1, both[1].scale_B1)
    assert (both[0].scale_B1 == fitted.scale).all()
    torch.testing.assert_close(both[1].level_B1, 7 * both[0].level_B1)


def test_a_window_scale_makes_networks_blind_to_the_unit() -> None:
    fitted = scaling()
    past, mask, future, future_mask, _ = windows()
    kilowatt = past * torch.tensor([1000.0, 1.0]), future * torch.tensor([1.0, 1000.0])
    for ours, theirs in ((fitted.window(past, mask), fitted.window(kilowatt[0], mask)),):
        torch.testing.assert_close(fitted.past(past, mask, ours), fitted.past(kilowatt[0], mask, theirs))
        torch.testing.assert_close(
            fitted.future(future, future_mask, ours), fitted.future(kilowatt[1], future_mask, theirs)
        )


def test_fitted_columns_have_mean_zero_and_deviation_one() -> None:
    fitted, batches = scaling(clip=100.0), [windows(seed=seed) for seed in range(3)]
    batches[0][1][:5, :, 1] = 0
    batches[0][0][:5, :, 1] = 1e9  # hidden by the mask
    fitted.fit(batches)
    past, future = [], []
    for a, a_mask, b, b_mask, _ in batches:
        window = fitted.window(a, a_mask)
        past.append((fitted.past(a, a_mask, window), a_mask))
        future.append(fitted.future(b, b_mask, window))
    columns = [torch.cat([x[mask[..., c] > 0][:, c] for x, mask in past]) for c in (0, 1)]
    columns += list(torch.cat(future).flatten(0, 1).T)
    for column in columns:
        assert column.mean().item() == pytest.approx(0, abs=1e-4)
        assert column.std(correction=0).item() == pytest.approx(1, abs=1e-4)


def test_a_column_that_never_moves_keeps_its_deviation_of_one() -> None:
    batch, fitted = windows(), scaling()
    batch[2][..., 0] = 1234.567
    fitted.fit([batch])
    assert fitted.future_std[0] == 1
    window = fitted.window(*batch[:2])
    assert fitted.future(batch[2], batch[3], window)[..., 0].abs().max() < 1e-3


def test_everything_is_clipped_and_zero_where_masked() -> None:
    fitted = scaling()
    fitted.fit([windows()])
    past, mask, future, future_mask, static = windows(seed=1)
    past[:, 3, 1], future[:, 1, :], static[0] = 1e12, -1e12, float("inf")
    mask[:, 5], future_mask[:, 2] = 0, 0
    window = fitted.window(past, mask)
    outputs = fitted.past(past, mask, window), fitted.future(future, future_mask, window), fitted.static(static)
    assert [float(out.abs().max()) for out in outputs] == [6.0, 6.0, 6.0]
    assert (outputs[0][:, 5] == 0).all()
    assert (outputs[1][:, 2] == 0).all()
    static[1] = float("nan")
    assert fitted.static(static)[1] == 0


def test_fitting_reads_nothing_but_the_windows_it_is_given() -> None:
    first, second = scaling(), scaling()
    first.fit([windows()])
    hidden = windows()
    hidden[0], hidden[1] = (
        torch.cat([hidden[0], torch.full((1, 12, 2), 1e9)]),
        torch.cat([hidden[1], torch.zeros(1, 12, 2)]),
    )
    hidden[2], hidden[3] = (
        torch.cat([hidden[2], torch.full((1, 3, 2), 1e9)]),
        torch.cat([hidden[3], torch.zeros(1, 3, 2)]),
    )
    hidden[4] = torch.cat([hidden[4], torch.full((1, 1), float("nan"))])
    second.fit([hidden])
    for name in ("level", "scale", "ratio", "past_mean", "past_std", "future_mean", "future_std", "static_mean"):
        assert torch.equal(getattr(first, name), getattr(second, name)), name


def test_fitting_needs_batches_twice_and_some_known_load() -> None:
    with pytest.raises(TrainingError, match="Pass a list"):
        scaling().fit(iter([windows()]))
    nothing = windows()
    nothing[1][..., 0] = 0
    with pytest.raises(TrainingError, match="no known load"):
        scaling().fit([nothing])
