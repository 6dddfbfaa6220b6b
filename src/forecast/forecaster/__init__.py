"""`Forecaster`: trained, frozen, can predict; saved as a folder without pickles."""

from forecast.forecaster.days import MAX_HORIZON_DAYS, Span, by_zone, day_span, due
from forecast.forecaster.ensemble import Ensemble
from forecast.forecaster.folder import check_target, read_spec, verify
from forecast.forecaster.forecaster import Forecaster
from forecast.forecaster.models import Model, model_class
from forecast.forecaster.replies import Replies, Reply, Wish
from forecast.forecaster.spec import ForecasterSpec

__all__ = [
    "MAX_HORIZON_DAYS",
    "Ensemble",
    "Forecaster",
    "ForecasterSpec",
    "Model",
    "Replies",
    "Reply",
    "Span",
    "Wish",
    "by_zone",
    "check_target",
    "day_span",
    "due",
    "model_class",
    "read_spec",
    "verify",
]
