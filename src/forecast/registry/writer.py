"""Everything that writes to MLflow, by one name: runs, logged forecasters, versions and their aliases."""

from forecast.registry.decisions import CHALLENGER, CHAMPION, PREVIOUS, Decision, decisions_of, enact
from forecast.registry.listing import aliases, versions
from forecast.registry.models import (
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
    "Decision",
    "LoggedForecaster",
    "ModelVersion",
    "Run",
    "Store",
    "Verdict",
    "aliases",
    "decisions_of",
    "demand_tags",
    "enact",
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
