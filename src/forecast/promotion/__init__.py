"""Promotion with proof: a challenger judged on days that came after both trainings, decided once, and taken back.

`judge` lets champion and challenger answer the same fresh days, `decide` weighs them, `carry_out` keeps the decision,
tells it in MLflow and moves the aliases; `rollback` makes the previous version champion again.
"""

from forecast.promotion.contenders import Contender, Contenders, contenders
from forecast.promotion.decide import Trial, decide, next_look
from forecast.promotion.fresh import fresh_days, from_data, from_ledger
from forecast.promotion.judging import Judged, carry_out, judge, read_judged
from forecast.promotion.rollback import rollback

__all__ = [
    "Contender", "Contenders", "Judged", "Trial", "carry_out", "contenders", "decide", "fresh_days", "from_data",
    "from_ledger", "judge", "next_look", "read_judged", "rollback",
]  # fmt: skip
