"""How many processes may work at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from forecast.training import cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores")
def test_only_the_cores_that_this_process_may_use_count() -> None:
    allowed = os.sched_getaffinity(0)
    assert cores() == len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


EIGHT = """
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from forecast.training import cores
os.sched_getaffinity = lambda _: set(range(8))
if __name__ == "__main__":
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        print(cores(), pool.submit(cores).result())
"""


def test_a_worker_takes_one_core_of_eight(tmp_path: Path) -> None:
    (tmp_path / "eight.py").write_text(EIGHT)
    done = subprocess.run([sys.executable, tmp_path / "eight.py"], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["8", "1"], done.stderr
