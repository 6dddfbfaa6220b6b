"""Truncated backpropagation in chunks: the state is carried on, its gradient is not."""

import pytest
import torch
from torch import Tensor

from forecast.errors import RecipeError
from forecast.networks.configs import NetworkConfig, RecurrentConfig
from forecast.networks.gradients import gradient_by_lag, name_gradients
from forecast.networks.network import build
from forecast.networks.recurrent import RecurrentEncoder
from forecast.networks.shape import NetworkShape

KINDS = ("rnn", "lstm", "gru")


def encoders(kind: str, **config: object) -> list[RecurrentEncoder]:
    """Full backpropagation, the newest 3 steps, and chunks of 3, with the same weights."""
    forms = ({}, {"truncate": 3}, {"truncate": 3, "truncation": "chunks"})
    made = [RecurrentEncoder(RecurrentConfig(kind=kind, width=4, **config, **form), 2, 1) for form in forms]  # type: ignore[arg-type]
    for one in made[1:]:
        one.load_state_dict(made[0].state_dict())
    return made


def hidden(encoder: RecurrentEncoder, x_BLC: Tensor) -> Tensor:
    answer: Tensor = encoder(x_BLC, torch.ones(x_BLC.shape[:2]), torch.ones(x_BLC.shape[0], 1)).hidden_BLD
    return answer


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [2, 3, 8, 9])
def test_chunks_read_what_full_backpropagation_reads(kind: str, steps: int) -> None:
    full, newest, chunks = encoders(kind, layers=2, residual=True)
    x_BLC = torch.randn(2, steps, 2)
    torch.testing.assert_close(hidden(chunks, x_BLC), hidden(full, x_BLC))
    torch.testing.assert_close(hidden(newest, x_BLC), hidden(full, x_BLC))


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_learns_within_its_own_chunk(kind: str) -> None:
    _, newest, chunks = encoders(kind, layers=2)
    x_BLC = torch.randn(2, 8, 2, requires_grad=True)  # chunks: steps 0 1, 2 3 4, 5 6 7
    for step, touched in ((1, [0, 1]), (3, [2, 3]), (4, [2, 3, 4]), (7, [5, 6, 7])):
        (gradient,) = torch.autograd.grad(hidden(chunks, x_BLC)[:, step].square().sum(), x_BLC)
        assert gradient.abs().sum((0, 2)).nonzero().flatten().tolist() == touched
    (gradient,) = torch.autograd.grad(hidden(newest, x_BLC)[:, :5].square().sum(), x_BLC)
    assert (gradient == 0).all()  # beside it, "newest" learns nothing from its older steps


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_chunks_are_those_of_the_chunk_alone(kind: str) -> None:
    """The reference: each chunk by itself, begun from the carried state as a constant."""
    _, _, chunks = encoders(kind)
    layer, x_BLC = chunks.layers[0], torch.randn(2, 9, 2)
    weights_BLD = torch.randn(2, 9, 4)
    (hidden(chunks, x_BLC) * weights_BLD).sum().backward()
    ours = [weight.grad.clone() for weight in chunks.parameters() if weight.grad is not None]
    chunks.zero_grad()
    state = layer.first_state(torch.ones(2, 1))
    for begin in (0, 3, 6):
        answer_BKD, state = layer(x_BLC[:, begin : begin + 3], state)
        (answer_BKD * weights_BLD[:, begin : begin + 3]).sum().backward()
        state = state.detach() if isinstance(state, Tensor) else tuple(part.detach() for part in state)
    theirs = [weight.grad for weight in chunks.parameters() if weight.grad is not None]
    assert len(ours) == len(theirs) > 4
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_the_final_state_gets_the_same_gradient_in_both_forms(kind: str) -> None:
    _, newest, chunks = encoders(kind, layers=2)
    x_BLC = torch.randn(2, 11, 2)
    gradients = []
    for encoder in (newest, chunks):
        encoder(x_BLC, torch.ones(2, 11), torch.ones(2, 1)).state_BD.square().sum().backward()
        gradients.append([weight.grad for name, weight in encoder.named_parameters() if "kernel" in name])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_dropout_is_the_same_when_a_chunk_is_read_again() -> None:
    torch.manual_seed(0)
    config = RecurrentConfig(kind="gru", width=8, layers=2, dropout=0.5, truncate=4, truncation="chunks")
    encoder, x_BLC = RecurrentEncoder(config, 2, 1), torch.randn(3, 12, 2)
    torch.manual_seed(1)
    first_BLD = hidden(encoder, x_BLC)
    weight = encoder.layers[1].kernel.weight_ih_l0
    (gradient,) = torch.autograd.grad(first_BLD[:, :4].sum(), weight)
    with torch.no_grad():
        weight[0, 0] += 1e-2
        torch.manual_seed(1)
        up = hidden(encoder, x_BLC)[:, :4].sum()
        weight[0, 0] -= 2e-2
        torch.manual_seed(1)
        down = hidden(encoder, x_BLC)[:, :4].sum()
    assert gradient[0, 0].abs() > 1e-3
    torch.testing.assert_close(gradient[0, 0], (up - down) / 2e-2, rtol=1e-2, atol=1e-3)


