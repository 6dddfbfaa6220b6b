"""`catching_up`: one series after the other, each in windows from where it was read to what is ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pandas as pd

from forecast import clock
from forecast.sources.contract import Batch, Mark
from forecast.sources.reach import going_on, reached, read_until, windows, with_reach

AHEAD = pd.Timedelta("2D")
"""How far beyond now is asked for: forecasts are published a day or two before."""
Asked = Callable[[str, pd.Timestamp, pd.Timestamp, "Mark | None"], tuple[Batch, "pd.Timestamp | None"]]
"""What a code has to tell within [begin, end), and the end of its last measured period there."""


def catching_up(
    asked: Asked, codes: Iterable[str], mark: Mark | None, start: pd.Timestamp, look_back: pd.Timedelta,
    window: pd.Timedelta,
) -> Iterator[Batch]:  # fmt: skip
    """The batches of a source that is read code by code; each carries the mark after it.

    Args:
        asked: called with a code, a window and the mark so far; the mark of its batch holds parts to be added, by code.
        codes: what is read.
        mark: of the last reading.
        start: the first moment to read.
        look_back: what is read again.
        window: the longest span to ask for.
    """
    for code in codes:
        before = read_until(mark, "until", code)
        since = going_on(before, start, look_back).floor("h")
        for begin, end in windows(since, clock.now().ceil("h") + AHEAD, window):
            batch, seen = asked(code, begin, end, mark)
            before = reached(before, seen, end)
            mark = with_reach(mark, "until", {code: before} if before is not None else {})
            for part, told in (batch.mark or {}).items():
                mark = with_reach(mark, part, told)
            yield replace(batch, mark=mark)
