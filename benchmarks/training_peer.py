"""neuralforecast's LSTM as `benchmarks/training.py` asks it: trains in its own environment, told from outside how far.

Reads a CSV (unique_id, ds, y), says "ready" after its first steps, then for every line on stdin makes so many more
steps and prints the seconds of the clock and of the processor that they took. Nothing of this product is imported: its
environment holds neuralforecast.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Any

import pandas as pd
import pytorch_lightning
import torch
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import MQLoss
from neuralforecast.models import LSTM

LEVELS = [0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975]
WARM = 2


class Told(pytorch_lightning.Callback):  # type: ignore[misc]
    """Counts steps, and waits for a word after so many."""

    def __init__(self, steps: int) -> None:
        self.left, self.steps = WARM, steps
        self.began: tuple[float, float] | None = None

    def on_train_batch_end(self, *_: Any) -> None:
        """One step is over."""
        self.left -= 1
        if self.left:
            return
        now = time.perf_counter(), time.process_time()
        print(" ".join(str(b - a) for a, b in zip(self.began, now, strict=True)) if self.began else "ready", flush=True)
        if not sys.stdin.readline():
            os._exit(0)
        self.left, self.began = self.steps, (time.perf_counter(), time.process_time())


def main() -> None:
    """`python training_peer.py DATA.csv STEPS THREADS FLUSH`."""
    path, steps, threads, flush = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "flush"
    if threads:
        torch.set_num_threads(threads)
    if flush:
        torch.set_flush_denormal(True)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    model = LSTM(
        h=24, input_size=168, encoder_n_layers=2, encoder_hidden_size=128, loss=MQLoss(quantiles=LEVELS),
        batch_size=1, windows_batch_size=256, max_steps=1_000_000, scaler_type="standard", callbacks=[Told(steps)],
        accelerator="cpu", enable_progress_bar=False, enable_checkpointing=False, enable_model_summary=False,
        logger=False,
    )  # fmt: skip
    NeuralForecast(models=[model], freq="h").fit(pd.read_csv(path, parse_dates=["ds"]))


if __name__ == "__main__":
    main()
