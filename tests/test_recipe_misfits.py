"""What does not fit in a recipe's file is told by the names that stand in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from forecast.errors import RecipeError
from forecast.recipe import NetworkModel, Recipe, RidgeModel

HEAD = 'name = "mine"\n'
NETWORK = HEAD + '[model]\nkind = "network"\n[model.network]\n'


def read(folder: Path, text: str) -> Recipe:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return Recipe.from_toml(path)


def told(folder: Path, text: str) -> str:
    """What stands in the brackets of the refusal."""
    with pytest.raises(RecipeError) as refused:
        read(folder, text)
    assert "mine.toml" in str(refused.value)
    return refused.value.found.partition("does not fit (")[2].removesuffix(")")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (NETWORK + "[model.training]\nepochs = 0", "model.training.epochs = 0: Input should be greater than"),
        (NETWORK + '[model.network.encoder]\nkind = "gru"\nwidth = 0', "model.network.encoder.width = 0: Input"),
        (NETWORK + '[model.network.highway]\nkind = "hourly"\nhourly = "x"', 'model.network.highway.hourly = "x": '),
        (NETWORK + "encoder = 3", "model.network.encoder = 3: must be a table"),
        (NETWORK + "encoder = { width = 3 }", "model.network.encoder.kind: is missing; one of 'rnn', 'lstm', 'gru', "),
        (NETWORK + 'encoder = { kind = "grru" }', "model.network.encoder.kind = \"grru\": none of 'rnn', 'lstm', "),
        (HEAD + 'model = { kind = ["gru"] }', "model.kind: none of 'network', "),
        (HEAD + "[[model]]\nkind = 3", "model: must be a table"),
        (HEAD, "model: is missing"),
        (HEAD + 'quantiles = [0.1, 0.9]\nmodel = { kind = "ridge" }', "recipe: quantiles (0.1, 0.9) must ascend"),
        (HEAD + 'model = { kind = "ridge", alphas = [1.0, "x"] }', 'model.alphas.1 = "x": Input should be a valid'),
        (HEAD + 'model = { kind = "ridge", alpha = "x" }', 'model.alphas = "x": Input should be a valid'),
    ],
)
def test_a_path_is_the_one_of_the_file(tmp_path: Path, text: str, words: str) -> None:
    assert told(tmp_path, text).startswith(words)


def test_every_branch_of_one_field_is_told_once(tmp_path: Path) -> None:
    said = told(tmp_path, NETWORK + 'patch = "x"')
    assert said.count("model.network.patch") == 1
    assert said.startswith("model.network.patch = \"x\": Input should be 'auto' or Input should be a valid integer")
    assert told(tmp_path, NETWORK + "patch = { hours = 6 }").startswith("model.network.patch: Input should be 'auto'")


def test_members_are_counted_and_a_list_with_a_misfit_is_not_called_short(tmp_path: Path) -> None:
    members = "[{ kind = 'ridge' }, { kind = 'network', network = {}, training = { epochs = 0 } }, { kind = 'x' }]"
    said = told(tmp_path, f"{HEAD}[model]\nkind = 'ensemble'\nmembers = {members}")
    first, second = said.split("; ")
    assert first == "model.members.1.training.epochs = 0: Input should be greater than or equal to 1"
    assert second == "model.members.2.kind = \"x\": none of 'network', 'ridge', 'trees'"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            NETWORK + '[model.training]\noptimizer = "sgd"',
            "model.training.optimizer: no such field, did you mean optimi",
        ),
        (
            NETWORK + "[model.network.decoder]\nkind = 'direct'\nwidht = 3",
            "model.network.decoder.widht: no such field, d",
        ),
        (NETWORK + "[features]\nlr = 3", "features.lr: no such field; there are reach_days, same_hour_days, similar"),
        (HEAD + 'contxt = "7d"\nmodel = { kind = "ridge" }', "contxt: no such field, did you mean context?"),
        (HEAD + 'model = { kind = "ridge", epochs = 3 }', "model.epochs: no such field; there are kind, alphas, "),
    ],
)
def test_an_unknown_field_names_a_near_one_or_all(tmp_path: Path, text: str, words: str) -> None:
    assert told(tmp_path, text).startswith(words)


def test_a_contradiction_between_fields_names_the_file_too(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"recipe file .*mine\.toml: width 10 with 4 heads; expected a width that"):
        read(tmp_path, NETWORK + 'encoder = { kind = "transformer", width = 10 }')


PARTS = (
    NETWORK
    + """
highway = SWITCH
outlook = SWITCH
neighbours = SWITCH
decoder = { kind = "direct", same_hour = SWITCH }
[model.training]
pretrain = SWITCH
"""
)


def test_false_leaves_a_part_out_and_true_is_its_defaults(tmp_path: Path) -> None:
    for switch in (True, False):
        text = PARTS.replace("SWITCH", str(switch).lower())
        head = f"correction = {str(switch).lower()}\n"
        recipe = read(tmp_path, head + text.replace("[model.network]\n", "residual_on = true\n[model.network]\n"))
        assert isinstance(recipe.model, NetworkModel)
        network, training = recipe.model.network, recipe.model.training
        assert recipe.model.residual_on == RidgeModel()
        parts = (network.highway, network.outlook, network.neighbours, training.pretrain, recipe.correction)
        looked = getattr(network.decoder, "same_hour", None)
        for part in (*parts, looked):
            assert (part == type(part)()) if switch else (part is None)
        assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