def kept(encoder: RecurrentEncoder, steps: int) -> int:
    """Bytes that autograd keeps at once when every step's hidden vector is used, each storage counted once."""
    storages: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        hidden(encoder, torch.randn(4, steps, 2)).tanh().sum().backward()
    return sum(storages.values())


def test_chunks_bound_what_is_kept_although_every_step_learns() -> None:
    full, chunks = (
        RecurrentEncoder(RecurrentConfig(kind="lstm", width=16, **form), 2, 1)  # type: ignore[arg-type]
        for form in ({}, {"truncate": 10, "truncation": "chunks"})
    )
    assert kept(chunks, 400) < 0.35 * kept(full, 400)


SHAPE = NetworkShape(past_columns=1, future_columns=1, context=40, horizon=4, level_steps=24)


def report(decoder: dict[str, object], **encoder: object) -> Tensor:
    config = {"encoder": {"kind": "gru", "width": 8, **encoder}, "decoder": decoder, "highway": None}
    draw = torch.Generator().manual_seed(0)
    past, future = 50 + torch.randn(6, 40, 1, generator=draw), torch.randn(6, 4, 1, generator=draw)
    batch = [
        past,
        torch.ones_like(past),
        future,
        torch.ones_like(future),
        torch.zeros(6, 0),
        torch.zeros(6, 0, 1),
        past[:, :4, 0],
    ]
    return torch.from_numpy(gradient_by_lag(build(NetworkConfig.model_validate(config), SHAPE, seed=0), batch).copy())


def test_the_gradient_report_reaches_every_chunk_that_is_asked() -> None:
    asking = {"kind": "recurrent", "width": 8, "attention": {"heads": 1}}
    chunks, newest = (report(asking, truncate=10, truncation=form) for form in ("chunks", "newest"))
    assert (chunks > 0).all()
    assert name_gradients(chunks) == "healthy"
    assert (newest[10:] == 0).all()
    direct = report({"kind": "direct"}, truncate=10, truncation="chunks")
    assert (direct[:10] > 0).all()
    assert (direct[10:] == 0).all()  # a decoder that reads the final state asks the newest chunk only


def test_a_truncated_report_is_named_by_the_lags_that_gradients_may_reach() -> None:
    newest = report({"kind": "direct"}, truncate=10)
    assert name_gradients(newest) == "vanishing"
    assert name_gradients(newest, within=10) == "healthy"


def test_chunks_need_a_length() -> None:
    with pytest.raises(RecipeError, match="no truncate; expected the length of a chunk"):
        RecurrentConfig(truncation="chunks")
