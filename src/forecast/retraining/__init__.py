"""A retraining in steps that hand each other folders: take the table, walk recipes, judge, train the winner, publish;
and where series have parents, sum up.

The flow, the demo and the tests run these same steps; each reads and writes plain files below one work folder.
"""

from forecast.retraining.judgement import CHAMPION, Judgement, judge, read_judgement
from forecast.retraining.kept import JUDGEMENT, REPORT, WALK, load_fitted, save_fitted
from forecast.retraining.parents import take_parents
from forecast.retraining.plan import REFERENCE, RetrainingPlan
from forecast.retraining.steps import count_windows, publish, take_table, train_winner, walk_recipe
from forecast.retraining.sums import Sums, log_sums, next_sums, read_sums, sum_up

__all__ = [
    "CHAMPION", "JUDGEMENT", "REFERENCE", "REPORT", "WALK", "Judgement", "RetrainingPlan", "Sums", "count_windows",
    "judge", "load_fitted", "log_sums", "next_sums", "publish", "read_judgement", "read_sums", "save_fitted", "sum_up",
    "take_parents", "take_table", "train_winner", "walk_recipe",
]  # fmt: skip
