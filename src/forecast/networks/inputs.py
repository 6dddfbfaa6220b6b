"""`Inputs`: what a network is handed, whichever runtime answers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class Inputs(Protocol):
    """The arrays of a batch; `forecast.features.Inputs` has them."""

    @property
    def past_BLP(self) -> Floats: ...
    @property
    def past_mask_BLP(self) -> Floats: ...
    @property
    def future_BHF(self) -> Floats: ...
    @property
    def future_mask_BHF(self) -> Floats: ...
    @property
    def static_BS(self) -> Floats: ...
    @property
    def peers_BSD(self) -> Floats: ...
