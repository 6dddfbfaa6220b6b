"""How many work at once: threads of a process beside others, and processes on this machine."""

from __future__ import annotations

import os
from multiprocessing import parent_process

import torch


def one_thread() -> None:
    """Keeps this process to one thread: two spinning pools on two cores slow each other down many times over."""
    torch.set_num_threads(1)


def cores() -> int:
    """How many processes may work side by side: the cores that this one may use, or 1 in a worker beside others."""
    if parent_process() is not None:
        return 1
    # Not every system tells which cores a process is bound to.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
