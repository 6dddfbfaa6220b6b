"""`fit`: from a table, a recipe and a task to a trained `Forecaster`."""

from forecast.training.fitting import Fitted, TrainingReport, fit
from forecast.training.progress import Progress, Silent
from forecast.training.threads import one_thread

__all__ = ["Fitted", "Progress", "Silent", "TrainingReport", "fit", "one_thread"]
