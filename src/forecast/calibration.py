"""Honest intervals: quantiles moved by what their own errors were on data that the model had not learned from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

POOL = 60.0


def window_scale(past_y_BL: Floats, mask_BL: Floats) -> npt.NDArray[np.float64]:
    """How much each window's own history varies: the masked standard deviation of its known y.

    Args:
        past_y_BL: y of the context, any unit.
        mask_BL: 1 where known.

    Returns:
        [B], same unit, at least a millionth of the level (a constant series has a scale, too); 1 without history.
    """
    known_BL = mask_BL > 0
    count_B = known_BL.sum(1)
    safe_B = np.maximum(count_B, 1)
    values_BL = np.where(known_BL, past_y_BL, 0).astype(np.float64)
    mean_B = values_BL.sum(1) / safe_B
    spread_B = np.sqrt(np.where(known_BL, (values_BL - mean_B[:, None]) ** 2, 0).sum(1) / safe_B)
    floor_B = np.maximum(np.abs(mean_B) * 1e-6, 1e-9)
    return np.where(count_B > 0, np.maximum(spread_B, floor_B), 1.0)


class Calibration(BaseModel):
    """Shifts per local hour and level, in units of the window's scale.

    Split-conformal, one sided per level (Romano, Patterson, Candès 2019): each level moves by that level's empirical
    quantile of the held-out errors of its own hour, drawn towards all hours' where few are at hand. The errors of a
    level and the mirrored errors of its opposite (0.1 and 0.9) count together: how large the held-out weeks' bias was
    says something about other weeks, its direction does not. The median stays.

    Attributes:
        levels: the quantile levels.
        shift_KQ: 24 rows, one per local hour; zeros where nothing was held out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    levels: tuple[float, ...]
    shift_KQ: tuple[tuple[float, ...], ...]

    @classmethod
    def none(cls, levels: Sequence[float]) -> Calibration:
        """No shift at all."""
        return cls(levels=tuple(levels), shift_KQ=((0.0,) * len(levels),) * 24)

    @classmethod
    def fit(
        cls, quantiles_BHQ: Floats, y_BH: Floats, known_BH: Bools, hour_BH: npt.NDArray[np.integer], scale_B: Floats,
        levels: Sequence[float],
    ) -> Calibration:  # fmt: skip
        """Learns the shifts from forecasts of a span that chose no weight.

        Args:
            quantiles_BHQ: the uncalibrated forecasts.
            y_BH: what happened; `known_BH` says where.
            hour_BH: local hour 0..23 of each step.
            scale_B: `window_scale` of each window.
            levels: the Q levels.
        """
        if not known_BH.any():
            return cls.none(levels)
        errors_BHQ = (y_BH[..., None] - quantiles_BHQ) / scale_B[:, None, None]
        errors_NQ, hours_N = _mirrored(errors_BHQ[known_BH], levels), np.tile(hour_BH[known_BH], 2)
        rows = [_shifts(errors_NQ, levels, errors_NQ[hours_N == hour]) for hour in range(24)]
        return cls(levels=tuple(levels), shift_KQ=tuple(rows))

    def apply(
        self, quantiles_BHQ: Floats, hour_BH: npt.NDArray[np.integer], scale_B: Floats
    ) -> npt.NDArray[np.float64]:
        """Calibrated quantiles [B, H, Q], never crossing, their median where it was."""
        shift_BHQ = np.asarray(self.shift_KQ)[hour_BH] * scale_B[:, None, None]
        moved_BHQ = quantiles_BHQ + shift_BHQ
        middle = int(np.argmin(np.abs(np.asarray(self.levels) - 0.5)))
        upper = np.maximum.accumulate(moved_BHQ[..., middle:], axis=-1)
        lower = np.minimum.accumulate(moved_BHQ[..., middle::-1], axis=-1)[..., ::-1]
        return np.concatenate([lower[..., :-1], upper], axis=-1)


def _shifts(all_NQ: Floats, levels: Sequence[float], own_NQ: Floats) -> tuple[float, ...]:
    """One hour's shift per level: its own quantile, drawn towards all hours' when it has few errors."""
    weight = len(own_NQ) / (len(own_NQ) + POOL)
    shifts = []
    for place, level in enumerate(levels):
        pooled = _conformal(all_NQ[:, place], level)
        own = _conformal(own_NQ[:, place], level) if len(own_NQ) else pooled
        shifts.append(0.0 if abs(level - 0.5) < 1e-9 else float(weight * own + (1 - weight) * pooled))
    return tuple(shifts)


def _mirrored(errors_NQ: Floats, levels: Sequence[float]) -> npt.NDArray[np.float64]:
    """Each level's errors [2N, Q] and, with their sign turned, those of the level nearest to its opposite."""
    p = np.asarray(levels)
    opposite = np.abs(p[:, None] - (1 - p)).argmin(0)
    return np.concatenate([errors_NQ, -errors_NQ[:, opposite]])


def _conformal(errors_N: Floats, level: float) -> float:
    """The error that a share `level` of the held-out errors stays under, with the finite-sample step outwards."""
    count = len(errors_N)
    rank = level * (count + 1) / count if level > 0.5 else 1 - (1 - level) * (count + 1) / count
    return float(np.quantile(errors_N, min(max(rank, 0.0), 1.0)))
