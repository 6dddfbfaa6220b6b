"""A search space is data, checked against its recipe before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from forecast.errors import RecipeError
from forecast.recipe import Recipe
from forecast.recipes import DEFAULT, LSTM, RECIPES, RIDGE, TRANSFORMER
from forecast.search import Range, Space, recipe_toml
from tests.search.conftest import ridge


@pytest.mark.parametrize(
    ("field", "values", "told"),
    [
        ("model.alfas", [1, 2], "no field model.alfas.*kind, alphas"),
        ("model.alphas.0.beta", [1, 2], "no field model.alphas.0.beta"),
        ("model.alphas.0", {"low": -1, "high": 1}, r"model.alphas.0 = -1.*above 0 that ascend"),
        ("model.alphas.0", {"low": 20, "high": 40}, r"model.alphas.0 = 20.*above 0 that ascend"),
        ("model.alphas.0", {"low": 2, "high": 1}, "from 2 to 1.*low < high"),
        ("model.alphas.0", {"low": 0, "high": 1, "log": True}, "low > 0"),
        ("model.alphas.0", {"low": 0.1, "high": 1, "step": 0.4}, "whole steps"),
        ("model.alphas.0", [3.0], "1 choices"),
        ("model.alphas.0", "much", "model.alphas.0 is neither a range nor a list"),
        ("model", [1, 2], "model holds 4 values"),
        ("model.alphas", [1, 2], "model.alphas holds 6 values"),
        ("context", {"low": 1, "high": 7}, "a list of choices"),
        ("context", ["7d", "40d"], "context = 40d.*longer than reach_days"),
        ("features.knots", {"low": 1.5, "high": 7}, "whole numbers"),
        ("features.knots", {"low": 1, "high": 70}, "features.knots = 33"),
        ("name", ["a", "b"], "changes name"),
        ("quantiles", [0.5, 0.6], "changes quantiles"),
    ],
)
def test_nonsense_is_refused_by_name(field: str, values: object, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        Space.of(RIDGE, {field: values})


def test_a_seed_is_not_chosen() -> None:
    with pytest.raises(RecipeError, match=r"model\.training\.seed"):
        Space.of(LSTM, {"model.training.seed": [1, 2, 3]})


def test_a_width_that_the_heads_do_not_divide_is_named() -> None:
    """Between two ends that fit there are others that do not."""
    name = "model.network.encoder.width"
    with pytest.raises(RecipeError, match=f"{name} = 17"):
        Space.of(TRANSFORMER, {name: {"low": 16, "high": 32}})
    assert Space.of(TRANSFORMER, {name: {"low": 16, "high": 32, "step": 4}}).is_whole(name)


def test_a_trial_is_a_new_recipe_and_the_base_stays() -> None:
    space = Space.of(LSTM, {"model.training.rate": {"low": 1e-4, "high": 1e-2}, "model.network.encoder.width": [8, 16]})
    made = space.apply({"model.training.rate": 1e-3, "model.network.encoder.width": 16})
    plain = made.model_dump()
    assert (plain["model"]["training"]["rate"], plain["model"]["network"]["encoder"]["width"]) == (1e-3, 16)
    plain["model"]["training"]["rate"], plain["model"]["network"]["encoder"]["width"] = 3e-3, 48
    assert Recipe.model_validate(plain) == LSTM == space.recipe
    with pytest.raises(RecipeError, match=r"model\.training\.rate = -1"):
        space.apply({"model.training.rate": -1})


def test_the_base_is_a_trial_only_where_the_space_holds_it() -> None:
    assert Space.of(ridge(10.0), {"model.alphas.0": {"low": 1, "high": 20}}).base_params() == {"model.alphas.0": 10.0}
    assert Space.of(ridge(10.0), {"model.alphas.0": [1, 2]}).base_params() is None
    assert Range(low=1, high=9, step=2).holds(7)
    assert not Range(low=1, high=9, step=2).holds(8)


def test_a_star_is_every_member_that_has_the_field() -> None:
    space = Space.of(DEFAULT, {"model.members.*.training.rate": [1e-3, 3e-3]})
    assert space.base_params() == {"model.members.*.training.rate": 3e-3}
    changed = space.apply({"model.members.*.training.rate": 1e-3})
    assert {one.rate for one in changed.trainings} == {1e-3}
    assert len(changed.trainings) == len(DEFAULT.trainings) > 1
    assert [type(one) for one in changed.members] == [type(one) for one in DEFAULT.members]
    with pytest.raises(RecipeError, match=r"no member of model\.members has the field training\.ratio"):
        Space.of(DEFAULT, {"model.members.*.training.ratio": [1, 2]})
    for seed in ("model.members.*.training.seed", "model.members.0.training.seed"):
        with pytest.raises(RecipeError, match="the search space changes"):
            Space.of(DEFAULT, {seed: [1, 2]})


def test_a_file_of_dotted_keys(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(
        "model.training.rate = { low = 5e-4, high = 1e-2, log = true }\n[model.network]\nencoder.width = [8, 16]"
    )
    space = Space.from_toml(path, LSTM)
    assert space.fields == {
        "model.training.rate": Range(low=5e-4, high=1e-2, log=True),
        "model.network.encoder.width": (8, 16),
    }
    path.write_text("model.alphas = ")
    with pytest.raises(RecipeError, match="is not TOML"):
        Space.from_toml(path, LSTM)
    with pytest.raises(RecipeError, match="cannot be read"):
        Space.from_toml(tmp_path / "none.toml", LSTM)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_recipe_written_as_toml_is_read_again(recipe: Recipe, tmp_path: Path) -> None:
    path = tmp_path / "chosen.toml"
    path.write_text(recipe_toml(recipe), encoding="utf-8")
    assert Recipe.from_toml(path) == recipe


def test_a_recipe_without_highway_outlook_and_neighbours_is_read_again(tmp_path: Path) -> None:
    tree = LSTM.model_dump(mode="json")
    tree["model"]["network"] |= {"highway": None, "outlook": None, "neighbours": None}
    tree["description"] = 'two "words" – and a \\ sign'
    recipe = Recipe.model_validate(tree)
    (tmp_path / "r.toml").write_text(recipe_toml(recipe), encoding="utf-8")
    assert Recipe.from_toml(tmp_path / "r.toml") == recipe
