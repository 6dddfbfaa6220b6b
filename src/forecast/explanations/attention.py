"""Where a forecast looked in its history, by lead. H steps ahead, L stretches of history."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.explanations.inside import Held, networks_of
from forecast.features import Inputs
from forecast.forecaster import Model

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Attention:
    """The weight of each stretch of history at each lead.

    Attributes:
        ds: start of each stretch (UTC), oldest first.
        length: of a stretch.
        weights_HL: mean over heads, parts and networks; each row sums to 1 where anything is known.
        known_L: which stretches the context reaches with anything known in them; the clock counts.
        networks: how many networks are averaged.
    """

    ds: pd.DatetimeIndex
    length: pd.Timedelta
    weights_HL: Doubles
    known_L: Bools
    networks: int

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "ds": [stamp.isoformat() for stamp in self.ds],
            "hours": self.length / pd.Timedelta(hours=1),
            "weights": self.weights_HL.round(8).tolist(),
            "known": self.known_L.tolist(),
            "networks": self.networks,
        }


def attention_of(model: Model, today: Inputs, origin: pd.Timestamp, step: pd.Timedelta) -> tuple[Attention | None, str]:
    """Attention over history of one window, or None with the reason.

    An ensemble's is averaged by lag over the members that look back at all.

    Args:
        model: any fitted model.
        today: its window, [1, ...].
        origin: start of the first step ahead.
        step: length of a period.
    """
    held = networks_of(model)
    if not held:
        return None, f"a model of kind '{model.kind}' holds no network, so nothing attends to history"
    looked = [told for one in held if (told := _looked(one, today)) is not None]
    if not looked:
        kinds = ", ".join(sorted({one.decoder for one in held}))
        return None, f"the decoder ({kinds}) reads the encoder's final state and attends to no single hour of history"
    block = max(patch for _, _, patch in looked)
    count = max(-(-weights_HL.shape[1] * patch // block) for weights_HL, _, patch in looked)
    weights_HL = np.mean([_on_grid(weights_HL, patch, block, count) for weights_HL, _, patch in looked], axis=0)
    masks = [_on_grid(mask_L[None].astype(np.float64), patch, block, count)[0] for _, mask_L, patch in looked]
    length = block * step
    ds = pd.date_range(origin - count * length, periods=count, freq=length)
    return Attention(ds, length, weights_HL, np.any(np.array(masks) > 0, axis=0), len(looked)), ""


def _looked(held: Held, today: Inputs) -> tuple[Doubles, Bools, int] | None:
    """A network's weights [H, L'] over its encoder steps, which are known, and context steps in one of them."""
    from forecast.networks.embedding import look_inside

    insight = look_inside(held.network, partial(held.model.quantiles, today))
    if insight.attention_BHL is None:
        return None
    return insight.attention_BHL[0].astype(np.float64), insight.mask_BL[0] > 0, int(held.network.patch)


def _on_grid(weights_HL: Doubles, patch: int, block: int, count: int) -> Doubles:
    """Weights over encoder steps of `patch` periods as weights over `count` stretches of `block`, newest aligned."""
    spread_HT = weights_HL if patch == block else np.repeat(weights_HL / patch, patch, axis=1)
    size = 1 if patch == block else block
    missing = count * size - spread_HT.shape[1]
    padded_HT = np.pad(spread_HT, ((0, 0), (missing, 0)))
    return np.asarray(padded_HT.reshape(len(weights_HL), count, size).sum(2))
