"""What held-out forecasts teach beside the weights: intervals, corrections, and where outcomes fell."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.calibration import Calibration, middle_of
from forecast.forecaster import Forecaster, ForecasterSpec, Model
from forecast.forecaster.correction import Correction
from forecast.forecaster.echo import Echo, Moments
from forecast.forecaster.saying import Said, told
from forecast.paths import rank_outcomes
from forecast.tables import Demand
from forecast.training.span import Span
from forecast.windows import spread

BATCH = 256
MOST_WINDOWS = 12_000
RANKED_DAYS = 400
ABSURD = 20.0
"""Errors of more window scales than this count as so many."""

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ranks = npt.NDArray[np.float32]
Scalar = TypeVar("Scalar", bound=np.generic)


class Lessons(NamedTuple):
    """What a forecaster keeps of its held-out forecasts.

    Attributes:
        calibration: moves of the levels.
        correction: shares of the last days' errors, and what widths are compared with; None where the recipe wants
            none.
        ranks_DH: where outcomes fell in their forecasts.
    """

    calibration: Calibration
    correction: Correction | None
    ranks_DH: Ranks


def no_lessons(spec: ForecasterSpec) -> Lessons:
    """Those of nothing held out: no interval is promised to be calibrated."""
    return Lessons(Calibration.none(spec.recipe.quantiles), None, np.zeros((0, spec.task.horizon), dtype=np.float32))


def learn_lessons(spec: ForecasterSpec, judged: Model, span: Span) -> Lessons:
    """Forecasts the held-out part of the span with the model that did not learn from it, and compares.

    Args:
        spec: of the judged model, without calibration and correction.
        judged: learned before `span.split`.
        span: its demand is narrowed; every forecast sees its own cutoff only.
    """
    cutoffs = span.moments(span.split)
    if not len(cutoffs):
        return no_lessons(spec)
    return lessons_of(spec, judged, span.demand, cutoffs, span.split)


def lessons_of(
    spec: ForecasterSpec, judged: Model, demand: Demand, cutoffs: pd.DatetimeIndex, since: pd.Timestamp
) -> Lessons:
    """The lessons of these cutoffs' forecasts; earlier days count for corrections from `since` on."""
    config, levels = spec.recipe.correction, spec.recipe.quantiles
    moments = Moments.of(cutoffs, config.days if config is not None else 0, spec.task.clock or demand.series[0].zone)
    demand = _some_series(demand, len(moments.all_M))
    said = Said.of(spec, judged, demand, moments.all_M, spec.task.horizon, BATCH)
    wanted = (slice(None), moments.wanted_W)
    y_NH, known_NH = _rows(said.y_SMH[wanted]), _rows(said.known_SMH[wanted])
    if not known_NH.any():
        return no_lessons(spec)
    raw_NHQ, scale_N = _rows(said.quantiles_SMHQ[wanted]), _rows(said.scale_SM[wanted])
    hour_NH = _rows(said.hour_SMH[wanted])
    correction, shift_NH = None, np.zeros_like(y_NH)
    if config is not None:
        error_NKH, heard_NKH = _errors(said, demand, moments, since, levels)
        left_NH = np.where(known_NH, y_NH - raw_NHQ[..., middle_of(levels)], 0)
        # In units of each window's scale: a large series must not drown the others, nor a window of zeros all of them.
        errors = np.clip(error_NKH / scale_N[:, None, None], -ABSURD, ABSURD)
        left = np.clip(left_NH / scale_N[:, None], -ABSURD, ABSURD)
        correction = Correction(config=config, levels=levels).with_gains(errors, heard_NKH, left, known_NH)
        shift_NH = correction.shift(error_NKH, heard_NKH)
    moved_NHQ = raw_NHQ + shift_NH[..., None]
    calibration = Calibration.fit(moved_NHQ, y_NH, known_NH, hour_NH, scale_N, levels)
    calibrated_NHQ = calibration.apply(moved_NHQ, hour_NH, scale_N)
    if correction is not None:
        correction = correction.with_ratios(calibrated_NHQ - shift_NH[..., None], y_NH, known_NH)
    ranks_NH = rank_outcomes(calibrated_NHQ, levels, y_NH, known_NH)
    return Lessons(calibration, correction, _newest(ranks_NH))


def newer_lessons(forecaster: Forecaster, demand: Demand, cutoffs: pd.DatetimeIndex) -> Lessons:
    """The forecaster's lessons after what happened to its forecasts of these later cutoffs."""
    spec, levels = forecaster.spec, forecaster.spec.recipe.quantiles
    kept = Lessons(spec.calibration, spec.correction, forecaster.ranks_DH)
    if not len(cutoffs):
        return kept
    demand = _some_series(demand, len(cutoffs))
    said = Said.of(spec, forecaster.model, demand, cutoffs, spec.task.horizon, BATCH)
    y_NH, known_NH = _rows(said.y_SMH), _rows(said.known_SMH)
    if not known_NH.any():
        return kept
    correction = spec.correction
    if correction is not None:
        raw_NHQ, hour_NH, scale_N = _rows(said.quantiles_SMHQ), _rows(said.hour_SMH), _rows(said.scale_SM)
        calibrated_NHQ = spec.calibration.apply(raw_NHQ, hour_NH, scale_N)
        days = (cutoffs[-1] - cutoffs[0]) / pd.Timedelta(days=1) + 1
        keep = correction.prior_days / (correction.prior_days + days)
        correction = correction.with_ratios(calibrated_NHQ, y_NH, known_NH, keep)
    final_NHQ = _rows(told(spec, forecaster.model, demand, cutoffs, spec.task.horizon, BATCH))
    ranks_NH = rank_outcomes(final_NHQ, levels, y_NH, known_NH)
    return Lessons(spec.calibration, correction, _newest(np.concatenate([forecaster.ranks_DH, ranks_NH])))


def _errors(
    said: Said, demand: Demand, moments: Moments, since: pd.Timestamp, levels: tuple[float, ...]
) -> tuple[Doubles, Bools]:
    """Outcome minus median of the days before each wanted cutoff, as it knew them, from `since` on; [N, K, H]."""
    echo = Echo.of(demand, said.origins, moments, said.y_SMH.shape[2])
    median_SWKH = said.quantiles_SMHQ[..., middle_of(levels)][:, moments.before_WK]
    later_WK1 = (moments.all_M >= since)[moments.before_WK][..., None]
    known_SWKH = echo.known_SWKH & later_WK1
    return _rows(np.where(known_SWKH, echo.y_SWKH - median_SWKH, 0.0)), _rows(known_SWKH)


def _rows(part: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """Series and moments as one axis."""
    return part.reshape(part.shape[0] * part.shape[1], *part.shape[2:])


def _some_series(demand: Demand, moments: int) -> Demand:
    """All series, or as many of them, evenly chosen, as give enough windows."""
    most = max(1, MOST_WINDOWS // moments)
    if len(demand.series) <= most:
        return demand
    return demand.select([demand.series[place].unique_id for place in spread(0, len(demand.series), most)])


def _newest(ranks_NH: Ranks) -> Ranks:
    """At most so many rows with any rank, evenly chosen."""
    some_NH: Ranks = ranks_NH[np.isfinite(ranks_NH).any(1)]
    if len(some_NH) <= RANKED_DAYS:
        return np.asarray(some_NH)
    return np.asarray(some_NH[spread(0, len(some_NH), RANKED_DAYS)])
