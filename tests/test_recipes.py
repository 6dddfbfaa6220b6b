"""Named recipes: every name is a recipe of that name that can be described and built."""

from __future__ import annotations

from pathlib import Path

import pytest

from forecast.errors import RecipeError
from forecast.networks.network import build
from forecast.networks.shape import NetworkShape
from forecast.recipe import NetworkModel, Recipe
from forecast.recipes import RECIPES, named


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_name_leads_to_its_recipe(name: str) -> None:
    recipe = named(name)
    assert recipe.name == name
    assert recipe.description.endswith(".")
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    for model in [one for one in recipe.members if isinstance(one, NetworkModel)]:
        shape = NetworkShape(
            context=48,
            horizon=24,
            past_columns=5,
            future_columns=49,
            static_columns=0,
            quantiles=recipe.quantiles,
            hour_columns=(0, 24),
        )
        assert sum(p.numel() for p in build(model.network, shape, seed=0).parameters()) > 1000


def test_the_networks_and_baselines_of_the_issue_are_there() -> None:
    assert {"rnn", "lstm", "gru", "attention", "transformer", "ridge", "trees", "default"} < set(RECIPES)
    assert {"seasonal_naive_day", "seasonal_naive_week"} < set(RECIPES)


def test_a_file_is_a_name_too_and_anything_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('name = "own"\nmodel = {kind = "ridge", alphas = [3.0]}\n')
    assert named(str(path)).model.alphas == (3.0,)  # type: ignore[union-attr]
    with pytest.raises(RecipeError, match=r"no recipe 'lstn'; expected one of default, rnn, lstm"):
        named("lstn")
