"""How many work at once: threads of a process beside others, and processes on this machine."""

from __future__ import annotations

import os
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from threading import Thread

import torch


def begin_worker() -> None:
    """What a worker process does first: keeps to one thread, and ends when its parent has ended, however that ended.

    Two spinning pools on two cores slow each other down many times over; and a pool's worker whose parent was killed
    would wait for its next task for ever.
    """
    torch.set_num_threads(1)
    parent = parent_process()
    if parent is not None:
        Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def cores() -> int:
    """How many processes may work side by side: the cores that this one may use, or 1 in a worker beside others."""
    if parent_process() is not None:
        return 1
    # Not every system tells which cores a process is bound to.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
