"""`fit`: from a table, a recipe and a task to a trained `Forecaster`."""

from forecast.training.fitting import Fitted, TrainingReport, fit
from forecast.training.progress import Progress, Silent
from forecast.training.refreshing import refresh, refresh_fitted
from forecast.training.threads import begin_worker, cores

__all__ = [
    "Fitted", "Progress", "Silent", "TrainingReport", "begin_worker", "cores", "fit", "refresh", "refresh_fitted",
]  # fmt: skip
