"""Honest intervals: quantiles moved by what their own errors were on data that the model had not learned from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

POOL = 60.0
HOURS = 24
LEAST = 0.1
"""An interval keeps at least this share of the model's own width."""


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
    """How far each level moves from the median, per local hour.

    Split-conformal, per level (Romano, Patterson, Candès 2019): a level's distance from the median becomes the one
    that its share of the held-out errors of its own hour stayed under, drawn towards all hours' where few are at hand.
    Where that is further out, the distance grows by so many window scales; where it is nearer, it shrinks by a factor,
    so that no interval can collapse. The errors of a level and of its opposite (0.1 and 0.9) count together: how large
    the held-out weeks' bias was says something about other weeks, its direction does not. The median stays.

    Attributes:
        levels: the quantile levels.
        shift_KQ: 24 rows, one per local hour: outwards, in units of `window_scale`; zeros where nothing was held out.
        shrink_KQ: 24 rows: what the model's own distance from the median is multiplied by.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    levels: tuple[float, ...]
    shift_KQ: tuple[tuple[float, ...], ...]
    shrink_KQ: tuple[tuple[float, ...], ...]

    @classmethod
    def none(cls, levels: Sequence[float]) -> Calibration:
        """No move at all."""
        count = len(levels)
        return cls(levels=tuple(levels), shift_KQ=((0.0,) * count,) * HOURS, shrink_KQ=((1.0,) * count,) * HOURS)

    @classmethod
    def fit(
        cls, quantiles_BHQ: Floats, y_BH: Floats, known_BH: Bools, hour_BH: npt.NDArray[np.integer], scale_B: Floats,
        levels: Sequence[float],
    ) -> Calibration:  # fmt: skip
        """Learns the moves from forecasts of a span that chose no weight.

        Args:
            quantiles_BHQ: the uncalibrated forecasts.
            y_BH: what happened; `known_BH` says where.
            hour_BH: local hour 0..23 of each step.
            scale_B: `window_scale` of each window.
            levels: the Q levels.
        """
        if not known_BH.any():
            return cls.none(levels)
        scale_N = np.broadcast_to(scale_B[:, None], y_BH.shape)[known_BH]
        distances = _distances(quantiles_BHQ[known_BH], y_BH[known_BH], scale_N, levels)
        hour_N = np.tile(hour_BH[known_BH], 2)
        moves_KQ2 = [[_move(one, hour_N == hour) for one in distances] for hour in range(HOURS)]
        shift, shrink = (tuple(tuple(move[part] for move in row) for row in moves_KQ2) for part in (0, 1))
        return cls(levels=tuple(levels), shift_KQ=shift, shrink_KQ=shrink)

    def apply(
        self, quantiles_BHQ: Floats, hour_BH: npt.NDArray[np.integer], scale_B: Floats
    ) -> npt.NDArray[np.float64]:
        """Calibrated quantiles [B, H, Q], never crossing, their median where it was; B may be several axes."""
        side_Q, middle = sides(self.levels), middle_of(self.levels)
        median_BH1 = quantiles_BHQ[..., middle : middle + 1]
        own_BHQ = side_Q * (quantiles_BHQ - median_BH1)
        grown_BHQ = own_BHQ * _matrix(self.shrink_KQ)[hour_BH]
        grown_BHQ = grown_BHQ + _matrix(self.shift_KQ)[hour_BH] * scale_B[..., None, None]
        return in_order(median_BH1 + side_Q * np.maximum(grown_BHQ, 0), middle)


@lru_cache(maxsize=256)
def _matrix(rows_KQ: tuple[tuple[float, ...], ...]) -> npt.NDArray[np.float64]:
    """Rows as an array; every answer asks for it."""
    return np.asarray(rows_KQ)


class _Distances(NamedTuple):
    """Outward distances from the median of one level and its opposite, one after the other, [2N] each.

    `said` by the model, `happened`, both in window scales; `share` of the errors that must stay under.
    """

    said: npt.NDArray[np.float64]
    happened: npt.NDArray[np.float64]
    share: float


@lru_cache(maxsize=256)
def _middle(levels: tuple[float, ...]) -> int:
    return int(np.argmin(np.abs(np.asarray(levels) - 0.5)))


def middle_of(levels: Sequence[float]) -> int:
    """The median's place among the levels."""
    return _middle(tuple(levels))


def sides(levels: Sequence[float]) -> npt.NDArray[np.float64]:
    """Per level -1 below the median, 0 at it, 1 above."""
    return np.sign(np.arange(len(levels)) - middle_of(levels)).astype(np.float64)


def opposites(levels: Sequence[float]) -> npt.NDArray[np.int64]:
    """Per level the place of the one nearest to its mirror image: 0.9 for 0.1."""
    p = np.asarray(levels)
    return np.asarray(np.abs(p[:, None] - (1 - p)).argmin(0))


def in_order(quantiles: Floats, middle: int) -> npt.NDArray[np.float64]:
    """Quantiles [..., Q] that never cross: order is restored outwards from the median, which stays."""
    upper = np.maximum.accumulate(quantiles[..., middle:], axis=-1)
    lower = np.minimum.accumulate(quantiles[..., middle::-1], axis=-1)[..., ::-1]
    return np.concatenate([lower[..., :-1], upper], axis=-1)


def _distances(quantiles_NQ: Floats, y_N: Floats, scale_N: Floats, levels: Sequence[float]) -> list[_Distances]:
    side_Q, middle = sides(levels), middle_of(levels)
    median_N = quantiles_NQ[:, middle]
    said_NQ = side_Q * (quantiles_NQ - median_N[:, None]) / scale_N[:, None]
    happened_N = (y_N - median_N) / scale_N
    return [
        _Distances(
            np.concatenate([said_NQ[:, place], said_NQ[:, other]]),
            np.concatenate([side_Q[place] * happened_N, side_Q[other] * happened_N]),
            max(level, 1 - level) if place != middle else 0.5,
        )
        for place, (level, other) in enumerate(zip(levels, opposites(levels), strict=True))
    ]


def _move(one: _Distances, own_N: Bools) -> tuple[float, float]:
    """One hour's shift and factor of one level: its own errors', drawn towards all hours' where it has few."""
    if one.share == 0.5:
        return 0.0, 1.0
    errors = one.happened - one.said
    shift = _drawn(errors, own_N, one.share)
    if shift >= 0:
        return shift, 1.0
    ratios = one.happened / np.maximum(one.said, 1e-9)
    return 0.0, float(np.clip(_drawn(ratios, own_N, one.share), LEAST, 1.0))


def _drawn(values_N: Floats, own_N: Bools, share: float) -> float:
    pooled, count = _conformal(values_N, share), int(own_N.sum()) / 2
    if not count:
        return pooled
    # All hours lend their shape and not their size: evenings are wide and nights are narrow.
    size = float(np.abs(values_N[own_N]).mean() / max(np.abs(values_N).mean(), 1e-12))
    weight = count / (count + POOL)
    return weight * _conformal(values_N[own_N], share) + (1 - weight) * size * pooled


def _conformal(values_N: Floats, share: float) -> float:
    """The value that a share of the held-out ones stays under, with the finite-sample step outwards."""
    count = len(values_N)
    return float(np.quantile(values_N, min(share * (count + 1) / count, 1.0)))
