"""Blocks worked off one after the other, or side by side in processes that each open the store and load the models.

The processes are this machine's or, by a setting, the workers of a Dask scheduler, who reach the same database and the
same files of models. A block that a lost worker had is done by another: what it had written is not written again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, wait
from contextlib import nullcontext

import pandas as pd

from forecast import clock
from forecast.crew import crew
from forecast.errors import ForecastError
from forecast.issuing.block import issue_block
from forecast.issuing.due import Block
from forecast.issuing.issuance import Issuance
from forecast.issuing.speakers import Speakers
from forecast.settings import Settings
from forecast.store import Store


def each(
    store: Store, settings: Settings, work: Sequence[tuple[Block, Speakers]], workers: int
) -> Iterator[Issuance]:  # fmt: skip
    """What became of each block, as they are done.

    Args:
        store: that is open in this process.
        settings: of registry, cache and scheduler.
        work: the blocks to be answered, each with those who are asked.
        workers: processes of this machine, where no scheduler is set; 1: this one.

    Raises:
        ForecastError: a block failed, or a process died; what was written before stays.
    """
    url, moment = store.engine.url.render_as_string(hide_password=False), clock.simulated()
    try:
        with crew(min(workers, len(work)), settings.dask_scheduler) as pool:
            if pool is None:
                for block, speakers in work:
                    yield issue_block(store, settings, block, speakers)
                return
            left = {pool.submit(_elsewhere, url, settings, block, speakers, moment) for block, speakers in work}
            while left:
                ended, left = wait(left, return_when=FIRST_COMPLETED)
                for one in ended:
                    yield one.result()
    except BrokenExecutor:
        raise ForecastError(
            "a process that forecasts died", "memory for all of them",
            "run it again, and what is written is not said again; fewer workers or a smaller batch need less memory",
        ) from None  # fmt: skip


def _elsewhere(
    url: str, settings: Settings, block: Block, speakers: Speakers, moment: pd.Timestamp | None
) -> Issuance:  # fmt: skip
    with nullcontext() if moment is None else clock.using(moment):
        return issue_block(_opened(url, settings), settings, block, speakers)


def _opened(url: str, settings: Settings) -> Store:
    """The store of this process, opened once."""
    if url not in _stores:
        _stores[url] = Store.open(url, settings)
    return _stores[url]


_stores: dict[str, Store] = {}
