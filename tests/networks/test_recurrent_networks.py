"""Recurrent and convolutional encoders."""

import pytest
import torch

from forecast.networks.configs import ConvolutionConfig, RecurrentConfig, TransformerConfig
from forecast.networks.convolution import ConvolutionEncoder
from forecast.networks.recurrent import KERNELS, RecurrentEncoder
from forecast.networks.transformer import TransformerEncoder

KINDS = ("rnn", "lstm", "gru")


def encode(encoder: torch.nn.Module, x_BLC: torch.Tensor) -> torch.Tensor:
    ones = torch.ones(x_BLC.shape[0], 1)
    return encoder(x_BLC, torch.ones(x_BLC.shape[:2]), ones).hidden_BLD


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_stack_without_residual_is_torch_own_deep_network(kind: str, bidirectional: bool) -> None:
    torch.manual_seed(0)
    encoder = RecurrentEncoder(RecurrentConfig(kind=kind, width=4, layers=3, bidirectional=bidirectional), 2, 1)
    deep = KERNELS[kind](2, 4, num_layers=3, batch_first=True, bidirectional=bidirectional)
    with torch.no_grad():
        for number, layer in enumerate(encoder.layers):
            layer.start.weight.zero_()
            layer.start.bias.zero_()
            for name, weight in layer.kernel.named_parameters():
                deep.get_parameter(name.replace("_l0", f"_l{number}")).copy_(weight)
    x_BLC = torch.randn(3, 7, 2)
    torch.testing.assert_close(encode(encoder, x_BLC), deep(x_BLC)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_the_final_state_is_each_direction_at_its_end(kind: str) -> None:
    torch.manual_seed(1)
    encoder = RecurrentEncoder(RecurrentConfig(kind=kind, width=4, bidirectional=True), 2, 1)
    encoded = encoder(torch.randn(2, 5, 2), torch.ones(2, 5), torch.ones(2, 1))
    assert encoder.width == encoded.state_BD.shape[1] == 8
    assert torch.equal(encoded.state_BD[:, :4], encoded.hidden_BLD[:, -1, :4])
    assert torch.equal(encoded.state_BD[:, 4:], encoded.hidden_BLD[:, 0, 4:])


def test_one_direction_reads_the_past_and_two_read_the_window() -> None:
    torch.manual_seed(2)
    x_BLC = torch.randn(1, 8, 2)
    moved_BLC = x_BLC.clone()
    moved_BLC[:, 5:] += 1.0
    causal = [
        RecurrentEncoder(RecurrentConfig(kind="lstm", width=4), 2, 1),
        ConvolutionEncoder(ConvolutionConfig(width=4, layers=3), 2, 1),
        TransformerEncoder(TransformerConfig(width=4, heads=2, causal=True), 2, 1),
    ]
    for encoder in causal:
        before, after = encode(encoder, x_BLC), encode(encoder, moved_BLC)
        torch.testing.assert_close(before[:, :5], after[:, :5], rtol=0, atol=1e-6)
        assert (before[:, 5:] - after[:, 5:]).abs().max() > 1e-3
    both = RecurrentEncoder(RecurrentConfig(kind="lstm", width=4, bidirectional=True), 2, 1)
    assert (encode(both, x_BLC)[:, 0] - encode(both, moved_BLC)[:, 0]).abs().max() > 1e-6


def test_a_convolution_sees_as_far_as_it_says() -> None:
    encoder = ConvolutionEncoder(ConvolutionConfig(width=4, layers=3, kernel=3), 1, 1)
    x_BLC = torch.randn(1, 40, 1, requires_grad=True)
    encode(encoder, x_BLC)[:, -1].sum().backward()
    assert x_BLC.grad is not None
    touched = (x_BLC.grad.flatten() != 0).nonzero().flatten()
    assert 40 - int(touched.min()) == 1 + 2 * (2**3 - 1)


@pytest.mark.parametrize("kind", KINDS)
def test_truncation_reads_the_same_and_learns_from_the_newest_steps_only(kind: str) -> None:
    whole = RecurrentEncoder(RecurrentConfig(kind=kind, width=4, layers=2), 2, 1)
    short = RecurrentEncoder(RecurrentConfig(kind=kind, width=4, layers=2, truncate=3), 2, 1)
    short.load_state_dict(whole.state_dict())
    x_BLC = torch.randn(2, 9, 2, requires_grad=True)
    torch.testing.assert_close(encode(short, x_BLC), encode(whole, x_BLC))
    (full,) = torch.autograd.grad(encode(whole, x_BLC)[:, -1].square().sum(), x_BLC)
    (cut,) = torch.autograd.grad(encode(short, x_BLC)[:, -1].square().sum(), x_BLC)
    torch.testing.assert_close(cut[:, -3:], full[:, -3:])
    assert (cut[:, :-3] == 0).all()
    assert (full[:, :-3].abs().sum((0, 2)) > 0).all()


def kept_numbers(encoder: RecurrentEncoder, steps: int) -> int:
    """How many numbers autograd keeps for the backward pass of one window, each storage once."""
    storages: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        state_BD = encoder(torch.randn(4, steps, 2), torch.ones(4, steps), torch.ones(4, 1)).state_BD
        state_BD.sum().backward()
    return sum(storages.values())


def test_truncation_bounds_what_backpropagation_keeps() -> None:
    whole, short = (RecurrentEncoder(RecurrentConfig(kind="lstm", width=16, truncate=k), 2, 1) for k in (None, 10))
    assert kept_numbers(whole, 400) > 5 * kept_numbers(whole, 50)
    assert kept_numbers(short, 400) < 0.2 * kept_numbers(whole, 400)


def test_dropout_between_layers_is_silent_in_evaluation() -> None:
    encoder = RecurrentEncoder(RecurrentConfig(kind="gru", width=8, layers=2, dropout=0.5), 2, 1)
    x_BLC = torch.randn(1, 5, 2)
    assert not torch.equal(encode(encoder, x_BLC), encode(encoder, x_BLC))
    encoder.eval()
    assert torch.equal(encode(encoder, x_BLC), encode(encoder, x_BLC))


def test_an_lstm_starts_with_its_forget_gate_open() -> None:
    kernel = RecurrentEncoder(RecurrentConfig(kind="lstm", width=3), 2, 1).layers[0].kernel
    bias = kernel.bias_ih_l0 + kernel.bias_hh_l0
    assert bias.tolist() == [0.0] * 3 + [1.0] * 3 + [0.0] * 6
