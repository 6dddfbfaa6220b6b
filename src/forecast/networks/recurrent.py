"""rnn, lstm and gru: one encoder and one decoder over torch's own kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu
from torch.utils.checkpoint import checkpoint

from forecast.networks.attention import MultiHeadAttention
from forecast.networks.configs import Cell, RecurrentConfig, RecurrentDecoderConfig
from forecast.networks.encoded import Encoded
from forecast.networks.skip import Skip
from forecast.networks.teaching import taught_share

KERNELS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
State = Tensor | tuple[Tensor, Tensor]


class Feedback(Protocol):
    """What an autoregressive decoder hears: the value before the first step, and its own word after each."""

    start_B1: Tensor

    def after(self, step: int, hidden_B1D: Tensor) -> Tensor: ...


class RecurrentLayer(nn.Module):
    """One layer of torch's kernel, started from a vector, in one direction or both.

    Shapes: `x_BLC`, state to `(B, L, D)` and the next state; D is twice the width in both directions. Recurrent weights
    start orthogonal, biases at zero, an LSTM's forget gate open (bias 1), so that gradients reach far back at first.
    """

    def __init__(self, kind: Cell, columns: int, width: int, start_columns: int, *, bidirectional: bool) -> None:
        super().__init__()
        directions = 2 if bidirectional else 1
        self.width, self.lstm, self.directions = directions * width, kind == "lstm", directions
        self.kernel = KERNELS[kind](columns, width, batch_first=True, bidirectional=bidirectional)
        self.start = nn.Linear(start_columns, directions * width * (2 if self.lstm else 1))
        for name, weight in self.kernel.named_parameters():
            _start_weight(name, weight, width, forget=self.lstm)

    def first_state(self, start_BC: Tensor) -> State:
        """The state before the first step, made from a vector."""
        start_BX = torch.tanh(self.start(start_BC))
        parts = start_BX.reshape(start_BX.shape[0], -1, self.kernel.hidden_size).transpose(0, 1).contiguous()
        return (parts[: self.directions], parts[self.directions :]) if self.lstm else parts

    def forward(self, x_BLC: Tensor, state: State) -> tuple[Tensor, State]:
        hidden_BLD, state = self.kernel(x_BLC, state)
        return hidden_BLD, state


def _start_weight(name: str, weight: Tensor, width: int, *, forget: bool) -> None:
    with torch.no_grad():
        if name.startswith("weight"):
            spread = nn.init.orthogonal_ if "_hh" in name else nn.init.xavier_uniform_
            for gate in torch.split(weight, width):
                spread(gate)
        else:
            weight.zero_()
            if forget and "_ih" in name:
                weight[width : 2 * width] = 1.0


def _cut(state: State) -> State:
    """The same state without its past."""
    return state.detach() if isinstance(state, Tensor) else (state[0].detach(), state[1].detach())


class RecurrentEncoder(nn.Module):
    """A stack of recurrent layers over the observed window, started from the static columns.

    Shapes: `x_BLC`, `mask_BL`, `static_BS` to `Encoded` with D = width, or twice that in both directions. It is handed
    the observed window and nothing else, so its backward direction begins at the cutoff. The final state is the forward
    direction's at the newest step beside the backward direction's at the oldest.

    `config.truncate` = k is truncated backpropagation through time, the state carried on in both forms: "newest" reads
    all but the newest k steps without gradient; "chunks" cuts the gradient at every k steps, counted from the newest,
    and reads a chunk again when its gradient is due, so that one chunk's activations are kept at a time. Both give the
    final state the same gradient. Source: Williams and Peng 1990, "An efficient gradient-based algorithm for on-line
    training of recurrent network trajectories"; Chen et al. 2016, arXiv 1604.06174 (reading again).

    >>> from forecast.networks.configs import RecurrentConfig
    >>> encoder = RecurrentEncoder(RecurrentConfig(kind="gru", width=4), columns=2, static_columns=1)
    >>> encoder(torch.zeros(3, 5, 2), torch.ones(3, 5), torch.ones(3, 1)).hidden_BLD.shape
    torch.Size([3, 5, 4])
    """

    def __init__(self, config: RecurrentConfig, columns: int, static_columns: int) -> None:
        super().__init__()
        self.width = config.width * (2 if config.bidirectional else 1)
        self.one_way, self.bidirectional = config.width, config.bidirectional
        self.truncate, self.truncation = config.truncate, config.truncation
        widths = [columns] + [self.width] * config.layers
        self.layers = nn.ModuleList(
            RecurrentLayer(config.kind, c, config.width, static_columns, bidirectional=config.bidirectional)
            for c in widths[:-1]
        )
        self.skips = nn.ModuleList(Skip(c, self.width) for c in widths[:-1]) if config.residual else None
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x_BLC: Tensor, mask_BL: Tensor, static_BS: Tensor) -> Encoded:
        states: list[State] = [layer.first_state(static_BS) for layer in self.layers]  # type: ignore[operator]
        *older, newest_BKC = self._parts(x_BLC)
        read: list[Tensor] = []
        for part_BKC in older:
            hidden_BKD, states = self._read_older(part_BKC, states)
            read.append(hidden_BKD)
        hidden_BKD, _ = self._run(newest_BKC, states)
        # The state is taken from the newest part: a gradient of zeros never walks through the older ones.
        return Encoded(torch.cat([*read, hidden_BKD], dim=1) if read else hidden_BKD, mask_BL, self._final(hidden_BKD))

    def _parts(self, x_BLC: Tensor) -> Sequence[Tensor]:
        """The window in the parts that gradients do not cross, oldest first; the newest has `truncate` steps."""
        steps, k = x_BLC.shape[1], self.truncate
        if k is None or steps <= k or not torch.is_grad_enabled():
            return [x_BLC]
        if self.truncation == "newest":
            return torch.split(x_BLC, [steps - k, k], dim=1)
        first = [steps % k] if steps % k else []
        return torch.split(x_BLC, first + [k] * (steps // k), dim=1)

    def _read_older(self, x_BKC: Tensor, states: list[State]) -> tuple[Tensor, list[State]]:
        if self.truncation == "newest":
            with torch.no_grad():
                return self._run(x_BKC, states)
        hidden_BKD, after = checkpoint(self._run, x_BKC, states, use_reentrant=False)
        return hidden_BKD, [_cut(state) for state in after]

    def _run(self, x_BLC: Tensor, states: list[State]) -> tuple[Tensor, list[State]]:
        after: list[State] = []
        for number, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
            f_BLD, state = layer(x_BLC if number == 0 else self.dropout(x_BLC), state)
            x_BLC = f_BLD if self.skips is None else self.skips[number](x_BLC, f_BLD)
            after.append(state)
        return x_BLC, after

    def _final(self, hidden_BLD: Tensor) -> Tensor:
        if not self.bidirectional:
            return hidden_BLD[:, -1]
        return torch.cat([hidden_BLD[:, -1, : self.one_way], hidden_BLD[:, 0, self.one_way :]], dim=1)


class RecurrentDecoder(nn.Module):
    """A recurrent layer over the horizon's known inputs, started from the encoder's state.

    Shapes: `encoded`, `known_BHK`, `static_BS` to `(B, H, D)`; H may be any length. With attention, each step asks the
    encoder's steps and mixes the answer in (Luong et al. 2015, arXiv 1508.04025, section 3). An autoregressive decoder
    also reads `feedback`: the last known load before step 1, then its own median or, while taught, the truth.
    `taught` is the share of training steps that are taught; `teach` sets it for an epoch.
    """

    taught: Tensor

    def __init__(
        self, config: RecurrentDecoderConfig, encoder_width: int, known_columns: int, static_columns: int
    ) -> None:
        super().__init__()
        self.config, self.autoregressive = config, config.autoregressive
        # A tensor, so that a compiled network is not compiled again in every epoch; not part of what is saved.
        self.register_buffer("taught", torch.tensor(config.teacher_forcing), persistent=False)
        columns = known_columns + static_columns + (1 if config.autoregressive else 0)
        start, both_ways = encoder_width + static_columns, config.bidirectional
        self.layer = RecurrentLayer(config.cell, columns, config.width, start, bidirectional=both_ways)
        self.width = self.layer.width
        self.dropout = nn.Dropout(config.dropout)
        self.attention, self.mix = None, None
        if config.attention is not None:
            heads, score = config.attention.heads, config.attention.score
            self.attention = MultiHeadAttention(self.width, heads, score, memory_width=encoder_width)
            self.mix = nn.Linear(2 * self.width, self.width)

    def forward(
        self, encoded: Encoded, known_BHK: Tensor, static_BS: Tensor, feedback: Feedback | None = None
    ) -> Tensor:
        static_BHS = static_BS.unsqueeze(1).expand(-1, known_BHK.shape[1], -1)
        x_BHC = torch.cat([known_BHK, static_BHS], dim=2)
        state = self.layer.first_state(torch.cat([encoded.state_BD, static_BS], dim=1))
        if self.autoregressive and feedback is not None:
            return self._roll_out(x_BHC, state, encoded, feedback)
        hidden_BHD, _ = self.layer(x_BHC, state)
        return self._answer(hidden_BHD, encoded)

    def teach(self, epoch: int, epochs: int) -> None:
        """Sets the share of taught steps of epoch 0, 1, … of `epochs`."""
        self.taught.fill_(taught_share(self.config, epoch, epochs))

    def _roll_out(self, x_BHC: Tensor, state: State, encoded: Encoded, feedback: Feedback) -> Tensor:
        heard_B1, answers = feedback.start_B1, []
        for step in range(x_BHC.shape[1]):
            x_B1C = torch.cat([x_BHC[:, step : step + 1], heard_B1.unsqueeze(1)], dim=2)
            hidden_B1D, state = self.layer(x_B1C, state)
            answers.append(self._answer(hidden_B1D, encoded))
            heard_B1 = feedback.after(step, answers[-1])
        return torch.cat(answers, dim=1)

    def _answer(self, hidden_BHD: Tensor, encoded: Encoded) -> Tensor:
        if self.attention is not None and self.mix is not None:
            found_BHD, _ = self.attention(hidden_BHD, encoded.hidden_BLD, encoded.mask_BL)
            hidden_BHD = gelu(self.mix(torch.cat([hidden_BHD, found_BHD], dim=2)))
        dropped_BHD: Tensor = self.dropout(hidden_BHD)
        return dropped_BHD
