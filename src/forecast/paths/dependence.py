"""How the periods of a day move together, learned from where past outcomes fell in their forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from forecast.errors import DataError
from forecast.paths.marginals import Doubles, Floats, Ints

PERSISTENCE = 0.9
"""Correlation of forecast errors an hour apart that is assumed where there is no history."""
POOL = 30.0
"""The Gaussian part weighs as much as this many days of history."""
LEAST_PAIRS = 3


def places(rank_DH: Floats, steps_H: Ints, count: int, seed: int, step_hours: float = 1.0) -> Ints:
    """For every path and step, which of the step's ascending values the path takes.

    Each column is a permutation of 0..S-1, so every step keeps its marginal distribution whatever the history. The
    rows are ordered as a smoothed empirical copula is: a whole day's ranks are drawn from the history, as often each,
    and mixed with a Gaussian draw of the history's shrunk correlation; the share of the Gaussian is
    POOL / (POOL + whole days), so that it is all there is without a history.

    Args:
        rank_DH: ranks of past outcomes in (0, 1), NaN where unknown; column h is step h after a cutoff.
        steps_H: the steps wanted; steps beyond the history's columns count as unknown.
        count: S paths.
        seed: of the draws; the same seed gives the same paths.
        step_hours: length of a step.

    Returns:
        [S, H].

    Raises:
        DataError: the ranks are no table of numbers in (0, 1).

    Source: Clark et al. (2004), The Schaake shuffle; Schefzik, Thorarinsdottir and Gneiting (2013), Ensemble copula
    coupling.
    """
    rng = np.random.default_rng(seed)
    return _placed(_Pattern.of(rank_DH, steps_H, step_hours).drawn(rng, count))


def places_together(
    ranks: Sequence[Floats], steps_H: Ints, between_NN: Doubles, count: int, seed: int, step_hours: float = 1.0
) -> Ints:
    """The places of several series whose periods move together, too.

    Each series is drawn as `places` draws it; then the series are mixed in proportion to their correlation, which is
    reached within every period. A single series is what `places` says of it.

    Args:
        ranks: of each series, as `rank_DH` of `places`; the same table may stand for several.
        steps_H: the steps wanted, of all series.
        between_NN: correlation between the series, as `between` tells it.
        count, seed, step_hours: as for `places`.

    Returns:
        [N, S, H].
    """
    rng = np.random.default_rng(seed)
    patterns = {id(rank_DH): _Pattern.of(rank_DH, steps_H, step_hours) for rank_DH in ranks}
    drawn_NSH = np.stack([patterns[id(rank_DH)].drawn(rng, count) for rank_DH in ranks])
    mixed_NSH = np.tensordot(_factor(between_NN), drawn_NSH, axes=1) if len(ranks) > 1 else drawn_NSH
    return np.stack([_placed(drawn_SH) for drawn_SH in mixed_NSH])


@dataclass(frozen=True, eq=False)
class _Pattern:
    """What a history of ranks says of how the steps move together.

    Attributes:
        factor_HH: of the Gaussian part.
        whole_CH: normal scores of the days that are known as a whole.
    """

    factor_HH: Doubles
    whole_CH: Doubles

    @classmethod
    def of(cls, rank_DH: Floats, steps_H: Ints, step_hours: float) -> _Pattern:
        """Learns it."""
        score_DH = _scores(rank_DH, steps_H)
        return cls(_factor(correlation(score_DH, steps_H, step_hours)), score_DH[np.isfinite(score_DH).all(1)])

    def drawn(self, rng: np.random.Generator, count: int) -> Doubles:
        """Scores [S, H] of that many paths."""
        drawn_SH = _stratified(rng, count, len(self.factor_HH)) @ self.factor_HH.T
        days = len(self.whole_CH)
        if not days:
            return np.asarray(drawn_SH)
        share = POOL / (POOL + days)
        row_S = rng.permutation(np.resize(rng.permutation(days), count))
        return np.asarray(np.sqrt(share) * drawn_SH + np.sqrt(1 - share) * self.whole_CH[row_S])


def _placed(drawn_SH: Doubles) -> Ints:
    """Each path's place among all, step by step."""
    order_SH = np.argsort(drawn_SH, axis=0, kind="stable")
    place_SH = np.empty_like(order_SH)
    np.put_along_axis(place_SH, order_SH, np.arange(len(drawn_SH))[:, None], axis=0)
    return place_SH


