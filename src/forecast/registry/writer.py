"""Everything that writes to MLflow, by one name: runs, logged forecasters, versions and their aliases."""

from forecast.registry.listing import aliases, versions
from forecast.registry.models import (
    CHALLENGER,
    CHAMPION,
    PREVIOUS,
    LoggedForecaster,
    Verdict,
    example_inputs,
    log_forecaster,
    promote,
    register,
)
from forecast.registry.runs import Run, demand_tags, recipe_params, retraining
from forecast.registry.single import register_folder
from forecast.registry.store import Store, open_store
from forecast.registry.versions import ModelVersion

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "PREVIOUS",
    "LoggedForecaster",
    "ModelVersion",
    "Run",
    "Store",
    "Verdict",
    "aliases",
    "demand_tags",
    "example_inputs",
    "log_forecaster",
    "open_store",
    "promote",
    "recipe_params",
    "register",
    "register_folder",
    "retraining",
    "versions",
]
