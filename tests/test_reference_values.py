"""The reference values: what the networks must reproduce, against the project's own modules.

Numeric rows are tests in this file. Rows without a number are covered elsewhere:

| row | covered by |
|---|---|
| full against truncated backpropagation | `tests/networks/test_recurrent_networks.py` (lags beyond k get no gradient and are no longer kept); the trade is in `configs.RecurrentConfig` and docs/choosing.md |
| a gradient report per run that names vanishing and exploding | `tests/networks/test_gradient_report.py` |
| gradient clipping and a clear stop on non-finite loss or weights | the tests of `forecast.training` |
| heads, causal mask, cross-attention, scores to choose from | `tests/networks/test_attention_parts.py` |
| preprocessing fitted on the training part only | `tests/networks/test_window_scaling.py` and the tripwire in `tests/promises/` |
| the validation error chooses, the test error is reported; nested validation; leave one out | the tests of `forecast.backtest` |
| mappings: many-to-one, many-to-many, one-to-many, sequence-to-sequence, any length, padded and masked | `tests/networks/test_demand_network.py` |
| hidden states only, the output layer a part of its own | `tests/networks/test_demand_network.py` (one head on every decoder) |
| a bidirectional encoder reads the observed window only | `tests/networks/test_recurrent_networks.py`, `tests/networks/test_demand_network.py` |
"""  # noqa: E501 - one row a line keeps the table readable

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from forecast.networks.attention import CosineScore, MultiHeadAttention, ScaledDotScore, masked_softmax, sinusoid, weigh
from forecast.networks.cells import ElmanCell, GruCell, heaviside
from forecast.networks.configs import RecurrentConfig
from forecast.networks.gradients import first_step, gradient_chain, name_gradients
from forecast.networks.recurrent import RecurrentEncoder
from forecast.networks.skip import Skip


def fill(cell: nn.Module, **values: object) -> None:
    with torch.no_grad():
        for name, value in values.items():
            parameter = cell.get_parameter(name)
            parameter.copy_(torch.tensor(value, dtype=parameter.dtype).reshape(parameter.shape))


# Recurrent cells


def test_plain_rnn_step() -> None:
    cell = ElmanCell(1, 1)
    fill(cell, w_DC=0.6, u_DD=0.5, b_D=0.2)
    assert cell(torch.tensor([[0.8]]), torch.tensor([[0.4]])).item() == pytest.approx(0.706419, abs=1e-6)


def test_the_reference_cell_equals_torch_tanh_kernel() -> None:
    torch.manual_seed(0)
    kernel, cell = nn.RNNCell(3, 5), ElmanCell(3, 5)
    fill(cell, w_DC=kernel.weight_ih.tolist(), u_DD=kernel.weight_hh.tolist())
    fill(cell, b_D=(kernel.bias_ih + kernel.bias_hh).tolist())
    x_BC, h_BD = torch.randn(4, 3), torch.randn(4, 5)
    torch.testing.assert_close(cell(x_BC, h_BD), kernel(x_BC, h_BD))


LATCH_IN, LATCH_OUT = [0.0, 0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 1.0, 1.0, 1.0]


def test_a_step_function_latches() -> None:
    hidden, output = ElmanCell(1, 1, activation=heaviside), nn.Linear(1, 1)
    fill(hidden, u_DD=1.0, w_DC=1.0, b_D=-1.0)
    fill(output, weight=1.0, bias=0.0)
    h_BD, answers = torch.zeros(1, 1), []
    for x in LATCH_IN:
        h_BD = hidden(torch.tensor([[x]]), h_BD)
        answers.append(output(h_BD).item())
    assert answers == LATCH_OUT


def test_the_latch_in_torch_tanh_kernel() -> None:
    encoder = RecurrentEncoder(RecurrentConfig(kind="rnn", width=1), columns=1, static_columns=1)
    layer = encoder.layers[0]
    fill(layer.kernel, weight_hh_l0=50.0, weight_ih_l0=100.0, bias_ih_l0=-25.0, bias_hh_l0=0.0)
    fill(layer.start, weight=0.0, bias=-100.0)  # the state before step 1: tanh(-100) = -1
    hidden_BLD = encoder(torch.tensor(LATCH_IN).reshape(1, 5, 1), torch.ones(1, 5), torch.ones(1, 1)).hidden_BLD
    np.testing.assert_allclose((0.5 * hidden_BLD + 0.5).flatten().tolist(), LATCH_OUT, atol=1e-6)


