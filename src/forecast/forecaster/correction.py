"""A forecast learns from the errors of the days before: where it lies, and how wide it is.

N forecasts, K days back (nearest first), H steps, Q levels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from forecast.calibration import in_order, middle_of, opposites, sides
from forecast.recipe import CorrectionConfig

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

GRID = np.arange(0.5, 100) / 100
PRIOR_DAYS = 8.0
WIDTH_HALF_LIFE = 20.0
NARROWEST, WIDEST = 0.6, 2.5


class Correction(BaseModel):
    """Shares of the last days' errors that are added to a forecast, and what its intervals are compared with.

    Place: `day_gain` times the weighted mean of the last days' mean errors, plus `hour_gain` times the weighted mean of
    what the same step's errors were beside them. Width: how often outcomes lay outside the intervals since the model
    was trained, mixed with how often they did when it was calibrated, moves each level out or in: conformal prediction
    with weights for recent days (Barber, Candès, Ramdas, Tibshirani 2023, "Conformal prediction beyond
    exchangeability"; adaptive in the sense of Gibbs and Candès 2021).

    Attributes:
        config: days and half-lives.
        levels: the quantile levels.
        day_gain, hour_gain: learned from held-out errors, 0 to 1.
        ratios_QG: per level, the distribution of the held-out outcomes' distances from the median in units of the
            level's own distance; empty where nothing was held out.
        prior_days: how many days the held-out distribution counts for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: CorrectionConfig
    levels: tuple[float, ...]
    day_gain: float = 0.0
    hour_gain: float = 0.0
    ratios_QG: tuple[tuple[float, ...], ...] = ()
    prior_days: float = PRIOR_DAYS

    def with_gains(self, error_NKH: Doubles, known_NKH: Bools, left_NH: Doubles, left_known_NH: Bools) -> Correction:
        """Gains that suit held-out forecasts: least squares of their errors on those of the days before them.

        Args:
            error_NKH, known_NKH: outcome minus median of the days before.
            left_NH, left_known_NH: outcome minus median of the forecast itself.
        """
        day_N, hour_NH = self._means(error_NKH, known_NKH)
        use_NH = left_known_NH & np.asarray(known_NKH.any((1, 2)))[:, None]
        x_R2 = np.stack([np.broadcast_to(day_N[:, None], left_NH.shape)[use_NH], hour_NH[use_NH]], axis=1)
        if len(x_R2) < 100:
            return self
        # A little ridge: with few days at hand both gains lean towards none.
        square = x_R2.T @ x_R2
        gains = np.linalg.solve(square + np.diag(0.02 * np.diag(square) + 1e-12), x_R2.T @ left_NH[use_NH])
        day, hour = (float(gain) for gain in np.clip(gains, 0.0, 1.0))
        return self.model_copy(update={"day_gain": day, "hour_gain": hour})

    def shift(self, error_NKH: Doubles, known_NKH: Bools) -> Doubles:
        """What is added to every level, [N, H]."""
        day_N, hour_NH = self._means(error_NKH, known_NKH)
        return self.day_gain * day_N[:, None] + self.hour_gain * hour_NH

    def with_ratios(self, quantiles_NHQ: Doubles, y_NH: Doubles, known_NH: Bools, keep: float = 0.0) -> Correction:
        """The distribution of outcomes beside the calibrated intervals; `keep` is the share of the one before."""
        if not known_NH.any():
            return self
        ratio_QR = self._ratios(quantiles_NHQ, y_NH, known_NH)
        fresh_QG = np.quantile(ratio_QR, GRID, axis=1).T
        if keep and self.ratios_QG:
            both = [np.concatenate([old, new]) for old, new in zip(np.array(self.ratios_QG), fresh_QG, strict=True)]
            weights = np.repeat([keep, 1 - keep], len(GRID))
            fresh_QG = np.array([[_weighted(one, weights, share) for share in GRID] for one in both])
        return self.model_copy(update={"ratios_QG": tuple(tuple(map(float, row)) for row in fresh_QG)})

    def factors(self, quantiles_NKHQ: Doubles, y_NKH: Doubles, known_NKH: Bools) -> Doubles:
        """What each level's distance from the median is multiplied by, [N, Q].

        Args:
            quantiles_NKHQ: calibrated forecasts of the days before.
            y_NKH, known_NKH: their outcomes, where known and later than the training.
        """
        factor_NQ = np.ones((len(y_NKH), len(self.levels)))
        if not self.ratios_QG:
            return factor_NQ
        day_K = 0.5 ** (np.arange(y_NKH.shape[1]) / WIDTH_HALF_LIFE)
        for n in np.flatnonzero(known_NKH.any((1, 2))):
            ratio_QR = self._ratios(quantiles_NKHQ[n], y_NKH[n], known_NKH[n])
            share_KH = day_K[:, None] * known_NKH[n] / np.maximum(known_NKH[n].sum(1), 1)[:, None]
            own_R = np.tile(share_KH[known_NKH[n]], 2)
            factor_NQ[n] = self._against_prior(ratio_QR, own_R / 2)
        return factor_NQ

    def _against_prior(self, ratio_QR: Doubles, own_R: Doubles) -> Doubles:
        weights = np.concatenate([np.full(len(GRID), self.prior_days / len(GRID)), own_R])
        factor_Q = np.ones(len(self.levels))
        for place, level in enumerate(self.levels):
            prior_G, share = np.array(self.ratios_QG[place]), max(level, 1 - level)
            usual = _weighted(prior_G, np.ones(len(GRID)), share)
            if share > 0.5 and usual > 0:
                seen = _weighted(np.concatenate([prior_G, ratio_QR[place]]), weights, share)
                factor_Q[place] = np.clip(seen / usual, NARROWEST, WIDEST)
        return factor_Q

    def widened(self, quantiles_NHQ: Doubles, factor_NQ: Doubles) -> Doubles:
        """Each level's distance from the median times its factor; order is kept, the median stays."""
        middle = middle_of(self.levels)
        median_NH1 = quantiles_NHQ[..., middle : middle + 1]
        moved = median_NH1 + (quantiles_NHQ - median_NH1) * factor_NQ[:, None, :]
        return in_order(moved, middle)

    def _ratios(self, quantiles: Doubles, y: Doubles, known: Bools) -> Doubles:
        """Distances from the median in units of each level's, mirrored, [Q, 2R] for R known outcomes."""
        said_RQ, y_R = quantiles[known], y[known]
        median_R = said_RQ[:, middle_of(self.levels)]
        own_RQ = np.maximum(np.abs(said_RQ - median_R[:, None]), 1e-9 + 1e-6 * np.abs(median_R)[:, None])
        ratio_QR = (sides(self.levels) * (y_R - median_R)[:, None] / own_RQ).T
        return np.concatenate([ratio_QR, ratio_QR[opposites(self.levels)]], axis=1)

    def _means(self, error_NKH: Doubles, known_NKH: Bools) -> tuple[Doubles, Doubles]:
        """Weighted means of the days' mean errors, [N], and of each step's remainder, [N, H]."""
        days = error_NKH.shape[1]
        count_NK = known_NKH.sum(2)
        day_NK = np.where(known_NKH, error_NKH, 0).sum(2) / np.maximum(count_NK, 1)
        rest_NKH = np.where(known_NKH, error_NKH - day_NK[:, :, None], 0)
        # Divided by the weights of all days, known or not: where little is known, little is corrected.
        day_K, hour_K = (
            0.5 ** (np.arange(days) / life) for life in (self.config.day_half_life, self.config.hour_half_life)
        )
        return (day_NK * day_K).sum(1) / day_K.sum(), (rest_NKH * hour_K[:, None]).sum(1) / hour_K.sum()


def _weighted(values_R: Doubles, weights_R: Doubles, share: float) -> float:
    """The weighted quantile of some values."""
    order = np.argsort(values_R)
    total = np.cumsum(weights_R[order])
    return float(np.interp(share * total[-1], total - weights_R[order] / 2, values_R[order]))
