"""The steps of the loop's optimisers, against the textbook's formulas, number for number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from forecast.recipe import TrainingConfig
from forecast.training.optimiser import make_optimiser, rate_at

GRADIENTS = [0.5, -1.5, 2.0, 0.25, -0.75]
RATE = 0.1


def path(**config: object) -> list[float]:
    """Where one weight, begun at 1, is after each step."""
    one = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        one.weight.fill_(1.0)
    optimiser = make_optimiser(one, TrainingConfig.model_validate({"rate": RATE, **config}))
    places = []
    for gradient in GRADIENTS:
        one.weight.grad = torch.full((1, 1), gradient, dtype=torch.float64)
        optimiser.step()
        places.append(one.weight.item())
    return places


def textbook(steps: Iterator[float]) -> list[float]:
    return list(1.0 + np.cumsum(list(steps)))


def test_sgd_with_momentum_is_the_textbook_at_a_larger_rate() -> None:
    """v = β v + (1−β) g, step −α v, with α = rate / (1−β)."""
    beta = 0.9

    def steps() -> Iterator[float]:
        v = 0.0
        for g in GRADIENTS:
            v = beta * v + (1 - beta) * g
            yield -RATE / (1 - beta) * v

    assert path(optimiser="sgd", momentum=beta, weight_decay=0) == pytest.approx(textbook(steps()), rel=1e-12)


def test_sgd_decays_by_the_gradient_of_the_penalty() -> None:
    """λ‖w‖² has the gradient 2 λ w."""
    w, wanted = 1.0, []
    for g in GRADIENTS:
        w -= RATE * (g + 2 * 0.2 * w)
        wanted.append(w)
    assert path(optimiser="sgd", momentum=0, weight_decay=0.2) == pytest.approx(wanted, rel=1e-12)


def test_rmsprop_without_momentum_is_the_textbook() -> None:
    """s = β s + (1−β) g², step −α g / √(s + ε); ours adds ε outside the root, 1e-8, and its β is 0.99."""

    def steps() -> Iterator[float]:
        s = 0.0
        for g in GRADIENTS:
            s = 0.99 * s + 0.01 * g * g
            yield -RATE * g / np.sqrt(s + 1e-8)

    ours = path(optimiser="rmsprop", momentum=0)
    assert ours == pytest.approx(textbook(steps()), abs=1e-5)  # where ε stands shows in the sixth place
    assert ours == path(optimiser="rmsprop", momentum=0, weight_decay=0.5)


def test_rmsprop_with_momentum_smooths_the_steps() -> None:
    def steps() -> Iterator[float]:
        s = v = 0.0
        for g in GRADIENTS:
            s = 0.99 * s + 0.01 * g * g
            v = 0.9 * v + g / (np.sqrt(s) + 1e-8)
            yield -RATE * v

    assert path(optimiser="rmsprop", momentum=0.9) == pytest.approx(textbook(steps()), rel=1e-12)


def test_momentum_is_the_usual_one_of_each_optimiser_unless_the_recipe_names_it() -> None:
    """rmsprop steps 1 / (1 - 0.9) as far with momentum 0.9, so without word of it there is none."""
    assert path(optimiser="sgd") == path(optimiser="sgd", momentum=0.9)
    assert path(optimiser="rmsprop") == path(optimiser="rmsprop", momentum=0)
    assert path(optimiser="sgd", momentum=0) != path(optimiser="sgd")


def test_the_momentum_of_an_old_recipe_is_kept() -> None:
    old = TrainingConfig.model_validate_json('{"optimiser": "rmsprop", "momentum": 0.9}')
    assert old.momentum == 0.9
    (group,) = make_optimiser(nn.Linear(1, 1), old).param_groups
    assert group["momentum"] == 0.9


def test_adam_joins_momentum_and_rmsprop_with_bias_correction() -> None:
    def steps() -> Iterator[float]:
        v = s = 0.0
        for t, g in enumerate(GRADIENTS, start=1):
            v, s = 0.9 * v + 0.1 * g, 0.999 * s + 0.001 * g * g
            yield -RATE * (v / (1 - 0.9**t)) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8)

    ours = path(optimiser="adam")
    assert ours == pytest.approx(textbook(steps()), rel=1e-12)
    assert ours == path(optimiser="adam", weight_decay=0.5, momentum=0.1)


def test_adamw_shrinks_the_weight_beside_the_step() -> None:
    w, v, s, wanted = 1.0, 0.0, 0.0, []
    for t, g in enumerate(GRADIENTS, start=1):
        v, s = 0.9 * v + 0.1 * g, 0.999 * s + 0.001 * g * g
        w -= RATE * 0.3 * w
        w -= RATE * (v / (1 - 0.9**t)) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8)
        wanted.append(w)
    assert path(optimiser="adamw", weight_decay=0.3) == pytest.approx(wanted, rel=1e-12)


def test_frozen_weights_are_left_out() -> None:
    layers = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    layers[0].requires_grad_(False)
    (group,) = make_optimiser(layers, TrainingConfig()).param_groups
    assert [id(weight) for weight in group["params"]] == [id(weight) for weight in layers[1].parameters()]


def test_rates() -> None:
    def rates(schedule: str) -> list[float]:
        config = TrainingConfig.model_validate({"rate": 1.0, "schedule": schedule})
        return [rate_at(share, config) for share in (0.0, 0.25, 0.5, 1.0)]

    assert rates("constant") == [1.0] * 4
    assert rates("cosine") == pytest.approx([1.0, 0.01 + 0.99 * (1 + np.sqrt(0.5)) / 2, 0.505, 0.01])
    assert rates("one-cycle")[:2] == pytest.approx([0.04, 1.0])
    assert rates("one-cycle")[3] == pytest.approx(1e-3)