def correlation(score_DH: Doubles, steps_H: Ints, step_hours: float = 1.0) -> Doubles:
    """Correlation of normal scores, shrunk towards that of a first-order autoregression.

    The prior's persistence is the one of neighbouring steps, drawn towards `PERSISTENCE` where days are few. Pairs of
    steps with fewer than `LEAST_PAIRS` common days take the prior.

    Args:
        score_DH: normal scores, NaN where unknown.
        steps_H: the step that each column is.
        step_hours: length of a step.

    Returns:
        [H, H], ones on the diagonal; it need not be positive definite where days are missing.

    Source: Ledoit and Wolf (2004); Schäfer and Strimmer (2005) for the intensity.
    """
    known_DH = np.isfinite(score_DH).astype(np.float64)
    zero_DH = np.where(known_DH > 0, score_DH, 0.0)
    pairs_HH = known_DH.T @ known_DH
    square_HH = (zero_DH**2).T @ known_DH
    size_HH = np.sqrt(square_HH * square_HH.T)
    usable_HH = (pairs_HH >= LEAST_PAIRS) & (size_HH > 0)
    sample_HH = np.divide(zero_DH.T @ zero_DH, size_HH, out=np.zeros_like(size_HH), where=usable_HH)
    prior_HH = _autoregression(sample_HH, np.where(usable_HH, pairs_HH, 0), steps_H, step_hours)
    judged_HH = usable_HH & ~np.eye(len(steps_H), dtype=bool)
    noise = ((1 - sample_HH**2) ** 2 / np.maximum(pairs_HH - 1, 1))[judged_HH].sum()
    apart = ((sample_HH - prior_HH) ** 2)[judged_HH].sum()
    shrink = min(1.0, noise / apart) if apart > 0 else 1.0
    mixed_HH = np.where(usable_HH, shrink * prior_HH + (1 - shrink) * sample_HH, prior_HH)
    np.fill_diagonal(mixed_HH, 1.0)
    return mixed_HH


def _scores(rank_DH: Floats, steps_H: Ints) -> Doubles:
    """Normal scores of the ranks among the known of their own step: what was biased or too narrow is no longer."""
    rank_DH = np.asarray(rank_DH, dtype=np.float64)
    if rank_DH.ndim != 2 or ((rank_DH <= 0) | (rank_DH >= 1)).any():
        raise DataError(f"a rank history of shape {rank_DH.shape}", "days by steps, ranks within (0, 1) or missing")
    wide_DH = np.full((len(rank_DH), max(int(steps_H.max()) + 1, rank_DH.shape[1])), np.nan)
    wide_DH[:, : rank_DH.shape[1]] = rank_DH
    own_DH = wide_DH[:, steps_H]
    known_DH = np.isfinite(own_DH)
    place_DH = np.argsort(np.argsort(own_DH, axis=0, kind="stable"), axis=0, kind="stable")  # NaN sorts last
    score_DH = ndtri((place_DH + 0.5) / np.maximum(known_DH.sum(0), 1).clip(min=place_DH + 1))
    return np.where(known_DH, score_DH, np.nan)


def _autoregression(sample_HH: Doubles, pairs_HH: Doubles, steps_H: Ints, step_hours: float) -> Doubles:
    """The prior: persistence to the power of the distance."""
    apart_HH = np.abs(steps_H[:, None] - steps_H)
    near_HH = (apart_HH == 1) & (pairs_HH > 0)
    days = float(pairs_HH[near_HH].mean()) if near_HH.any() else 0.0
    seen = float(sample_HH[near_HH].mean()) if near_HH.any() else 0.0
    own = (days * seen + POOL * PERSISTENCE**step_hours) / (days + POOL)
    return np.asarray(np.clip(own, 0.0, 0.9999) ** apart_HH)


def _factor(correlation_HH: Doubles) -> Doubles:
    """A factor of the nearest usable correlation, largest component first."""
    value_H, vector_HH = np.linalg.eigh(correlation_HH)
    factor_HH = (vector_HH * np.sqrt(np.maximum(value_H, 1e-9)))[:, ::-1]
    return np.asarray(factor_HH / np.sqrt((factor_HH**2).sum(1, keepdims=True)))


def _stratified(rng: np.random.Generator, count: int, width: int) -> Doubles:
    """Latin hypercube draws [S, H] from the standard normal: the large components are covered evenly."""
    place_SH = rng.permuted(np.tile(np.arange(count)[:, None], width), axis=0)
    return np.asarray(ndtri((place_SH + 0.5) / count))
