"""`fit`: from a table, a recipe and a task to a trained `Forecaster`."""

from forecast.training.fitting import Fitted, TrainingReport, fit
from forecast.training.progress import Progress, Silent
from forecast.training.refreshing import refresh, refresh_fitted
from forecast.training.threads import cores, one_thread

__all__ = ["Fitted", "Progress", "Silent", "TrainingReport", "cores", "fit", "one_thread", "refresh", "refresh_fitted"]
