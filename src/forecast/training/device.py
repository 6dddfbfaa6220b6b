"""Where a network learns: the CPU, or a GPU that CUDA finds."""

from __future__ import annotations

import torch

from forecast.errors import RecipeError
from forecast.recipe import TrainingConfig


def device_of(config: TrainingConfig) -> str:
    """The device of a recipe, "cpu" or "cuda"; "auto" takes the GPU where there is one.

    Raises:
        RecipeError: "cuda" where there is none.
    """
    there = torch.cuda.is_available()
    if config.device == "cuda" and not there:
        raise RecipeError(
            'device = "cuda" on a machine without a GPU that torch can use', 'a GPU, or device = "auto" or "cpu"',
            "set model.training.device of the recipe",
        )  # fmt: skip
    return "cuda" if there and config.device != "cpu" else "cpu"
