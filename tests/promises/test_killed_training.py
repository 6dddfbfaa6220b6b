"""A training that is killed at any moment goes on from its checkpoint and ends with the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

PROGRAM = """
import sys
from pathlib import Path
import numpy as np, pandas as pd, torch
torch.set_num_threads(1)
from forecast.recipe import NetworkModel, Recipe, Task, TrainingConfig
from forecast.recipes import named
from forecast.tables import Demand
from forecast.training import fit

ds = pd.date_range("2024-01-01", periods=24 * 60, freq="1h", tz="UTC")
wave = np.sin(np.arange(len(ds)) / 24 * 2 * np.pi)
y = 100 + 20 * wave + np.random.default_rng(1).normal(0, 3, len(ds))
demand = Demand.from_frame(pd.DataFrame({"unique_id": "city", "ds": ds, "y": y}), zone="Europe/Lisbon")
base = named("attention")
config = TrainingConfig(epochs=6, windows_per_epoch=96, patience=9, seed=5)
recipe = base.model_copy(update={"model": base.model.model_copy(update={"training": config})})

class Tell:
    def epoch(self, stage, epoch, epochs, metrics):
        print(stage, epoch, flush=True)

checkpoint = Path(sys.argv[2]) if len(sys.argv) > 2 else None
fit(demand, recipe, Task(horizon=24), checkpoint=checkpoint, progress=Tell()).forecaster.save(Path(sys.argv[1]))
"""


def start(out: Path, checkpoint: Path | None) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", PROGRAM, str(out), *([str(checkpoint)] if checkpoint else [])]
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ)
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """The weights of a run that nobody disturbs and that writes no checkpoint."""
    out = tmp_path_factory.mktemp("undisturbed") / "model"
    process = start(out, None)
    told, _ = process.communicate(timeout=240)
    assert process.returncode == 0, told
    return load_file(out / "weights.safetensors")


LATE = [pytest.param(one, marks=pytest.mark.long) for one in (("learn", 5, 0.05), ("refit", 1, 0.02))]


@pytest.mark.parametrize("kill_after", [("learn", 2, 0.0), *LATE], ids=str)
def test_killed_and_resumed_ends_with_the_same_bits(
    kill_after: tuple[str, int, float], undisturbed: dict[str, np.ndarray], tmp_path: Path
) -> None:
    stage, epoch, pause = kill_after
    with start(tmp_path / "model", tmp_path / "checkpoint") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.split() == [stage, str(epoch)]:
                time.sleep(pause)
                process.send_signal(signal.SIGKILL)
                break
        assert process.wait(timeout=60) == -signal.SIGKILL
    assert not (tmp_path / "model").exists()
    again = start(tmp_path / "model", tmp_path / "checkpoint")
    told, _ = again.communicate(timeout=240)
    assert again.returncode == 0, told
    first_told = told.splitlines()[0].split()
    assert first_told[0] == stage or first_told[1] != "1", f"it began again from nothing: {told}"
    weights = load_file(tmp_path / "model" / "weights.safetensors")
    assert weights.keys() == undisturbed.keys()
    assert all(weights[name].tobytes() == undisturbed[name].tobytes() for name in weights)


@pytest.mark.long
def test_a_checkpoint_of_other_data_is_not_used(tmp_path: Path) -> None:
    process = start(tmp_path / "model", tmp_path / "checkpoint")
    told, _ = process.communicate(timeout=240)
    assert process.returncode == 0, told
    other = PROGRAM.replace("default_rng(1)", "default_rng(2)")
    run = subprocess.run(
        [sys.executable, "-c", other, str(tmp_path / "other"), str(tmp_path / "checkpoint")],
        capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    assert run.stdout.splitlines()[0].split() == ["learn", "1"]


@pytest.mark.long
def test_a_broken_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "learn.safetensors").write_bytes(b"\x10\x00broken")
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "model"), str(tmp_path)],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert "ModelFolderError" in run.stderr
    assert "delete it to start again" in run.stderr.lower()
