"""Attention over the other series of a table, and a vector for each series itself."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from forecast.networks.attention import masked_softmax
from forecast.networks.configs import NeighboursConfig
from forecast.networks.scaling import masked


class Neighbours(nn.Module):
    """What a window's series hears of the others: each head weighs them by learned vectors of who asks and who answers.

    The weights depend on who they are, not on what they say, so each head becomes a fixed map of neighbours; of those
    whose state is unknown none is heard. A series that was not learned asks with zeros and hears all alike.

    Shapes: `peers_BSD` (D - 1 columns, NaN where unknown, then 1 at the window's own series) to `(B, K)` with
    K = embedding + heads · (D - 1). While it learns, `hidden` of the windows hear nobody but themselves, as many are
    strangers to themselves, and half of those hear nobody either: a late neighbour or a new meter is no surprise.

    >>> from forecast.networks.configs import NeighboursConfig
    >>> Neighbours(NeighboursConfig(heads=2, embedding=4), series=3, columns=5)(torch.zeros(7, 3, 6)).shape
    torch.Size([7, 14])
    """

    def __init__(self, config: NeighboursConfig, series: int, columns: int) -> None:
        super().__init__()
        self.hidden = config.hidden
        self.width = config.embedding + config.heads * columns
        self.query_NSE = nn.Parameter(0.3 * torch.randn(config.heads, series, config.width))
        self.key_NSE = nn.Parameter(0.3 * torch.randn(config.heads, series, config.width))
        self.embedding_SE = nn.Parameter(0.1 * torch.randn(series, config.embedding))
        self.mix = nn.Linear(columns, columns)

    def forward(self, peers_BSD: Tensor) -> Tensor:
        own_BS, states_BSD = peers_BSD[..., -1], peers_BSD[..., :-1]
        own_BS, heard_BS = self._shown(own_BS, states_BSD.isfinite().any(2))
        weights_BNS = self.weights(own_BS, heard_BS)
        mixed_BSD = self.mix(masked(states_BSD, states_BSD.isfinite()))
        heard_BND = weights_BNS @ mixed_BSD
        return torch.cat([own_BS @ self.embedding_SE, heard_BND.flatten(1)], dim=1)

    def weights(self, own_BS: Tensor, heard_BS: Tensor) -> Tensor:
        """How much each head of each window hears each series, (B, N, S); zero where nothing is heard."""
        scores_NSS = self.query_NSE @ self.key_NSE.transpose(1, 2)
        scores_BNS = torch.einsum("bs,nst->bnt", own_BS, scores_NSS)
        return masked_softmax(scores_BNS, heard_BS.unsqueeze(1).expand_as(scores_BNS))

    def _shown(self, own_BS: Tensor, known_BS: Tensor) -> tuple[Tensor, Tensor]:
        """Who each window is, and whom it hears."""
        if not self.training or not self.hidden:
            return own_BS, known_BS
        drawn_B1 = torch.rand(len(own_BS), 1, device=own_BS.device)
        alone_B1, stranger_B1 = drawn_B1 < self.hidden, drawn_B1 > 1 - self.hidden
        nobody_B1, other_BS = drawn_B1 > 1 - self.hidden / 2, own_BS <= 0
        heard_BS = known_BS & ~(alone_B1 & other_BS) & ~nobody_B1 & ~(stranger_B1 & ~other_BS)
        return torch.where(stranger_B1, 0.0, own_BS), heard_BS
