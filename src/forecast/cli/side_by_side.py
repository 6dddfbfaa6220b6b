"""Jobs in processes of their own, with their progress bars here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.managers import SyncManager
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any, TypeVar

from forecast.cli.console import Bars

Result = TypeVar("Result")
Told = tuple[str, str, int, int, dict[str, float]]


class Courier:
    """A training's progress, carried from another process; a `training.Progress`."""

    def __init__(self, queue: Queue[Told], model: str) -> None:
        self.queue, self.model = queue, model

    def epoch(self, stage: str, epoch: int, epochs: int, metrics: dict[str, float]) -> None:
        """Sends one epoch's news."""
        self.queue.put((self.model, stage, epoch, epochs, metrics))


def side_by_side(
    jobs: Mapping[str, Callable[..., Result]], bars: Bars, workers: int | None = None
) -> dict[str, Result]:
    """Runs picklable jobs, each called with `training=Courier`, two at a time on two cores.

    Args:
        jobs: by the name that their bars carry.
        bars: where progress is shown.
        workers: processes; one per core where None.
    """
    from forecast.training import begin_worker, cores

    context = get_context("spawn")
    count = workers or min(len(jobs), cores())
    with context.Manager() as manager, ProcessPoolExecutor(count, mp_context=context, initializer=begin_worker) as pool:
        queue, over = _queue(manager), Event()
        listener = Thread(target=_listen, args=(queue, over, bars), daemon=True)
        listener.start()
        futures = {name: pool.submit(job, training=Courier(queue, name)) for name, job in jobs.items()}
        try:
            return {name: future.result() for name, future in futures.items()}
        finally:
            over.set()
            listener.join(timeout=5)


def _queue(manager: SyncManager) -> Any:
    return manager.Queue()


def _listen(queue: Queue[Told], over: Event, bars: Bars) -> None:
    while not over.is_set():
        try:
            model, stage, epoch, epochs, metrics = queue.get(timeout=0.2)
        except Empty:
            continue
        except (EOFError, OSError):
            return
        bars.epoch(model, stage, epoch, epochs, metrics)
