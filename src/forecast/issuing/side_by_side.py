"""Blocks worked off one after the other, or side by side in processes that each open the store and load the models."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext

import pandas as pd

from forecast import clock
from forecast.errors import ForecastError
from forecast.issuing.block import issue_block
from forecast.issuing.due import Block
from forecast.issuing.issuance import Issuance
from forecast.issuing.speakers import Speakers
from forecast.settings import Settings
from forecast.store import Store


def each(
    store: Store, settings: Settings, blocks: Sequence[Block], speakers: Speakers, workers: int
) -> Iterator[Issuance]:  # fmt: skip
    """What became of each block, as they are done.

    Args:
        store: that is open in this process.
        settings: of registry and cache.
        blocks: to be answered.
        speakers: whom to ask.
        workers: processes; 1: this one.

    Raises:
        ForecastError: a block failed, or a process died; what was written before stays.
    """
    if workers == 1 or len(blocks) < 2:
        for block in blocks:
            yield issue_block(store, settings, block, speakers)
        return
    url, moment = store.engine.url.render_as_string(hide_password=False), clock.simulated()
    # Not forked: threads and locks of this process would be copied with it.
    pool = ProcessPoolExecutor(min(workers, len(blocks)), multiprocessing.get_context("spawn"))
    try:
        left = {pool.submit(_elsewhere, url, settings, block, speakers, moment) for block in blocks}
        while left:
            ended, left = wait(left, return_when=FIRST_COMPLETED)
            for one in ended:
                yield one.result()
    except BrokenProcessPool:
        raise ForecastError(
            "a process that forecasts died", "memory for all of them",
            "run it again, and what is written is not said again; fewer workers or a smaller batch need less memory",
        ) from None  # fmt: skip
    finally:
        pool.shutdown(cancel_futures=True)


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
