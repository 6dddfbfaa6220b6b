"""`usual`: the search space of somebody who names none, and why some of its fields are not searched."""

from __future__ import annotations

from typing import Any, NamedTuple

from forecast.errors import RecipeError
from forecast.features import fit_features
from forecast.features.weather import ABOVE
from forecast.recipe import EnsembleModel, NetworkModel, Recipe, RidgeModel, TreesModel
from forecast.search.folds import DAY
from forecast.search.space import Scalar, Space, changed, value_of
from forecast.tables import Demand
from forecast.training.ridge import OWN_DAYS

Fields = dict[str, Any]

COLUMNS: Fields = {
    "features.same_hour_days": [3, 7, 14],
    "features.similar_days": [True, False],
    "features.recent": [True, False],
    "features.knots": [3, 5, 7, 9, 12],
    "context": ["3d", "7d", "14d"],
}
RIDGE: Fields = {
    **COLUMNS,
    "model.alphas.0": {"low": 0.1, "high": 1000.0, "log": True},
    "model.per_series": [True, False],
}
NETWORK: Fields = {
    "model.training.rate": {"low": 5e-4, "high": 1e-2, "log": True},
    "model.training.weight_decay": {"low": 1e-3, "high": 1e-1, "log": True},
    "model.training.epochs": [15, 20, 30, 40],
    "model.network.dropout": {"low": 0.0, "high": 0.3},
    "model.network.encoder.width": [32, 48, 64, 96],
    "model.network.decoder.dropout": {"low": 0.0, "high": 0.4},
}
TREES: Fields = {
    "model.iterations": [75, 150, 300],
    "model.rate": {"low": 0.02, "high": 0.2, "log": True},
    "model.leaves": [15, 31, 63],
    "model.min_leaf": [10, 20, 40, 80],
}
NETWORKS: Fields = {
    "model.members.*.training.rate": {"low": 1e-3, "high": 6e-3, "log": True},
    "model.members.*.training.epochs": [15, 20, 30, 40],
    "model.members.*.network.decoder.dropout": {"low": 0.0, "high": 0.4},
}


class Usual(NamedTuple):
    """A recipe's usual space on a table.

    Attributes:
        space: of the fields that can change a forecast of this table.
        left_out: the other fields, and values, that are looked at for the recipe's kind, each with the reason.
    """

    space: Space
    left_out: dict[str, str]


def usual(recipe: Recipe, demand: Demand) -> Usual:
    """What usually matters of a recipe of this kind and can act on this table.

    Args:
        recipe: the base.
        demand: what is known when the search begins.

    Raises:
        RecipeError: nothing of the recipe can be searched. NotEnoughHistory: no value of y is known.
    """
    fields: Fields = {}
    left_out: dict[str, str] = {}
    for name, common in _of_kind(recipe).items():
        why = _idle(name, recipe, demand)
        values = _with_own(common, value_of(recipe, name)) if why is None else common
        refused = _refused(name, values, recipe) if why is None else {}
        kept = [value for value in values if value not in refused] if isinstance(values, list) else values
        if why is not None:
            left_out[name] = why
        elif refused and (isinstance(values, dict) or len(kept) < 2):
            left_out[name] = next(iter(refused.values()))
        else:
            fields[name] = kept
            left_out |= {f"{name} = {value}": why for value, why in refused.items()}
    if not fields:
        told = "".join(f"; {name}: {why}" for name, why in left_out.items())
        raise RecipeError(f"recipe '{recipe.name}' has nothing to search{told}", "a network, a ridge or trees")
    return Usual(Space.of(recipe, fields), left_out)


def _of_kind(recipe: Recipe) -> Fields:
    """The fields that are looked at for a recipe of this kind."""
    match recipe.model:
        case NetworkModel():
            return NETWORK
        case RidgeModel():
            return RIDGE
        case TreesModel():
            return TREES
        case EnsembleModel(members=members):
            return NETWORKS if any(isinstance(one, NetworkModel) for one in members) else COLUMNS
        case _:
            return {}


def _idle(name: str, recipe: Recipe, demand: Demand) -> str | None:
    """Why a field would change nothing; None where it acts."""
    model = recipe.model
    if name == "features.knots" and not _bends(recipe, demand):
        return "no covariate has hinges"
    if name == "model.alphas.0" and isinstance(model, RidgeModel) and len(model.alphas) > 1:
        return f"the ridge itself chooses among {len(model.alphas)} penalties"
    if name == "model.per_series" and not _own(demand):
        return f"it takes two series and {OWN_DAYS} days of one"
    if name == "model.training.weight_decay" and isinstance(model, NetworkModel):
        rule = model.training.optimiser
        return None if rule in ("adamw", "sgd") else f"{rule} has no weight decay"
    return None


def _bends(recipe: Recipe, demand: Demand) -> bool:
    """Whether knots make columns of this table: of flags, and of short histories of weather, they make none."""
    config = recipe.features.model_copy(update={"knots": max(COLUMNS["features.knots"])})
    features = fit_features(config, demand, recipe.context_steps(demand.step))
    return any(ABOVE in name for name in features.future_names)


def _own(demand: Demand) -> bool:
    """Whether a series can have weights of its own beside those of all together."""
    known = demand.last_known_end()
    return len(demand.series) > 1 and any((known - one.start) / DAY >= OWN_DAYS for one in demand.series)


def _with_own(values: Any, own: Scalar) -> Any:
    """The values and the recipe's own, so that the recipe as it is can be the first trial."""
    if isinstance(values, list):
        return values if own in values else [own, *values]
    if not isinstance(own, int | float) or (values.get("log") and own <= 0):
        return values
    return values | {"low": min(values["low"], own), "high": max(values["high"], own)}


def _refused(name: str, values: Any, recipe: Recipe) -> dict[Scalar, str]:
    """The values, of a range its ends, that the recipe does not accept, and what it says of each."""
    refused: dict[Scalar, str] = {}
    for value in [values["low"], values["high"]] if isinstance(values, dict) else values:
        try:
            changed(recipe, {name: value})
        except RecipeError as error:
            refused[value] = error.found
    return refused
