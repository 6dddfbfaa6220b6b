"""`Forecaster`: trained, frozen, can predict; saved as a folder without pickles."""

from forecast.forecaster.ensemble import Ensemble
from forecast.forecaster.folder import check_target, read_spec, verify
from forecast.forecaster.forecaster import MAX_HORIZON_DAYS, Forecaster, Span
from forecast.forecaster.models import Model, model_class
from forecast.forecaster.spec import ForecasterSpec

__all__ = [
    "MAX_HORIZON_DAYS",
    "Ensemble",
    "Forecaster",
    "ForecasterSpec",
    "Model",
    "Span",
    "check_target",
    "model_class",
    "read_spec",
    "verify",
]
