"""The loop by itself: what it tells, where it begins, and what it teaches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from forecast.errors import NonFiniteLoss
from forecast.features import Features, fit_features
from forecast.networks.arrays import state_arrays
from forecast.networks.configs import (
    DecoderConfig,
    DirectConfig,
    NetworkConfig,
    RecurrentConfig,
    RecurrentDecoderConfig,
)
from forecast.networks.network import DemandNetwork, build
from forecast.recipe import FeatureConfig, TrainingConfig
from forecast.tables.forecast import LEVELS
from forecast.training.feed import Feed
from forecast.training.learn import network_shape
from forecast.training.loop import Loop
from forecast.training.progress import Silent
from forecast.windows import origins_every
from tests.builders import long_frame, make_demand

CONTEXT, HORIZON = 48, 12


def feed(seed: int = 0, days: float = 12) -> Feed:
    demand = make_demand(long_frame(days=days, seed=seed))
    features: Features = fit_features(FeatureConfig(reach_days=3, same_hour_days=2), demand, CONTEXT)
    return Feed.of(
        features, features.window_set(demand, origins_every(demand, context=CONTEXT, horizon=HORIZON), HORIZON)
    )


DIRECT = DirectConfig(width=8)
ECHO = RecurrentDecoderConfig(width=6, autoregressive=True, teacher_forcing=0.8, forcing_schedule="linear")


def network(data: Feed, decoder: DecoderConfig = DIRECT, seed: int = 0) -> DemandNetwork:
    config = NetworkConfig(encoder=RecurrentConfig(kind="gru", width=6), decoder=decoder)
    shape = network_shape(data.features, data.windows, LEVELS)
    one = build(config, shape, seed)
    one.scaling.fit([inputs for inputs, _, _ in data.spread(256, 256)])
    return one


def settings(**config: Any) -> TrainingConfig:
    return TrainingConfig.model_validate({"epochs": 3, "windows_per_epoch": 64, "patience": 9, **config})


@pytest.fixture(scope="module")
def data() -> Feed:
    return feed()


def test_an_epoch_tells_the_gradient_norm_and_the_share_that_was_clipped(data: Feed) -> None:
    rows = []
    for clip in (1e-6, 1e6):
        loop = Loop(network(data), data, settings(clip=clip, epochs=1), None, "cpu")
        loop.run("learn", 1, Silent())
        rows.append(loop.notes["history"][0])
    tight, loose = rows
    assert tight["clipped_share"] == 1.0
    assert loose["clipped_share"] == 0.0
    assert loose["gradient_norm"] > 0
    assert tight["gradient_norm"] > 1e3 * 1e-6  # the norm before clipping


@pytest.mark.parametrize(("folder", "epochs", "kept"), [(False, 1, False), (True, 0, False), (True, 1, True)])
def test_a_checkpoint_is_promised_only_where_there_is_one(
    folder: bool, epochs: int, kept: bool, data: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Loop(network(data), data, settings(), None, "cpu")
    honest = loop._rate
    monkeypatch.setattr(loop, "_rate", lambda step: honest(step) if step < epochs * loop.steps else float("nan"))
    with pytest.raises(NonFiniteLoss, match=r"Lower training\.rate or training\.clip") as stopped:
        loop.run("learn", 3, Silent(), tmp_path / "learn.safetensors" if folder else None)
    assert ("the last good checkpoint is kept" in str(stopped.value)) == kept


def test_the_norm_is_that_of_the_gradient(data: Feed) -> None:
    """One step an epoch: its norm by hand."""
    loop = Loop(network(data), data, settings(epochs=1, windows_per_epoch=8, batch=8), None, "cpu")
    loop.run("learn", 1, Silent())
    other = Loop(network(data), data, settings(epochs=1, windows_per_epoch=8, batch=8), None, "cpu")
    torch.manual_seed(0)
    order = np.sort(np.random.default_rng([0, 0]).permutation(len(data.windows))[:8])
    other.network.train()
    other._loss(data.batch(order)).backward()
    squares = sum(float(w.grad.square().sum()) for w in other.network.parameters() if w.grad is not None)
    assert loop.notes["history"][0]["gradient_norm"] == pytest.approx(squares**0.5, rel=1e-5)


def test_the_loop_tells_an_autoregressive_decoder_its_epoch(data: Feed) -> None:
    heard: list[float] = []

    class Listen:
        def epoch(self, stage: str, epoch: int, epochs: int, metrics: dict[str, float]) -> None:
            heard.append(float(loop.network.decoder.taught))  # type: ignore[arg-type,union-attr]

    loop = Loop(network(data, ECHO), data, settings(windows_per_epoch=16), None, "cpu")
    loop.run("learn", 3, Listen())
    assert heard == pytest.approx([0.8, 0.4, 0.0])


def test_a_resumed_run_with_a_schedule_ends_with_the_same_bits(data: Feed, tmp_path: Path) -> None:
    def run(until: int, path: Path | None) -> Loop:
        loop = Loop(network(data, ECHO), data, settings(windows_per_epoch=16, unseen=0.3), None, "cpu")
        loop.run("learn", until, Silent(), path, "key")
        return loop

    whole = run(3, None)
    run(1, tmp_path / "learn.safetensors")
    resumed = run(3, tmp_path / "learn.safetensors")
    assert resumed.notes == whole.notes
    arrays = state_arrays(resumed.network)
    assert all(arrays[name].tobytes() == array.tobytes() for name, array in state_arrays(whole.network).items())


def test_a_warm_start_takes_what_fits_and_says_what_did_not(data: Feed) -> None:
    old, new = network(data, seed=1), network(data, DirectConfig(width=9), seed=2)
    loop = Loop(new, data, settings(), None, "cpu", start=state_arrays(old))
    assert loop.started is not None
    assert {name.split(".")[0] for name in loop.started.left} == {"decoder", "head"}
    assert torch.equal(loop.network.encoder.layers[0].kernel.weight_ih_l0, old.encoder.layers[0].kernel.weight_ih_l0)
    assert torch.equal(loop.average["highway.shared_K"], old.state_dict()["highway.shared_K"])


def test_without_a_start_nothing_was_taken(data: Feed) -> None:
    assert Loop(network(data), data, settings(), None, "cpu").started is None


def test_a_start_that_no_epoch_beats_is_kept(data: Feed, tmp_path: Path) -> None:
    first = Loop(network(data), data, settings(epochs=4), data, "cpu")
    first.run("learn", 4, Silent())
    start = state_arrays(first.network)
    # At a rate that shakes it apart every epoch is worse than the start.
    wild = settings(rate=3.0, schedule="constant", clip=1e9, averaging=0, epochs=2)
    for path in (None, tmp_path / "wild.safetensors", tmp_path / "wild.safetensors"):  # the last one resumes
        loop = Loop(network(data, seed=5), data, wild, data, "cpu", start=start)
        loop.run("learn", 2, Silent(), path)
        assert loop.notes["best_epoch"] == 0
        assert loop.notes["best_loss"] == pytest.approx(first.notes["best_loss"])
        assert all(np.array_equal(array, start[name]) for name, array in state_arrays(loop.network).items())


def test_unseen_hides_the_history_of_some_windows_in_training_only(data: Feed) -> None:
    shown: list[torch.Tensor] = []
    loop = Loop(network(data), data, settings(epochs=1, unseen=0.5, windows_per_epoch=256), data, "cpu")
    loop.network.encoder.register_forward_pre_hook(
        lambda encoder, inputs: shown.append((encoder.training, inputs[0][:, :, -1].amax(1)))  # type: ignore[arg-type]
    )
    loop.run("learn", 1, Silent())
    known = {True: [], False: []}  # type: ignore[var-annotated]
    for training, some_B in shown:
        known[training] += some_B.tolist()
    assert 0.35 < float(np.mean(known[True])) < 0.65
    assert all(known[False])


def test_windows_gathered_once_are_the_same_bits(data: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, index = data.keeping(), np.array([3, 0, 70])
    assert kept.kept is not None
    for one, other in zip(
        [*kept.batch(index)[0], *kept.batch(index)[1:]], [*data.batch(index)[0], *data.batch(index)[1:]], strict=True
    ):
        assert torch.equal(one.nan_to_num(-9.0), other.nan_to_num(-9.0))
        assert one.dtype == other.dtype
    monkeypatch.setattr("forecast.training.feed.KEPT_BYTES", 1000)
    assert data.keeping().kept is None, "what does not fit is gathered when asked for"


def test_an_epoch_draws_so_many_windows_of_each_series(data: Feed) -> None:
    assert Loop(network(data), data, settings(windows_per_series=20), None, "cpu").drawn == 40
    assert Loop(network(data), data, settings(windows_per_series=400), None, "cpu").drawn == 64
