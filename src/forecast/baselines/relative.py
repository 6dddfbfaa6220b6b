"""A window's own level and size. B windows, H steps, F columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from forecast.features import Inputs
from forecast.forecaster.models import Floats

Doubles = npt.NDArray[np.float64]
LIMIT = 20.0
"""A value that lies further from its window's level than so many sizes (a week of zeros ends) is none to learn from."""


@dataclass(frozen=True, eq=False)
class Relative:
    """A window's own level and size, so that a megawatt and a kilowatt series look alike.

    Attributes:
        level_B: mean of the context's known y.
        size_B: the larger of |level| and the context's spread.
    """

    level_B: Doubles
    size_B: Doubles

    @classmethod
    def of(cls, inputs: Inputs) -> Self:
        """Read from the context; level 0 and size 1 where nothing is known."""
        y_BL, mask_BL = inputs.past_BLP[:, :, 0].astype(np.float64), inputs.past_mask_BLP[:, :, 0]
        count_B = np.maximum(mask_BL.sum(1), 1)
        level_B = (y_BL * mask_BL).sum(1) / count_B
        spread_B = np.sqrt((mask_BL * (y_BL - level_B[:, None]) ** 2).sum(1) / count_B)
        size_B = np.maximum(np.abs(level_B), spread_B)
        return cls(level_B, np.where(size_B > 0, size_B, 1.0))

    def columns(self, inputs: Inputs, load_F: npt.NDArray[np.bool_]) -> Doubles:
        """Future columns [B, H, F] with load columns relative and within ± `LIMIT`, NaN where masked."""
        values_BHF = inputs.future_BHF.astype(np.float64)
        shifted_BHL = (values_BHF[:, :, load_F] - self.level_B[:, None, None]) / self.size_B[:, None, None]
        values_BHF[:, :, load_F] = np.clip(shifted_BHL, -LIMIT, LIMIT)
        values_BHF[~(inputs.future_mask_BHF > 0)] = np.nan
        return values_BHF

    def target(self, inputs: Inputs) -> Doubles:
        """The horizon's y, relative, [B, H]."""
        return (inputs.target_BH - self.level_B[:, None]) / self.size_B[:, None]

    def absolute(self, relative_BH: Doubles) -> Floats:
        """Back to mean power."""
        return (relative_BH * self.size_B[:, None] + self.level_B[:, None]).astype(np.float32)

    def learnable(self, inputs: Inputs) -> npt.NDArray[np.bool_]:
        """Steps [B, H] with a known target in windows with a known level, in whose scale the target is sensible."""
        levelled_B1 = inputs.past_mask_BLP[:, :, 0].max(1, keepdims=True) > 0
        sensible_BH = np.abs(self.target(inputs)) <= LIMIT
        return np.asarray((inputs.target_mask_BH > 0) & levelled_B1 & sensible_BH)
