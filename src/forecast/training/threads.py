"""Threads of a process that works beside others."""

from __future__ import annotations

import torch


def one_thread() -> None:
    """Keeps this process to one thread: two spinning pools on two cores slow each other down many times over."""
    torch.set_num_threads(1)
