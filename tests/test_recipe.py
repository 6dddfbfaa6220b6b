"""A recipe is frozen, refuses what contradicts itself, and is read from TOML with an error that names the field."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from forecast.errors import RecipeError
from forecast.recipe import (
    CorrectionConfig,
    EnsembleModel,
    FeatureConfig,
    NetworkModel,
    Recipe,
    RidgeModel,
    Task,
    TrainingConfig,
    TreesModel,
)
from forecast.recipe.models import LARGEST_SEED
from tests.builders import TINY, TINY_ON_RIDGE

TOML = """
name = "mine"
context = "3d"
[model]
kind = "network"
[model.network.encoder]
kind = "gru"
width = 8
[model.training]
epochs = 2
[features]
reach_days = 10
"""


ENSEMBLE = """
name = "both"
[correction]
days = 7
hour_half_life = 3
[model]
kind = "ensemble"
[[model.members]]
kind = "network"
residual_on = { kind = "ridge", per_series = false }
[model.members.network.encoder]
kind = "gru"
width = 8
[model.members.training]
stopping = "never"
seed = 5
[[model.members]]
kind = "ridge"
alphas = [3.0]
"""


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "mine.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_recipe_is_read_from_toml(tmp_path: Path) -> None:
    recipe = Recipe.from_toml(written(tmp_path, TOML))
    assert (recipe.name, recipe.model.kind, recipe.features.reach_days) == ("mine", "network", 10)
    assert recipe.context_steps(pd.Timedelta("30min")) == 144
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_an_ensemble_and_its_correction_are_read_from_toml(tmp_path: Path) -> None:
    recipe = Recipe.from_toml(written(tmp_path, ENSEMBLE))
    network, ridge = recipe.members
    assert isinstance(network, NetworkModel)
    assert network.residual_on == RidgeModel(per_series=False)
    assert (network.training.stopping, network.training.seed) == ("never", 5)
    assert ridge == RidgeModel(alphas=(3.0,))
    assert recipe.correction == CorrectionConfig(days=7, hour_half_life=3)
    assert recipe.trainings == (network.training,)
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.replace("days = 7", "days = 1"), "correction.days.*greater than or equal to 2"),
        (lambda t: t.replace("hour_half_life = 3", "hour_half_life = 0"), "correction.hour_half_life.*greater than 0"),
        (lambda t: t.replace('[[model.members]]\nkind = "ridge"\nalphas = [3.0]\n', ""), "at least 2 items"),
        (lambda t: t.replace('kind = "ridge"\nalpha', 'kind = "seasonal_naive"\nalpha'), "seasonal_naive"),
        (lambda t: t.replace('kind = "ridge"\nalpha', 'kind = "ensemble"\nalpha'), "ensemble"),
        (lambda t: t.replace('"never"', '"late"'), "stopping"),
        (lambda t: t.replace('{ kind = "ridge",', '{ kind = "trees",'), "residual_on"),
    ],
)
def test_a_wrong_ensemble_is_named(tmp_path: Path, change, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RecipeError, match=words):
        Recipe.from_toml(written(tmp_path, change(ENSEMBLE)))


@pytest.mark.parametrize("field", ["alphas", "own_alphas"])
@pytest.mark.parametrize(
    "penalties", [(), (0.0,), (-1.0, 3.0), (3.0, 1.0), (3.0, 3.0), (1.0, float("inf")), (1.0, float("nan"), 3.0)]
)
def test_penalties_of_a_ridge_ascend_above_zero(field: str, penalties: tuple[float, ...]) -> None:
    with pytest.raises(RecipeError, match=f"penalties {field} = .*expected one or more.*Correct model.{field}"):
        RidgeModel.model_validate({field: penalties})


def test_the_single_penalty_of_an_old_recipe_is_read_as_a_fixed_one() -> None:
    old = {"kind": "ridge", "alpha": 3.0, "per_series": False}
    assert RidgeModel.model_validate(old) == RidgeModel(alphas=(3.0,), per_series=False)
    with pytest.raises(ValidationError, match=r"alpha\n.*not permitted"):
        RidgeModel.model_validate({"alpha": 3.0, "alphas": (1.0, 3.0)})


@pytest.mark.parametrize(("penalties", "middle"), [((7.0,), 7.0), ((1.0, 2.0, 3.0, 4.0), 2.0), ((1.0, 2.0, 3.0), 2.0)])
def test_the_middle_penalty_is_taken_where_none_is_chosen(penalties: tuple[float, ...], middle: float) -> None:
    assert RidgeModel(alphas=penalties).alpha == middle


def test_seeds_are_counted_on_over_the_networks() -> None:
    members = (TINY.model, TreesModel(), TINY_ON_RIDGE.model)
    recipe = TINY.model_copy(update={"model": EnsembleModel(members=members)})  # type: ignore[arg-type]
    assert [training.seed for training in recipe.seeded(7).trainings] == [7, 9]
    assert [training.seed for training in TINY.seeded(7).trainings] == [7]
    ridge = Recipe(name="r", model=RidgeModel())
    assert ridge.seeded(7) == ridge
    assert ridge.members == (RidgeModel(),)
    assert ridge.trainings == ()


@pytest.mark.parametrize("seed", [-1, LARGEST_SEED])
def test_seeds_of_all_networks_are_ones_that_a_recipe_may_hold(seed: int) -> None:
    both = TINY.model_copy(update={"model": EnsembleModel(members=(TINY.model, TINY.model))})  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match=f"seed {seed}.* for 2 models; expected 0 to {LARGEST_SEED - 1}"):
        both.seeded(seed)
    last = both.seeded(LARGEST_SEED - 1)
    assert Recipe.model_validate_json(last.model_dump_json()) == last


@pytest.mark.parametrize("context", ["7", " 7 ", "+7", "-7"])
def test_a_context_without_its_unit_is_refused(context: str) -> None:
    with pytest.raises(RecipeError, match=r"without a unit; expected .*such as 7d or 48h\. Add the unit"):
        Recipe(name="r", model=RidgeModel(), context=context)


def test_a_context_shorter_than_a_step_is_refused_where_it_meets_the_step() -> None:
    recipe = Recipe(name="r", model=RidgeModel(), context="30min")
    assert recipe.context_steps(pd.Timedelta("30min")) == 1
    with pytest.raises(RecipeError, match=r"context 30min of recipe 'r', on steps of 0 days 01:00:00; expected .*one"):
        recipe.context_steps(pd.Timedelta("1h"))


@pytest.mark.parametrize(
    ("field", "value"),
    [("seed", -1), ("seed", 2**31), ("threads", 0), ("threads", 257), ("rate", float("inf")), ("rate", float("nan"))],
)
def test_what_no_training_could_use_is_refused(field: str, value: float) -> None:
    with pytest.raises(ValidationError, match=field):
        TrainingConfig.model_validate({field: value})


def test_lags_beyond_the_reach_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"same_hour_days 8 with reach_days 7; expected .*Raise features.reach_days"):
        FeatureConfig(same_hour_days=8, reach_days=7)
    assert FeatureConfig(same_hour_days=7, reach_days=7).same_hour_days == 7


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.replace("epochs = 2", "epocs = 2"), "model.*epocs"),
        (lambda t: t.replace("epochs = 2", "epochs = 0"), "model.*epochs.*greater than or equal to 1"),
        (lambda t: t.replace('"3d"', '"30d"'), "context 30d is longer than reach_days 10"),
        (lambda t: t.replace('"3d"', '"NaT"'), r"context is 'NaT'; expected .*such as 7d"),
        (lambda t: t.replace('"3d"', '"a week"'), r"context is 'a week'; expected .*such as 7d"),
        (lambda t: t.replace('"3d"', '"-3d"'), "context -3d must be longer than nothing"),
        (lambda t: t.replace('kind = "network"', 'kind = "oracle"'), "oracle"),
        (lambda t: t.replace('"mine"', '"Mein Rezept"'), "name"),
        (lambda t: "quantiles = [0.1, 0.9]" + t, "must ascend and hold 0.5"),
        (lambda t: "quantiles = [0.9, 0.5]" + t, "must ascend and hold 0.5"),
        (lambda t: "quantiles = [0.5, 1.0]" + t, "between 0 and 1"),
        (lambda t: t + "= nonsense", "is not TOML"),
        (lambda t: t.encode("utf-16"), "is not TOML"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, change, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RecipeError, match=words):
        Recipe.from_toml(written(tmp_path, change(TOML)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.toml cannot be read"):
        Recipe.from_toml(tmp_path / "none.toml")


def test_knobs_do_not_move_once_set() -> None:
    recipe = Recipe(name="r", model=RidgeModel())
    with pytest.raises(ValidationError, match="frozen"):
        recipe.name = "s"


def test_a_task_refuses_contradictions() -> None:
    with pytest.raises(RecipeError, match="the gate D-1T10:00 with every 1d; expected every delivery-day"):
        Task(horizon=24, every="1d", gate="D-1T10:00")
    with pytest.raises(RecipeError, match="a horizon of 0 steps; expected 1 or more"):
        Task(horizon=0)
