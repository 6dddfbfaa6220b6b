"""`Recall`: what was worked out of a table is kept as long as the table is, and asked again for the same question.

The memory of stored series hands out one table for one knowledge (`memory`): who asks the same of it, hears the same.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from typing import Generic, TypeVar

from forecast.tables import Demand

Value = TypeVar("Value")
MOST = 64
"""Questions that are remembered of one table."""


class Recall(Generic[Value]):
    """Answers by table and question; they go when the table goes, so no value may hold the table.

    >>> from forecast.tables import Columns
    >>> import numpy as np, pandas as pd
    >>> hour = pd.Timedelta("1h")
    >>> table = Demand((), Columns(), hour, "MW", 0 * hour, np.zeros((0, 1), np.float32))
    >>> recall = Recall[int]()
    >>> recall.get(table, "a"), recall.put(table, "a", 1), recall.get(table, "a")
    (None, 1, 1)
    """

    def __init__(self) -> None:
        self._known: weakref.WeakKeyDictionary[Demand, dict[Hashable, Value]] = weakref.WeakKeyDictionary()

    def get(self, table: Demand, question: Hashable) -> Value | None:
        """What was worked out, if it was."""
        known = self._known.get(table)
        return None if known is None else known.get(question)

    def put(self, table: Demand, question: Hashable, value: Value) -> Value:
        """Keeps a value, and returns it."""
        known = self._known.setdefault(table, {})
        if len(known) >= MOST:
            known.clear()
        known[question] = value
        return value
