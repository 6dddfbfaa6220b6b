"""The usual space: fields that can act on this recipe and this table, and a reason for each of the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from forecast.errors import DataError, RecipeError
from forecast.recipe import Recipe, Task
from forecast.recipes import DEFAULT, LSTM, RECIPES, RIDGE, TRANSFORMER, TREES
from forecast.search import Range, usual
from forecast.tables import Columns, Demand
from tests.builders import TINY_ENSEMBLE, long_frame, make_demand, utc
from tests.search.conftest import remembered, ridge, warm

FLAG = Columns(known=("holiday",))
COLUMNS = {"features.same_hour_days", "features.similar_days", "features.recent", "features.knots", "context"}


def with_model(recipe: Recipe, **values: Any) -> Recipe:
    tree = recipe.model_dump(mode="json")
    tree["model"] |= values
    return Recipe.model_validate(tree)


def test_the_usual_space_fits_every_recipe_that_has_knobs(demand: Demand) -> None:
    for name, recipe in RECIPES.items():
        if "naive" in name:
            with pytest.raises(RecipeError, match="nothing to search"):
                usual(recipe, demand)
        else:
            assert usual(recipe, demand).space.base_params() is not None, name
    wanted = {"rate", "weight_decay", "epochs", "dropout", "width"}
    assert wanted <= {name.rpartition(".")[2] for name in usual(LSTM, demand).space.fields}
    for recipe in (LSTM, TREES, DEFAULT):
        assert not usual(recipe, demand).left_out


def test_a_ridge_of_one_series_is_searched_in_its_columns(demand: Demand) -> None:
    found = usual(RIDGE, demand)
    assert set(found.space.fields) == COLUMNS
    assert set(found.left_out) == {"model.per_series", "model.alphas.0"}
    assert "two series" in found.left_out["model.per_series"]
    assert "chooses among 6 penalties" in found.left_out["model.alphas.0"]


@pytest.mark.long
def test_every_usual_field_of_a_ridge_moves_its_score() -> None:
    """Two values of each field, alone; what cannot move a score would be offered for nothing."""
    frame = warm(names=("north",), days=45)
    demand = make_demand(frame)
    known, task = demand.as_of(utc("2024-03-01")), Task(horizon=2, every="1d")
    space = usual(RIDGE, known).space
    assert space.fields
    for name, values in space.fields.items():
        ends = [values.low, values.high] if isinstance(values, Range) else [values[0], values[-1]]
        said = [
            remembered(known, space.apply({name: value}), task).forecaster.predict(demand, [utc("2024-03-02")]).frame
            for value in ends
        ]
        assert not said[0].equals(said[1]), name


def test_a_penalty_is_searched_only_where_the_ridge_does_not_choose_it(demand: Demand) -> None:
    assert "model.alphas.0" in usual(ridge(10.0), demand).space.fields
    assert "model.alphas.0" not in usual(RIDGE, demand).space.fields


def test_own_weights_are_searched_where_a_series_can_have_them(pair: Demand) -> None:
    assert "model.per_series" in usual(RIDGE, pair).space.fields
    short = usual(RIDGE, pair.as_of(utc("2024-03-10")))
    assert "model.per_series" not in short.space.fields
    assert "60 days" in short.left_out["model.per_series"]


def test_knots_are_searched_where_a_covariate_has_hinges(pair: Demand) -> None:
    assert "features.knots" in usual(RIDGE, pair).space.fields
    for columns in (FLAG, Columns(), Columns(past=("humidity",))):
        found = usual(RIDGE, make_demand(warm(), columns=columns))
        assert "features.knots" not in found.space.fields
        assert found.left_out["features.knots"] == "no covariate has hinges"
    year = make_demand(long_frame(days=400, names=("north",), freq="6h"), columns=Columns(past=("humidity",)))
    assert "features.knots" in usual(RIDGE, year).space.fields


def test_the_recipe_as_it_is_lies_in_its_usual_space(demand: Demand) -> None:
    tree = RIDGE.model_dump(mode="json") | {"context": "2d"}
    tree["features"]["knots"] = 4
    for odd in (Recipe.model_validate(tree), ridge(1e9), with_model(LSTM, training={"rate": 0.05, "epochs": 3})):
        assert usual(odd, demand).space.base_params() is not None


def test_an_optimiser_without_weight_decay_is_not_searched_in_it(demand: Demand) -> None:
    name = "model.training.weight_decay"
    for optimiser, acts in {"adamw": True, "sgd": True, "adam": False, "rmsprop": False}.items():
        found = usual(with_model(LSTM, training={"optimiser": optimiser}), demand)
        assert (name in found.space.fields) == acts, optimiser
        assert (name in found.left_out) != acts, optimiser


def test_values_that_a_recipe_refuses_are_named(demand: Demand) -> None:
    name = "model.network.encoder.width"
    network = TRANSFORMER.model_dump(mode="json")["model"]["network"]
    for heads, kept in {16: (144, 32, 48, 64, 96), 24: (144, 48, 96), 9: ()}.items():
        encoder = network["encoder"] | {"width": 144, "heads": heads}
        found = usual(with_model(TRANSFORMER, network=network | {"encoder": encoder}), demand)
        assert found.space.fields.get(name, ()) == kept
        refused = [value for value in (32, 48, 64, 96) if value not in kept]
        told = [f"{name} = {value}" for value in refused] if kept else [name]
        assert list(found.left_out) == told
        assert all("heads" in why for why in found.left_out.values())


def test_an_ensemble_without_networks_is_searched_in_its_columns(demand: Demand) -> None:
    both = TINY_ENSEMBLE.model_dump(mode="json")
    both["model"]["members"] = both["model"]["members"][1:]
    found = usual(Recipe.model_validate(both), demand)
    assert set(found.space.fields) == COLUMNS
    assert "reach_days 9" in found.left_out["features.same_hour_days = 14"]


def test_a_table_of_which_nothing_is_known_is_a_sentence(demand: Demand) -> None:
    blank = demand.series[0].values_TC.copy()
    blank[:, 0] = np.nan
    nothing = replace(demand, series=(replace(demand.series[0], values_TC=blank),), arena_RC=blank)
    with pytest.raises(DataError, match="no value of y is known"):
        usual(RIDGE, nothing)
