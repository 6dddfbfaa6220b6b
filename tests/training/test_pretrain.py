"""Masked pre-training as a stage: it learns, changes the encoder alone, and survives a kill."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import load_file

from forecast.features import fit_features
from forecast.networks.arrays import state_arrays
from forecast.networks.configs import DirectConfig, NetworkConfig, RecurrentConfig
from forecast.networks.network import DemandNetwork, build
from forecast.recipe import FeatureConfig, PretrainingConfig, TrainingConfig
from forecast.tables.forecast import LEVELS
from forecast.training.feed import Feed
from forecast.training.learn import network_shape
from forecast.training.pretrain import pretrain
from forecast.training.progress import Silent
from forecast.windows import origins_every
from tests.builders import long_frame, make_demand

CONTEXT, HORIZON = 48, 6


def feed() -> Feed:
    demand = make_demand(long_frame(days=14, gaps=0.1))
    features = fit_features(FeatureConfig(reach_days=2, same_hour_days=1), demand, CONTEXT)
    origins = origins_every(demand, context=CONTEXT, horizon=HORIZON)
    return Feed.of(features, features.window_set(demand, origins, HORIZON))


def network(data: Feed) -> DemandNetwork:
    config = NetworkConfig(encoder=RecurrentConfig(kind="gru", width=12), decoder=DirectConfig(width=8))
    shape = network_shape(data.features, data.windows, LEVELS)
    one = build(config, shape, seed=0)
    one.scaling.fit([inputs for inputs, _, _ in data.spread(256, 256)])
    return one


def settings(epochs: int = 4, windows: int = 256, **config: Any) -> TrainingConfig:
    return TrainingConfig.model_validate(
        {"windows_per_epoch": windows, "rate": 1e-2, "pretrain": {"epochs": epochs, "span": 6}, **config}
    )


def test_the_encoder_learns_to_say_what_is_hidden_and_nothing_else_moves() -> None:
    data = feed()
    one = network(data)
    before = state_arrays(one)
    history = pretrain(one, data, settings(), "cpu", Silent())
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert {row["stage"] for row in history} == {"pretrain"}
    assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]
    moved = {name for name, array in state_arrays(one).items() if not np.array_equal(array, before[name])}
    assert moved
    assert all(name.startswith("encoder.") for name in moved)


def test_a_recipe_without_it_changes_nothing() -> None:
    data = feed()
    one = network(data)
    before = state_arrays(one)
    assert pretrain(one, data, TrainingConfig(), "cpu", Silent()) == []
    assert all(np.array_equal(array, before[name]) for name, array in state_arrays(one).items())


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"share": 0.0}, {"share": 1.0}, {"span": 0}, {"loss": "cosine"}])
def test_impossible_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PretrainingConfig.model_validate(wrong)


PROGRAM = """
import sys
from pathlib import Path
import numpy as np, pandas as pd, torch
from safetensors.numpy import save_file
torch.set_num_threads(1)
torch.set_flush_denormal(True)
from forecast.features import fit_features
from forecast.networks.arrays import state_arrays
from forecast.networks.configs import NetworkConfig, RecurrentConfig
from forecast.networks.network import build
from forecast.recipe import FeatureConfig, TrainingConfig
from forecast.tables import Demand
from forecast.tables.forecast import LEVELS
from forecast.training.learn import network_shape
from forecast.training.feed import Feed
from forecast.training.pretrain import pretrain
from forecast.windows import origins_every

ds = pd.date_range("2024-01-01", periods=24 * 30, freq="1h", tz="UTC")
y = 100 + 20 * np.sin(np.arange(len(ds)) / 24 * 2 * np.pi) + np.random.default_rng(1).normal(0, 3, len(ds))
demand = Demand.from_frame(pd.DataFrame({"unique_id": "city", "ds": ds, "y": y}))
features = fit_features(FeatureConfig(reach_days=2, same_hour_days=1), demand, 48)
data = Feed.of(features, features.window_set(demand, origins_every(demand, context=48, horizon=6), 6))
config = NetworkConfig(encoder=RecurrentConfig(kind="gru", width=12, layers=2, dropout=0.2))
network = build(config, network_shape(features, data.windows, LEVELS), seed=0)
network.scaling.fit([inputs for inputs, _, _ in data.spread(256, 256)])

class Tell:
    def epoch(self, stage, epoch, epochs, metrics):
        print(stage, epoch, flush=True)

path = Path(sys.argv[2]) if len(sys.argv) > 2 else None
training = TrainingConfig(windows_per_epoch=256, pretrain={"epochs": 5, "span": 6})
pretrain(network, data, training, "cpu", Tell(), path, "key")
save_file(state_arrays(network), sys.argv[1])
"""


def run(program: Path, monkeypatch: pytest.MonkeyPatch, *arguments: Path) -> None:
    """The program in this process."""
    monkeypatch.setattr(sys, "argv", [str(program), *map(str, arguments)])
    runpy.run_path(str(program))


@pytest.mark.long
def test_killed_and_resumed_it_ends_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program, checkpoint = tmp_path / "program.py", tmp_path / "checkpoint" / "pretrain.safetensors"
    program.write_text(PROGRAM, encoding="utf-8")
    arguments = [sys.executable, str(program), str(tmp_path / "killed"), str(checkpoint)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.split() == ["pretrain", "3"]:
                process.send_signal(signal.SIGKILL)
                break
        assert process.wait(timeout=60) == -signal.SIGKILL
    assert checkpoint.exists()
    assert not (tmp_path / "killed").exists()
    run(program, monkeypatch, tmp_path / "resumed", checkpoint)
    told = capsys.readouterr().out
    assert told.splitlines()[0].split()[1] != "1", f"it began again from nothing: {told}"
    run(program, monkeypatch, tmp_path / "undisturbed")
    resumed, undisturbed = load_file(tmp_path / "resumed"), load_file(tmp_path / "undisturbed")
    assert resumed.keys() == undisturbed.keys()
    assert all(resumed[name].tobytes() == undisturbed[name].tobytes() for name in resumed)
