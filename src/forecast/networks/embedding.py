"""What a network's encoder made of a window, and where its decoder looked: for explanations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from forecast.networks.attention import MultiHeadAttention, attention_weights
from forecast.networks.encoded import Encoded

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Insight:
    """One call of a network, seen from inside.

    Attributes:
        state_BD: the encoder's final state.
        mask_BL: 1 where an encoder step holds anything known.
        attention_BHL: weights over the encoder's steps, mean of all heads and of all parts that look at them; None
            where no part does.
    """

    state_BD: Floats
    mask_BL: Floats
    attention_BHL: Floats | None


class _Asked(nn.Module):
    """A model's call as a module: the network inside is seen with whatever the model feeds it."""

    def __init__(self, network: nn.Module, ask: Callable[[], object]) -> None:
        super().__init__()
        self.network, self.ask = network, ask

    def forward(self) -> None:
        self.ask()


def look_inside(network: nn.Module, ask: Callable[[], object]) -> Insight:
    """Watches a network while `ask` makes its model answer some windows once.

    Args:
        network: has an `encoder` that returns `Encoded`; used as it is, so it stands in evaluation mode.
        ask: calls the model that holds the network.
    """
    asked = _Asked(network, ask)
    seen: list[Encoded] = []
    looking: set[str] = set()
    encoder: Any = network.encoder
    hooks = [encoder.register_forward_hook(lambda _module, _inputs, out: seen.append(out))]
    for name, part in asked.named_modules():
        if isinstance(part, MultiHeadAttention):
            hooks.append(part.register_forward_pre_hook(_noting(name, seen, looking)))
    try:
        weights = attention_weights(asked)
    finally:
        for hook in hooks:
            hook.remove()
    parts = [weights[name].float().mean(1) for name in sorted(looking)]
    mean_BHL = torch.stack(parts).mean(0) if parts else None
    if mean_BHL is not None:
        # Phases are answered one after the other; leads are told in their order.
        stride, leads = int(getattr(network, "stride", 1)), range(mean_BHL.shape[1])
        phases = [lead for phase in range(min(stride, len(leads))) for lead in leads[phase::stride]]
        mean_BHL = mean_BHL[:, torch.tensor(phases).argsort()]
    return Insight(
        _array(torch.cat([one.state_BD for one in seen])),
        _array(torch.cat([one.mask_BL for one in seen])),
        None if mean_BHL is None else _array(mean_BHL),
    )


def _noting(name: str, seen: list[Encoded], looking: set[str]) -> Callable[[nn.Module, tuple[Any, ...]], None]:
    """Notes a part whose memory is the encoder's steps themselves; self-attention has another."""

    def note(_module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if seen and len(inputs) > 1 and inputs[1] is seen[-1].hidden_BLD:
            looking.add(name)

    return note


def _array(tensor: Tensor) -> Floats:
    array: Floats = tensor.detach().float().cpu().numpy()
    return array
