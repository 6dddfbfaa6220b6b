"""`Recipe`: every knob of one training run; `Task`: what the forecaster will be asked."""

from forecast.recipe.models import (
    EnsembleModel,
    FeatureConfig,
    Member,
    Model,
    NetworkModel,
    PretrainingConfig,
    RidgeModel,
    SeasonalNaiveModel,
    TrainingConfig,
    TreesModel,
)
from forecast.recipe.recipe import CorrectionConfig, QualityTreatment, Recipe, Task, WeatherShown

__all__ = [
    "CorrectionConfig",
    "EnsembleModel",
    "FeatureConfig",
    "Member",
    "Model",
    "NetworkModel",
    "PretrainingConfig",
    "QualityTreatment",
    "Recipe",
    "RidgeModel",
    "SeasonalNaiveModel",
    "Task",
    "TrainingConfig",
    "TreesModel",
    "WeatherShown",
]
