"""Worker processes: one thread each, and none of them outlives a parent that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
import torch
from forecast.training import begin_worker

def tell(_):
    return os.getpid(), torch.get_num_threads()

if __name__ == "__main__":
    pool = ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=begin_worker)
    print(*pool.submit(tell, 0).result(), flush=True)
    if sys.argv[1] == "wait":
        time.sleep(600)
    pool.shutdown()
"""


def start(path: Path, how: str) -> subprocess.Popen[str]:
    path.write_text(PROGRAM, encoding="utf-8")
    return subprocess.Popen([sys.executable, str(path), how], stdout=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str]) -> tuple[int, int]:
    assert process.stdout is not None
    worker, threads = map(int, process.stdout.readline().split())
    return worker, threads


def alive(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_worker_ends_with_a_killed_parent(tmp_path: Path) -> None:
    with start(tmp_path / "program.py", "wait") as process:
        worker, threads = told(process)
        assert threads == 1
        assert alive(worker)
        process.send_signal(signal.SIGKILL)
    for _ in range(600):
        if not alive(worker):
            break
        time.sleep(0.05)
    left = alive(worker)
    if left:
        os.kill(worker, signal.SIGKILL)
    assert not left


def test_a_pool_that_is_closed_ends_in_peace(tmp_path: Path) -> None:
    with start(tmp_path / "program.py", "close") as process:
        told(process)
        assert process.wait(timeout=60) == 0
