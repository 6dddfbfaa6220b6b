"""What retrainings left in the work folder and nothing has read for long: all of it can be made again."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from forecast.registry.tidying import last_used

ROOMS = ("walks", "winners", "judged")
RESULTS = "results"
"""Prefect's own notes on kept steps; they name paths, and are nothing without them."""


def leftovers(work: Path, before: pd.Timestamp) -> list[Path]:
    """Tables, walks, trained winners and judgements that nobody has written or read since a moment.

    Args:
        work: the folder.
        before: the moment (aware).
    """
    if not work.is_dir():
        return []
    every = [*work.glob("table-*.parquet"), *(one for room in (*ROOMS, RESULTS) for one in (work / room).glob("*"))]
    return sorted(one for one in every if last_used(one) < before)
