"""What is hidden from a network while it learns: stretches of a window, or a meter's whole history."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor

from forecast.networks.scaling import WindowScaling


def hidden_spans(batch: int, steps: int, share: float, span: int, device: torch.device | None = None) -> Tensor:
    """True where a step is hidden: stretches of `span` steps at random places, together about `share`; shape (B, S).

    Stretches may overlap; at least one is hidden, and never a whole window. Drawn from torch's random state.
    """
    span = max(1, min(span, steps // 2))
    places = steps - span + 1
    # So many that 1 - (1 - span / steps)^count is the share that overlapping stretches cover.
    count = max(1, round(log(1 - share) / log(1 - span / steps))) if steps > 1 else 1
    start_BN1 = torch.randint(places, (batch, count, 1), device=device)
    step_S = torch.arange(steps, device=device)
    hidden_BS: Tensor = ((step_S >= start_BN1) & (step_S < start_BN1 + span)).any(1)
    return hidden_BS & (hidden_BS.sum(1, keepdim=True) < steps)


def hide_history(inputs: Sequence[Tensor], share: float, scaling: WindowScaling) -> tuple[Tensor, ...]:
    """The six inputs of a network with all columns in the load's unit masked in about `share` of the windows.

    What is left of such a window is the calendar, the weather and the static columns: a meter without history.
    """
    past, past_mask, future, future_mask, static, peers = inputs
    unseen_B11 = torch.rand(past.shape[0], 1, 1, device=past.device) < share
    past_mask = past_mask.masked_fill(unseen_B11 & scaling.past_load_P, 0.0)
    future_mask = future_mask.masked_fill(unseen_B11 & scaling.future_load_F, 0.0)
    own_BS1 = peers[..., -1:] > 0
    # Nor does it know itself among the learned series.
    stranger = torch.cat(
        [torch.where(own_BS1, torch.nan, peers[..., :-1]), torch.zeros_like(own_BS1, dtype=peers.dtype)], 2
    )
    return past, past_mask, future, future_mask, static, torch.where(unseen_B11, stranger, peers)