def test_textbook_gru_step() -> None:
    cell = GruCell(1, 2)
    # A reset gate of [1, 1]: its logit is far above zero whatever is read.
    fill(cell, w_c=[[1.0, 1.0, 2.0], [0.0, 1.0, 0.0]], w_u=[[1.0, 0.0, 3.0], [2.0, 0.0, 0.0]], w_r=[[0.0] * 3] * 2)
    fill(cell, b_r=[100.0, 100.0])
    x_BC, c_BD = torch.tensor([[3.0]]), torch.zeros(1, 2)
    candidate_BD, update_BD, reset_BD = cell.gates(x_BC, c_BD)
    np.testing.assert_array_equal(reset_BD.detach(), [[1.0, 1.0]])
    np.testing.assert_allclose(candidate_BD.detach(), [[0.99999, 0.0]], atol=5e-6)
    np.testing.assert_allclose(update_BD.detach(), [[0.99988, 0.5]], atol=5e-6)
    np.testing.assert_allclose(cell(x_BC, c_BD).detach(), [[0.99986, 0.0]], atol=6e-6)


def copy_to_torch(cell: GruCell, columns: int) -> nn.GRUCell:
    """torch's cell with the textbook's weights: gates (r, z, n), z = 1 - update, c̃'s bias outside the reset."""
    kernel, width = nn.GRUCell(columns, cell.width), cell.width
    with torch.no_grad():
        for gate, (w, b, sign) in enumerate(
            [(cell.w_r, cell.b_r, 1.0), (cell.w_u, cell.b_u, -1.0), (cell.w_c, cell.b_c, 1.0)]
        ):
            rows = slice(gate * width, (gate + 1) * width)
            kernel.weight_hh[rows], kernel.weight_ih[rows] = sign * w[:, :width], sign * w[:, width:]
            kernel.bias_ih[rows], kernel.bias_hh[rows] = sign * b, 0.0
    return kernel


def test_torch_gru_is_the_textbook_with_negated_update_gate_and_late_reset() -> None:
    torch.manual_seed(1)
    x_BC, c_BD = torch.randn(6, 3), torch.randn(6, 4)
    after, before = GruCell(3, 4, reset="after"), GruCell(3, 4, reset="before")
    before.load_state_dict(after.state_dict())
    kernel = copy_to_torch(after, 3)
    torch.testing.assert_close(kernel(x_BC, c_BD), after(x_BC, c_BD))
    assert (kernel(x_BC, c_BD) - before(x_BC, c_BD)).abs().max() > 1e-3  # the order of the reset gate shows
    with torch.no_grad():
        before.w_c[:, :4] = torch.diag(torch.randn(4))
    torch.testing.assert_close(copy_to_torch(before, 3)(x_BC, c_BD), before(x_BC, c_BD))


def test_a_gru_carries_the_candidate_of_one_input() -> None:
    torch.manual_seed(2)
    cell = GruCell(2, 3)  # column 0 is the content, column 1 opens the update gate
    fill(cell, w_u=[[0.0, 0.0, 0.0, 0.0, 400.0]] * 3, b_u=[-200.0] * 3, w_r=[[0.0] * 5] * 3, b_r=[-200.0] * 3)
    fill(cell, b_c=[0.0] * 3)
    x_LC = torch.tensor([[0.3, 0.0], [0.7, 1.0], [-2.0, 0.0], [5.0, 0.0], [0.1, 0.0]])
    c_BD = torch.randn(1, 3)
    for x_C in x_LC:
        c_BD = cell(x_C.unsqueeze(0), c_BD)
    torch.testing.assert_close(c_BD, torch.tanh(x_LC[1:2] @ cell.w_c[:, 3:].T), rtol=0, atol=0)


def test_gates_have_an_entry_per_hidden_unit() -> None:
    rows = {"rnn": 1, "gru": 3, "lstm": 4}  # lstm: input, forget, cell, output; gru: reset, update, candidate
    for kind, gates in rows.items():
        encoder = RecurrentEncoder(RecurrentConfig(kind=kind, width=100), columns=2, static_columns=1)
        kernel = encoder.layers[0].kernel
        assert kernel.weight_hh_l0.shape == (gates * 100, 100)
    cell = GruCell(2, 100)
    _, update_BD, reset_BD = cell.gates(torch.zeros(1, 2), torch.zeros(1, 100))
    assert update_BD.shape == reset_BD.shape == (1, 100)


