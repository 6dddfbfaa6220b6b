"""What training shows of weather that is forecast: the vintages, what came true, or that with a forecast's errors.

A history of measured weather is often longer than the archive of its forecasts. A model that learns from the vintages
alone sees little of the history; one that learns from what came true trusts the forecast too much. The third way adds
to what came true the errors that real forecasts made on other days.

B windows, W rows of a window, H steps ahead, D donors: moments whose forecast and outcome are both known.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from forecast.errors import RecipeError
from forecast.recipe import WeatherShown
from forecast.tables import Demand

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
DONORS = 4000
SPREAD = 2_654_435_761
"""Knuth's multiplier for hashing by 32 bits: neighbouring days hear donors that have nothing to do with each other."""


@dataclass(frozen=True, eq=False)
class Donors:
    """Errors of past forecasts of one covariate, by series.

    Attributes:
        error_SDH: forecast minus outcome by lead; per series its own number of donors.
        phase_SD: each donor's step of the day: a window hears donors of its own, so that leads fall on the same hours.
    """

    error_SDH: tuple[Floats, ...]
    phase_SD: tuple[Ints, ...]


@dataclass(eq=False)
class Outlook:
    """How the windows of one table show known-ahead covariates that have versions.

    Attributes:
        demand: the table; nothing that it does not know is shown.
        shown: "actuals", or "resampled".
        horizon: H.
    """

    demand: Demand
    shown: WeatherShown
    horizon: int
    _donors: dict[str, Donors] = field(default_factory=dict)

    def rows(self, name: str, place_BW: Ints, series_B: Ints, row_B: Ints) -> tuple[Floats, Bools]:
        """A covariate [B, W] in windows whose last H rows lie ahead, and where it is known.

        Raises:
            RecipeError: errors are wanted, and the table knows no forecast together with its outcome.
        """
        values_BW = self.demand.arena_RC[place_BW, self.demand.columns.dynamic.index(name)]
        if self.shown == "resampled":
            values_BW[:, -self.horizon :] += self._errors(name, series_B, row_B)
        known_BW = np.isfinite(values_BW)
        return np.where(known_BW, values_BW, np.float32(0)), known_BW

    def _errors(self, name: str, series_B: Ints, row_B: Ints) -> Floats:
        """The errors [B, H] that each window hears."""
        donors = self._donors.get(name)
        if donors is None:
            donors = self._donors[name] = donors_of(self.demand, name, self.horizon)
        error_BH = np.empty((len(row_B), self.horizon), dtype=np.float32)
        phase_B = row_B % self.demand.steps_per_day
        for number, phase in {*zip(series_B.tolist(), phase_B.tolist(), strict=True)}:
            mine_B = (series_B == number) & (phase_B == phase)
            own_SDH, own_SD = donors.error_SDH[number], donors.phase_SD[number]
            same_D = np.flatnonzero(own_SD == phase)
            pool_D = same_D if len(same_D) else np.arange(len(own_SD))
            error_BH[mine_B] = own_SDH[pool_D[_drawn(row_B[mine_B] // self.demand.steps_per_day, len(pool_D))]]
        return error_BH


def _drawn(days_B: Ints, count: int) -> Ints:
    """A place below `count` for each day, the same on every run."""
    return np.asarray((((days_B * SPREAD) & 0xFFFFFFFF) >> 8) % count)


def donors_of(demand: Demand, name: str, horizon: int) -> Donors:
    """The errors of a covariate's forecasts from up to `DONORS` moments per series, all leads known.

    Raises:
        RecipeError: some series has none.
    """
    errors, phases = [], []
    versions, plane = demand.versions[name], demand.columns.dynamic.index(name)
    for one in demand.series:
        # Forecasts begin where the first vintage does; a history of outcomes alone gives no donor.
        rows_D = np.arange(max(0, len(one) - horizon))
        moments_D = one.start.value + rows_D * demand.step.value
        _, begun_D = versions.at(one.first_row + rows_D + horizon - 1, moments_D)
        rows_D = rows_D[begun_D]
        rows_D = rows_D[:: max(1, -(-len(rows_D) // DONORS))]
        ahead_DH = rows_D[:, None] + np.arange(horizon)
        moment_DH = np.broadcast_to((one.start.value + rows_D * demand.step.value)[:, None], ahead_DH.shape)
        said_N, known_N = versions.at((one.first_row + ahead_DH).ravel(), moment_DH.ravel())
        error_DH = said_N.reshape(ahead_DH.shape) - one.values_TC[ahead_DH, plane]
        over_DH = _over(demand, one.start.value, ahead_DH)
        whole_D = (known_N.reshape(ahead_DH.shape) & np.isfinite(error_DH) & over_DH).all(1)
        if not whole_D.any():
            raise RecipeError(
                f"weather = 'resampled', and no forecast of '{name}' over {horizon} steps is known with its outcome",
                "vintages of it, and what came true", "use weather = 'vintages' or 'actuals'",
            )  # fmt: skip
        errors.append(error_DH[whole_D])
        phases.append(rows_D[whole_D] % demand.steps_per_day)
    return Donors(tuple(errors), tuple(phases))


def _over(demand: Demand, start: int, ahead_DH: Ints) -> Bools:
    """Whether periods are over, so that what the table knows of them is the outcome."""
    if demand.known_until is None:
        return np.ones(ahead_DH.shape, dtype=bool)
    return np.asarray(start + (ahead_DH + 1) * demand.step.value <= demand.known_until.value)
