"""What a model says at some moments, before and after it learns from its own last errors.

S series, M moments, W wanted moments, K days back, H steps, Q levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.calibration import middle_of, window_scale
from forecast.features import Features
from forecast.features.civil import HOURS
from forecast.forecaster.correction import Correction
from forecast.forecaster.echo import Echo, Moments
from forecast.forecaster.models import Model
from forecast.forecaster.spec import ForecasterSpec
from forecast.tables import Demand
from forecast.windows import Bools, Floats, Ints, Origins, WindowSet, origins_at

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Said:
    """The model's own quantiles at some moments, and what they were for.

    Attributes:
        origins: of all series, moment after moment.
        quantiles_SMHQ: in mean power, not calibrated.
        hour_SMH: local hour of each step.
        scale_SM: `calibration.window_scale` of each window.
        blind_SM: whether nothing is known of the window's context.
        y_SMH, known_SMH: outcomes where the TABLE knows them; for learning only.
    """

    origins: Origins
    quantiles_SMHQ: Doubles
    hour_SMH: Ints
    scale_SM: Doubles
    blind_SM: Bools
    y_SMH: Doubles
    known_SMH: Bools

    @classmethod
    def of(
        cls, spec: ForecasterSpec, model: Model, demand: Demand, moments: pd.DatetimeIndex, steps: int, batch: int
    ) -> Said:
        """One pass over all windows, `batch` at a time."""
        reader = spec.column_reader
        windows = reader.window_set(demand, origins_at(demand, moments), steps)
        return cls.read(model, reader, windows, (len(demand.series), len(moments)), batch)

    @classmethod
    def read(
        cls, model: Model, reader: Features, windows: WindowSet, shape: tuple[int, int], batch: int,
        peers_BSD: Floats | None = None,
    ) -> Said:  # fmt: skip
        """What a model says of some windows, as series and moments; their peers where these are known already."""
        clock = reader.clock(windows)
        parts = []
        for begin in range(0, len(windows), batch):
            index_B = np.arange(begin, min(begin + batch, len(windows)))
            inputs = reader.inputs(windows, clock, index_B, None if peers_BSD is None else peers_BSD[index_B])
            scale_B = window_scale(inputs.past_BLP[:, :, 0], inputs.past_mask_BLP[:, :, 0])
            hour_BH, blind_B = inputs.future_BHF[:, :, :HOURS].argmax(2), ~(inputs.past_mask_BLP[:, :, 0] > 0).any(1)
            known_BH = inputs.target_mask_BH > 0
            parts.append((model.quantiles(inputs), hour_BH, scale_B, blind_B, inputs.target_BH, known_BH))
        whole = [np.concatenate(column).reshape(*shape, *column[0].shape[1:]) for column in zip(*parts, strict=True)]
        said, hour_SMH, scale_SM, blind_SM, y_SMH, known_SMH = whole
        return cls(
            windows.origins, said.astype(np.float64), hour_SMH, scale_SM, blind_SM, y_SMH.astype(np.float64), known_SMH
        )


def told(
    spec: ForecasterSpec, model: Model, demand: Demand, cutoffs: pd.DatetimeIndex, steps: int, batch: int
) -> Doubles:
    """The final quantiles [S, W, H, Q] at each cutoff: calibrated, then moved and widened by the last days' errors."""
    moments = Moments.of(cutoffs, days_seen(spec), clock_of(spec, demand))
    said = Said.of(spec, model, demand, moments.all_M, steps, batch)
    return finished(spec, demand, moments, said, calibrated(spec, said))


def days_seen(spec: ForecasterSpec) -> int:
    """How many days before a cutoff correct its forecast by their errors."""
    return spec.correction.config.days if spec.correction is not None else 0


def clock_of(spec: ForecasterSpec, demand: Demand) -> str:
    """The clock by which these days are counted."""
    return spec.task.clock or demand.series[0].zone


def calibrated(spec: ForecasterSpec, said: Said) -> Doubles:
    """The quantiles [S, M, H, Q], moved as the held-out errors say."""
    moved_SMHQ = spec.calibration.apply(said.quantiles_SMHQ, said.hour_SMH, said.scale_SM)
    if not spec.only_networks:
        return moved_SMHQ
    # Moves in units of a window's own spread mean nothing where there is none: a network's own widths stay.
    return np.where(said.blind_SM[..., None, None], said.quantiles_SMHQ, moved_SMHQ)


def finished(spec: ForecasterSpec, demand: Demand, moments: Moments, said: Said, calibrated_SMHQ: Doubles) -> Doubles:
    """What a model said at all moments, as it is told at the wanted ones, [S, W, H, Q]."""
    correction, steps = spec.correction, said.hour_SMH.shape[2]
    if correction is None:
        return calibrated_SMHQ[:, moments.wanted_W]
    echo = Echo.of(demand, said.origins, moments, steps)
    later_WK = (moments.all_ns_M >= spec.learned_until.value)[moments.before_WK]
    return np.stack([
        corrected(correction, calibrated_SMHQ[number], moments, echo.y_SWKH[number], echo.known_SWKH[number], later_WK)
        for number in range(len(demand.series))
    ])  # fmt: skip


def corrected(
    correction: Correction, calibrated_MHQ: Doubles, moments: Moments, y_WKH: npt.NDArray[np.float32], known_WKH: Bools,
    later_WK: Bools,
) -> Doubles:  # fmt: skip
    """One series' wanted forecasts [W, H, Q], moved and widened by what the days before showed.

    Only days after the training say how wide: a model knows its training days too well.
    """
    before_WKHQ = calibrated_MHQ[moments.before_WK]
    error_WKH = np.where(known_WKH, y_WKH - before_WKHQ[..., middle_of(correction.levels)], 0.0)
    moved_WHQ = calibrated_MHQ[moments.wanted_W] + correction.shift(error_WKH, known_WKH)[..., None]
    factor_WQ = correction.factors(before_WKHQ, y_WKH.astype(np.float64), known_WKH & later_WK[:, :, None])
    return correction.widened(moved_WHQ, factor_WQ)