def test_update_and_forget_gate_are_separate_in_an_lstm() -> None:
    lstm = nn.LSTMCell(1, 1)
    c_BD = torch.tensor([[2.0]])
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.zero_()
        lstm.bias_ih.copy_(torch.tensor([100.0, 100.0, 100.0, 100.0]))  # write everything AND keep everything
    assert lstm(torch.zeros(1, 1), (torch.zeros(1, 1), c_BD))[1].item() == pytest.approx(3.0)
    # A GRU's pair is Γ_u and 1 - Γ_u: with a candidate of 1 it can only mix 2 and 1.
    cell = GruCell(1, 1)
    fill(cell, b_c=[100.0], w_c=[[0.0, 0.0]])
    for logit in (-100.0, 0.0, 100.0):
        fill(cell, b_u=[logit], w_u=[[0.0, 0.0]])
        assert 1.0 <= cell(torch.zeros(1, 1), c_BD).item() <= 2.0


# Gradients through time


def gradients_of_a_linear_rnn(factor: float, first: float, steps: int) -> list[float]:
    """d loss / d h_t of our own cell, newest first, by autograd, when the newest is `first`."""
    cell = ElmanCell(1, 1, activation=lambda z: z)
    fill(cell, u_DD=factor, w_DC=0.0, b_D=0.0)
    states = [torch.ones(1, 1, requires_grad=True)]
    for _ in range(steps - 1):
        states.append(cell(torch.zeros(1, 1), states[-1]))
    loss = first * states[-1].sum()
    return [float(gradient) for gradient in reversed(torch.autograd.grad(loss, states))]


@pytest.mark.parametrize(
    ("factor", "bound", "step", "name"),
    [(0.5, {"under": 2.0**-31}, 34, "vanishing"), (2.0, {"over": 2.0**31}, 31, "exploding")],
)
def test_a_gradient_of_three_leaves_the_integers(factor: float, bound: dict[str, float], step: int, name: str) -> None:
    measured = gradients_of_a_linear_rnn(factor, 3.0, 40)
    np.testing.assert_allclose(measured, gradient_chain(3.0, factor, 40))
    assert first_step(measured, **bound) == step
    assert name_gradients(measured) == name


@pytest.mark.parametrize(("size", "grows"), [(1.2, True), (0.8, False)])
def test_products_of_derivatives_follow_the_size_of_the_recurrent_weight(size: float, grows: bool) -> None:
    measured = gradients_of_a_linear_rnn(size, 1.0, 30)
    assert all((old > new) == grows for new, old in pairwise(measured))


# Attention


def test_weights_times_values() -> None:
    weights = torch.tensor([[0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 1, 0], [1, 0, 0, 0]], dtype=torch.float32)
    values = torch.arange(12.0).reshape(4, 3)
    assert weigh(weights, values).tolist() == [[9, 10, 11], [0, 1, 2], [9, 11, 13], [0, 1, 2]]


def test_softmax_of_scaled_scores() -> None:
    torch.manual_seed(3)
    q, k, v = (torch.randn(2, 3, 5, 4) for _ in range(3))
    ours = weigh(masked_softmax(ScaledDotScore()(q, k), None), v)
    torch.testing.assert_close(ours, nn.functional.scaled_dot_product_attention(q, k, v))


