"""The registry of trained forecasters, kept by MLflow.

`reader` finds and fetches one without importing mlflow (the service and `forecast predict` use it); `writer` logs
retrainings, registers versions and moves the aliases; `report` logs a whole retraining with one call.
"""

from forecast.registry.reader import ModelRef, ModelVersion, aliases, resolve, versions

__all__ = ["ModelRef", "ModelVersion", "aliases", "resolve", "versions"]
