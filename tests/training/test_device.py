"""Where a network learns: what the recipe says, or a refusal that says what to do."""

from __future__ import annotations

import pytest
import torch

from forecast.errors import RecipeError
from forecast.recipe import NetworkModel, Recipe, Task, TrainingConfig
from forecast.training import fit
from forecast.training.device import device_of
from forecast.training.transfer import fine_tune
from tests.builders import TINY, long_frame, make_demand

TASK = Task(horizon=12)
REFUSED = 'device = "cuda" on a machine without .*; expected .*"auto" or "cpu".* Set model.training.device'


def on(device: str, recipe: Recipe = TINY) -> Recipe:
    """The recipe, learned there."""
    assert isinstance(recipe.model, NetworkModel)
    training = recipe.model.training.model_copy(update={"device": device})
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"training": training})})


@pytest.mark.parametrize(
    ("asked", "there", "used"),
    [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu"), ("cuda", True, "cuda")],
)
def test_the_device_is_the_one_asked_for(monkeypatch: pytest.MonkeyPatch, asked: str, there: bool, used: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert device_of(TrainingConfig.model_validate({"device": asked})) == used


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    demand = make_demand(long_frame(days=30))
    with pytest.raises(RecipeError, match=REFUSED):
        fit(demand, on("cuda"), TASK)
    trained = fit(demand, TINY, TASK).forecaster
    elsewhere = trained.spec.model_copy(update={"recipe": on("cuda")})
    with pytest.raises(RecipeError, match=REFUSED):
        fine_tune(type(trained)(elsewhere, trained.model), demand, epochs=1, rate=1e-3)