def test_several_heads_equal_torch() -> None:
    torch.manual_seed(4)
    ours, torchs = MultiHeadAttention(8, 2), nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        torchs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        torchs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
    torchs.out_proj.load_state_dict(ours.out.state_dict())
    query_BHD, memory_BLD = torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    mask_BL = torch.tensor([[1.0, 1, 1, 0, 0], [0, 1, 1, 1, 1]])
    wanted = torchs(query_BHD, memory_BLD, memory_BLD, key_padding_mask=mask_BL == 0, average_attn_weights=False)
    for one, other in zip(ours(query_BHD, memory_BLD, mask_BL), wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_cosine_score() -> None:
    query, key = torch.tensor([[2.0, 3.0, 4.0]]), torch.tensor([[1.0, 0.0, 5.0]])
    assert CosineScore()(query, key).item() == pytest.approx(0.801193, abs=1e-6)


def test_positional_encoding() -> None:
    width, places = 8, sinusoid(torch.arange(50), 8)
    for position in (0, 1, 7, 49):
        for i in range(width // 2):
            angle = position / 10000 ** (2 * i / width)
            assert places[position, 2 * i].item() == pytest.approx(np.sin(angle), abs=1e-5)
            assert places[position, 2 * i + 1].item() == pytest.approx(np.cos(angle), abs=1e-5)


# Learning: the optimisers that training takes from torch, and how their arguments map to the textbook's.

GRADIENTS = [0.5, -1.5, 2.0, 0.25]
RATE, BETA = 0.1, 0.9


def steps_of(make: type[torch.optim.Optimizer], *, momentum_from_zero: bool = False, **options: float) -> list[float]:
    w = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    optimiser = make([w], lr=RATE, **options)  # type: ignore[arg-type]
    if momentum_from_zero:
        optimiser.state[w]["momentum_buffer"] = torch.zeros_like(w)
    path: list[float] = []
    for gradient in GRADIENTS:
        w.grad = torch.tensor([gradient], dtype=torch.float64)
        optimiser.step()
        path.append(w.item())
    return path


def test_momentum_is_sgd_with_dampening() -> None:
    """v = β v + (1−β) g is dampening = 1 − ... = β in torch, whose first v is g unless its buffer starts at zero."""
    w, v, wanted = 1.0, 0.0, []
    for g in GRADIENTS:
        v = BETA * v + (1 - BETA) * g
        w -= RATE * v
        wanted.append(w)
    ours = steps_of(torch.optim.SGD, momentum=BETA, dampening=BETA, momentum_from_zero=True)
    np.testing.assert_allclose(ours, wanted, rtol=1e-12)


def test_rmsprop() -> None:
    """torch adds ε outside the root, the textbook inside: equal as ε goes to zero."""
    w, s, wanted = 1.0, 0.0, []
    for g in GRADIENTS:
        s = BETA * s + (1 - BETA) * g * g
        w -= RATE * g / np.sqrt(s + 1e-16)
        wanted.append(w)
    np.testing.assert_allclose(steps_of(torch.optim.RMSprop, alpha=BETA, eps=1e-12), wanted, rtol=1e-9)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_adam_joins_both_with_bias_correction(decay: float) -> None:
    """AdamW shrinks the weight itself by rate · decay; the correction divides by 1 − βᵗ."""
    w, v, s, wanted = 1.0, 0.0, 0.0, []
    for t, g in enumerate(GRADIENTS, start=1):
        v, s = 0.9 * v + 0.1 * g, 0.99 * s + 0.01 * g * g
        w -= RATE * decay * w
        w -= RATE * (v / (1 - 0.9**t)) / (np.sqrt(s / (1 - 0.99**t)) + 1e-12)
        wanted.append(w)
    ours = steps_of(torch.optim.AdamW, betas=(0.9, 0.99), eps=1e-12, weight_decay=decay)  # type: ignore[arg-type]
    np.testing.assert_allclose(ours, wanted, rtol=1e-9)


def test_weight_decay_is_the_gradient_of_the_penalty() -> None:
    """λ‖w‖² has the gradient 2 λ w: torch's `weight_decay` of plain SGD is 2 λ."""
    lam, w, wanted = 0.2, 1.0, []
    for g in GRADIENTS:
        theta = torch.tensor([w], dtype=torch.float64, requires_grad=True)
        (g * theta + lam * theta.square()).sum().backward()
        assert theta.grad is not None
        w -= RATE * theta.grad.item()
        wanted.append(w)
    np.testing.assert_allclose(steps_of(torch.optim.SGD, weight_decay=2 * lam), wanted, rtol=1e-12)


def test_skip_connection() -> None:
    x_BLC, f_BLD = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    assert torch.equal(Skip(4, 4)(x_BLC, f_BLD), f_BLD + x_BLC)


def test_skip_connection_with_projection() -> None:
    skip, x_BLC, f_BLD = Skip(4, 2), torch.randn(2, 3, 4), torch.randn(2, 3, 2)
    projection: Tensor = skip.get_parameter("projection.weight")
    torch.testing.assert_close(skip(x_BLC, f_BLD), f_BLD + x_BLC @ projection.T)


def test_residual_layers_of_an_encoder_add_their_input() -> None:
    torch.manual_seed(5)
    encoder = RecurrentEncoder(RecurrentConfig(kind="gru", width=4, layers=2, residual=True), 4, 1)
    x_BLC, ones = torch.randn(1, 6, 4), torch.ones(1, 1)
    first = encoder.layers[0]
    after_1, _ = first(x_BLC, first.first_state(ones))
    second = encoder.layers[1]
    after_2, _ = second(after_1 + x_BLC, second.first_state(ones))
    torch.testing.assert_close(encoder(x_BLC, torch.ones(1, 6), ones).hidden_BLD, after_2 + after_1 + x_BLC)
