"""Whole networks: every encoder with every decoder behind the one signature."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from forecast.errors import ModelFolderError
from forecast.networks.arrays import load_arrays, state_arrays
from forecast.networks.configs import NetworkConfig
from forecast.networks.network import DemandNetwork, build
from forecast.networks.shape import NetworkShape

ENCODERS = {
    "rnn": {"kind": "rnn", "width": 6},
    "lstm": {"kind": "lstm", "width": 6, "layers": 2, "residual": True},
    "gru-both-ways": {"kind": "gru", "width": 4, "bidirectional": True},
    "gru-truncated": {"kind": "gru", "width": 6, "truncate": 3},
    "convolution": {"kind": "convolution", "width": 6, "layers": 3},
    "transformer": {"kind": "transformer", "width": 8, "heads": 2, "score": "additive", "causal": True},
    "none": {"kind": "none", "width": 4},
}
DECODERS = {
    "direct": {"kind": "direct", "width": 8},
    "recurrent": {"kind": "recurrent", "width": 6, "bidirectional": True},
    "recurrent-attention": {
        "kind": "recurrent", "cell": "lstm", "width": 8, "attention": {"score": "cosine", "heads": 2},
    },
    "autoregressive": {
        "kind": "recurrent", "width": 8, "autoregressive": True, "teacher_forcing": 0.5, "attention": {"heads": 1},
    },
    "attention": {"kind": "attention", "width": 8, "heads": 2, "layers": 2, "causal_self_attention": True},
}  # fmt: skip
SHAPE = NetworkShape(
    past_columns=3, future_columns=27, static_columns=2, context=30, horizon=10, past_load_columns=(0, 2),
    future_load_columns=(26,), hour_columns=(0, 24), level_steps=24, steps_per_hour=1, quantiles=(0.1, 0.5, 0.75, 0.9),
)  # fmt: skip
PAIRS = list(product(ENCODERS, DECODERS))


@dataclass(frozen=True)
class Inputs:
    past_BLP: Tensor
    past_mask_BLP: Tensor
    future_BHF: Tensor
    future_mask_BHF: Tensor
    static_BS: Tensor

    def all(self) -> tuple[Tensor, ...]:
        return self.past_BLP, self.past_mask_BLP, self.future_BHF, self.future_mask_BHF, self.static_BS


def some_inputs(batch: int = 5, context: int = 30, horizon: int = 10, seed: int = 0) -> Inputs:
    """Loads about 5,000 with a daily swing, an eighth of everything masked (and zero there), real one-hot hours."""
    draw = torch.Generator().manual_seed(seed)
    steps = torch.arange(context + horizon).expand(batch, -1) + torch.arange(batch).unsqueeze(1)
    load = 5000 + 800 * torch.sin(steps * 2 * torch.pi / 24) + 100 * torch.randn(steps.shape, generator=draw)
    weather = 15 + 5 * torch.randn(steps.shape, generator=draw)
    past_BLP = torch.stack([load, weather, load.roll(1, 1)], dim=2)[:, :context]
    hours = torch.nn.functional.one_hot(steps % 24, 24).float()
    future_BHF = torch.cat([hours, torch.stack([weather, weather.relu(), load.roll(24, 1)], dim=2)], dim=2)[:, context:]
    past_mask, future_mask = (
        (torch.rand(x.shape, generator=draw) > 0.125).float() for x in (past_BLP, future_BHF)
    )  # fmt: skip
    static_BS = torch.randn(batch, 2, generator=draw)
    return Inputs(past_BLP * past_mask, past_mask, future_BHF * future_mask, future_mask, static_BS)


def make(encoder: str = "gru-both-ways", decoder: str = "direct", seed: int = 7, **more: object) -> DemandNetwork:
    tree = {"encoder": ENCODERS[encoder], "decoder": DECODERS[decoder], "outlook": {"alone": True}}
    config = NetworkConfig.model_validate({**tree, **more})
    network = build(config, SHAPE, seed)
    network.scaling.fit([some_inputs(seed=3).all()])
    with torch.no_grad():  # a highway or an outlook at zero would hide what passes through it
        for part in (network.highway, network.outlook):
            for parameter in part.parameters() if part is not None else ():
                parameter.normal_(std=0.05, generator=torch.Generator().manual_seed(seed))
    return network.eval()


def answer(network: torch.nn.Module, inputs: Inputs) -> Tensor:
    with torch.no_grad():
        quantiles: Tensor = network(*inputs.all())
    return quantiles


@pytest.mark.parametrize(("encoder", "decoder"), PAIRS)
def test_what_is_masked_changes_no_bit(encoder: str, decoder: str) -> None:
    network, inputs = make(encoder, decoder), some_inputs()
    wanted = answer(network, inputs)
    assert wanted.shape == (5, 10, 4)
    for poison in (float("nan"), 1e9, float("-inf")):
        dirty = replace(
            inputs,
            past_BLP=inputs.past_BLP.masked_fill(inputs.past_mask_BLP == 0, poison),
            future_BHF=inputs.future_BHF.masked_fill(inputs.future_mask_BHF == 0, poison),
        )
        assert (dirty.past_BLP != inputs.past_BLP).any()
        assert (dirty.future_BHF != inputs.future_BHF).any()
        assert torch.equal(answer(network, dirty), wanted)


@pytest.mark.parametrize(("encoder", "decoder"), PAIRS)
def test_what_is_known_does_change_the_answer(encoder: str, decoder: str) -> None:
    network, inputs = make(encoder, decoder), some_inputs()
    wanted = answer(network, inputs)
    for name in ("past_BLP", "future_BHF", "static_BS"):
        moved = replace(inputs, **{name: getattr(inputs, name) * 1.05})
        assert not torch.equal(answer(network, moved), wanted), name


@pytest.mark.parametrize(("encoder", "decoder"), PAIRS)
def test_poison_under_the_mask_leaves_gradients_clean(encoder: str, decoder: str) -> None:
    network, inputs = make(encoder, decoder).train(), some_inputs()
    targets_BH = torch.full((5, 10), 5000.0)
    targets_BH[:, 3] = float("nan")
    gradients = []
    for poison in (0.0, float("nan")):
        torch.manual_seed(0)
        past_BLP = inputs.past_BLP.masked_fill(inputs.past_mask_BLP == 0, poison)
        network.zero_grad()
        z_BHQ, _ = network.scaled(past_BLP, *inputs.all()[1:], targets_BH=targets_BH)
        z_BHQ.square().mean().backward()
        gradients.append([p.grad.clone() for p in network.parameters() if p.grad is not None])
    assert all(torch.equal(clean, dirty) and clean.isfinite().all() for clean, dirty in zip(*gradients, strict=True))
    assert any(gradient.abs().max() > 0 for gradient in gradients[0])


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("size", [1.0, 1e4, 1e30])
def test_quantiles_never_cross_for_any_weights(decoder: str, size: float) -> None:
    network = make("lstm", decoder)
    for seed in range(5):
        draw = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in network.head.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=draw) * size)
        quantiles_BHQ = answer(network, some_inputs(seed=seed))
        assert quantiles_BHQ.isfinite().all()
        assert (quantiles_BHQ.diff(dim=2) >= 0).all()


@pytest.mark.parametrize(("encoder", "decoder"), PAIRS)
def test_batch_sizes_agree(encoder: str, decoder: str) -> None:
    network, inputs = make(encoder, decoder), some_inputs(batch=9)
    together = answer(network, inputs)
    for first, last in ((0, 1), (3, 7)):
        part = Inputs(*(tensor[first:last] for tensor in inputs.all()))
        torch.testing.assert_close(answer(network, part), together[first:last], rtol=1e-5, atol=0)


@pytest.mark.parametrize(("encoder", "decoder"), PAIRS)
def test_any_length_and_no_history(encoder: str, decoder: str) -> None:
    network = make(encoder, decoder)
    for context, horizon in ((30, 1), (7, 10), (61, 37), (1, 2)):
        quantiles_BHQ = answer(network, some_inputs(batch=2, context=context, horizon=horizon))
        assert quantiles_BHQ.shape == (2, horizon, 4)
        assert quantiles_BHQ.isfinite().all()
    unknown = replace(some_inputs(), past_mask_BLP=torch.zeros(5, 30, 3))
    quantiles_BHQ = answer(network, unknown)
    assert quantiles_BHQ.isfinite().all()
    assert (quantiles_BHQ[..., 1] - 5000).abs().max() < 5000  # about the level of the training windows
    # One to many: without history the static columns still tell meters apart.
    other = replace(unknown, static_BS=unknown.static_BS + 1)
    assert not torch.equal(answer(network, other), quantiles_BHQ)
    nothing = replace(unknown, future_mask_BHF=torch.zeros_like(unknown.future_BHF))
    assert answer(network, nothing).isfinite().all()


def test_a_causal_decoder_does_not_look_ahead_and_a_two_way_one_does() -> None:
    inputs = some_inputs()
    moved_BHF = inputs.future_BHF.clone()
    moved_BHF[:, 6:, 24:] += 3.0
    for decoder, ahead in (
        ("direct", False),
        ("recurrent-attention", False),
        ("attention", False),
        ("recurrent", True),
    ):
        network = make("lstm", decoder, outlook=False)  # an outlook hears the mean of all that is known
        before, after = answer(network, inputs), answer(network, replace(inputs, future_BHF=moved_BHF))
        assert torch.equal(before[:, :6], after[:, :6]) is not ahead
        assert not torch.equal(before[:, 6:], after[:, 6:])


def test_the_encoder_is_handed_the_observed_window_only() -> None:
    network, seen = make("gru-both-ways", "recurrent"), []
    hook = network.encoder.register_forward_pre_hook(lambda _, inputs: seen.append([one.clone() for one in inputs]))
    inputs = some_inputs()
    answer(network, inputs)
    answer(network, replace(inputs, future_BHF=inputs.future_BHF + 1))
    hook.remove()
    assert seen[0][0].shape[1] == 30
    assert all(torch.equal(one, other) for one, other in zip(*seen, strict=True))


def test_patches_join_the_steps_of_an_hour() -> None:
    shape = SHAPE.model_copy(update={"steps_per_hour": 6})
    network = build(NetworkConfig(encoder={"kind": "gru", "width": 4}), shape, 0).eval()
    seen: list[tuple[Tensor, ...]] = []
    network.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    inputs = some_inputs(context=32)
    answer(network, inputs)
    x_BLC, known_BL, _ = seen[0]
    assert x_BLC.shape == (5, 6, 24)  # 32 steps are 6 patches of 6, the first begins with 4 masked steps
    assert x_BLC[:, 0, :16].abs().max() == 0
    assert torch.equal(x_BLC[:, -1].reshape(5, 6, 4)[:, :, 3], inputs.past_mask_BLP[:, -6:, 0])
    assert known_BL.shape == (5, 6)


def test_the_highway_weighs_each_hour_by_itself() -> None:
    network, inputs = make("none", "direct"), some_inputs()
    everything = replace(inputs, future_mask_BHF=torch.ones_like(inputs.future_BHF))
    everything = replace(everything, future_BHF=some_inputs().future_BHF)
    everything.future_BHF[..., :24] = torch.nn.functional.one_hot(torch.arange(10), 24).float()
    before = answer(network, everything)
    with torch.no_grad():
        network.highway.hourly_KN[24, 4] += 1.0
    moved_BH = (answer(network, everything) != before).any(2)
    assert moved_BH[:, 4].any()
    assert not moved_BH[:, [0, 1, 2, 3, 5, 6, 7, 8, 9]].any()


def test_teacher_forcing_feeds_the_truth_in_training_only() -> None:
    network, inputs = make("gru-both-ways", "autoregressive"), some_inputs()
    low, high = torch.full((5, 10), 4000.0), torch.full((5, 10), 6000.0)
    with torch.no_grad():
        assert torch.equal(network(*inputs.all(), targets_BH=low), network(*inputs.all(), targets_BH=high))
        network.train()
        taught = []
        for targets_BH in (low, high, torch.full((5, 10), float("nan"))):
            torch.manual_seed(1)
            taught.append(network(*inputs.all(), targets_BH=targets_BH))
    assert not torch.equal(taught[0], taught[1])
    assert torch.equal(taught[0][:, 0], taught[1][:, 0])  # step 1 hears the last known load
    assert taught[2].isfinite().all()


def test_an_autoregressive_decoder_hears_itself() -> None:
    network, inputs = make("gru-both-ways", "autoregressive"), some_inputs()
    before = answer(network, inputs)
    with torch.no_grad():
        network.head.linear.bias[network.head.middle] += 1.0
    rise = answer(network, inputs) - before
    scale = network.scaling.window(inputs.past_BLP, inputs.past_mask_BLP).scale_B1.unsqueeze(2)
    torch.testing.assert_close(rise[:, :1], scale.expand(-1, 1, 4), rtol=1e-3, atol=1e-2)
    assert ((rise - scale)[:, 1:].abs() > 1e-2).any()


def test_dropout_spares_the_highway() -> None:
    network, inputs = make("none", "direct", dropout=0.9, outlook=False).train(), some_inputs()
    with torch.no_grad():
        network.head.linear.weight.zero_()  # only the highway is left
        assert torch.equal(network(*inputs.all()), network(*inputs.all()))


def test_scaled_and_raw_answers_agree() -> None:
    network, inputs = make("lstm", "direct"), some_inputs()
    with torch.no_grad():
        z_BHQ, window = network.scaled(*inputs.all())
    wanted = window.level_B1.unsqueeze(2) + window.scale_B1.unsqueeze(2) * z_BHQ
    assert torch.equal(answer(network, inputs), wanted)
    torch.testing.assert_close(network.scaling.to_z(wanted[..., 1], window), z_BHQ[..., 1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_seed_decides_the_weights_and_nothing_else(encoder: str) -> None:
    before = torch.get_rng_state()
    first, again, other = (state_arrays(make(encoder, "attention", seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)
    assert any(first[name].tobytes() != other[name].tobytes() for name in first)


@pytest.mark.parametrize(("encoder", "decoder"), PAIRS)
def test_arrays_bring_a_network_back_bit_for_bit(encoder: str, decoder: str) -> None:
    saved, fresh = make(encoder, decoder), build(make(encoder, decoder).config, SHAPE, seed=99).eval()
    assert not torch.equal(answer(fresh, some_inputs()), answer(saved, some_inputs()))
    load_arrays(fresh, state_arrays(saved))
    assert torch.equal(answer(fresh, some_inputs()), answer(saved, some_inputs()))


def test_arrays_are_copies() -> None:
    network = make()
    arrays = state_arrays(network)
    kept = {name: array.copy() for name, array in arrays.items()}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    assert all(np.array_equal(arrays[name], kept[name]) for name in arrays)


def test_arrays_that_do_not_fit_are_refused_and_change_nothing() -> None:
    network = make()
    arrays, before = state_arrays(network), state_arrays(network)
    name = next(iter(arrays))
    lacking = {key: array for key, array in arrays.items() if key != name}
    for wrong, text in (
        (lacking, "1 weights are missing"),
        ({**arrays, "stranger": np.zeros(1)}, "stranger"),
        ({**arrays, name: np.zeros((3, 1, 7), np.float32)}, r"\(3, 1, 7\)"),
        ({**arrays, name: arrays[name].astype(np.float64)}, "float64"),
    ):
        with pytest.raises(ModelFolderError, match=text):
            load_arrays(network, wrong)
    assert all(np.array_equal(array, before[key]) for key, array in state_arrays(network).items())


# torch.export warns about the flat list of weights that torch's own recurrent kernels keep.
@pytest.mark.filterwarnings("ignore:The tensor attribute")
@pytest.mark.parametrize(("encoder", "decoder"), [("lstm", "direct"), ("transformer", "attention")])
def test_one_graph_serves_every_batch_size(encoder: str, decoder: str) -> None:
    """No step depends in Python on a tensor's numbers or its batch: the graph exports with a dynamic batch."""
    network, inputs = make(encoder, decoder), some_inputs(batch=4)
    batch = torch.export.Dim("batch", min=1, max=4096)
    with torch.no_grad():
        program = torch.export.export(network, inputs.all(), dynamic_shapes=({0: batch},) * 5, strict=False)
    for size in (2, 9):
        other = some_inputs(batch=size)
        with torch.no_grad():
            torch.testing.assert_close(program.module()(*other.all()), answer(network, other), rtol=1e-5, atol=1e-3)
