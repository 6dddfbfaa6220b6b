"""A retraining in steps that hand each other folders: take the table, walk recipes, judge, train the winner, publish.

The flow, the demo and the tests run these same steps; each reads and writes plain files below one work folder.
"""

from forecast.retraining.judgement import CHAMPION, Judgement, judge, read_judgement
from forecast.retraining.kept import JUDGEMENT, REPORT, WALK, load_fitted, save_fitted
from forecast.retraining.plan import REFERENCE, RetrainingPlan
from forecast.retraining.steps import count_windows, publish, take_table, train_winner, walk_recipe

__all__ = [
    "CHAMPION", "JUDGEMENT", "REFERENCE", "REPORT", "WALK", "Judgement", "RetrainingPlan", "count_windows", "judge",
    "load_fitted", "publish", "read_judgement", "save_fitted", "take_table", "train_winner", "walk_recipe",
]  # fmt: skip
