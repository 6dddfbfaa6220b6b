"""`Daily`: what a forecast says about whole delivery days, checked when it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from forecast.errors import DataError, RequestError
from forecast.metrics.rows import Zones
from forecast.paths.coherent import COUNT, along
from forecast.paths.dependence import places
from forecast.paths.marginals import Doubles, Floats, Ints
from forecast.paths.reading import HOURS, DayReading, daily
from forecast.paths.shapes import HOUR, Shape, civil, ordered, shapes, step_of, whole_days
from forecast.tables import Forecast, output_factor, power_unit, quantile_columns

Ranks = Floats | Mapping[str, Floats]
DAY_KEYS = ["unique_id", "cutoff", "day"]
HOUR_COLUMNS = [f"peak_at_{hour}" for hour in range(HOURS)]
CHUNK = 4_000_000
"""Numbers of paths that are held at once."""


@dataclass(frozen=True, eq=False)
class Daily:
    """Peak and energy of delivery days per series and cutoff.

    Attributes:
        frame: one row per series, cutoff and civil day, wide: unique_id, cutoff (UTC), day (text, year-month-day, in
            the series' zone), hours (how much of the day the forecast spans), peak_q* (highest value of the day's
            periods, in `unit`), energy_q* (in `energy_unit`), peak_hour (local hour 0..23 that most probably holds the
            peak), peak_at_0 to peak_at_23 (its probability for each hour).
        unit: the forecast's unit.
        energy_unit: MWh for a forecast in MW or MWh, and so on.
        model: the name of what made the forecast.
        levels: the quantile levels, ascending.
    """

    frame: pd.DataFrame
    unit: str
    energy_unit: str
    model: str
    levels: tuple[float, ...]

    def __post_init__(self) -> None:
        sides = [[f"{side}_{name}" for name in quantile_columns(self.levels)] for side in ("peak", "energy")]
        needed = [*DAY_KEYS, "hours", "peak_hour", *sides[0], *sides[1], *HOUR_COLUMNS]
        missing = [name for name in needed if name not in self.frame.columns]
        if missing:
            raise DataError(f"a table of days without {', '.join(missing)}", f"{', '.join(DAY_KEYS)} and figures")
        if getattr(self.frame["cutoff"].dtype, "tz", None) is None:
            raise DataError("the stamps carry no zone", "aware UTC stamps", column="cutoff")
        for columns in sides:
            values = self.frame[columns].to_numpy(dtype=np.float64)
            if not np.isfinite(values).all() or (np.diff(values, axis=1) < 0).any():
                raise DataError(f"{columns[0]} to {columns[-1]} cross or are not finite", "finite ascending quantiles")
        chances = self.frame[HOUR_COLUMNS].to_numpy(dtype=np.float64)
        if not (np.abs(chances.sum(1) - 1) < 1e-9).all() or (chances < 0).any():
            raise DataError("the chances of the peak hours do not add up to 1", "one distribution over the day")
        if self.frame.duplicated(DAY_KEYS).any():
            raise DataError("the same day twice", "one row per series, cutoff and day")

    @classmethod
    def from_forecast(
        cls, forecast: Forecast, ranks: Ranks, zones: Zones | None = None, *, count: int = COUNT, seed: int = 0,
        whole: bool = True,
    ) -> Self:  # fmt: skip
        """Days read off coherent paths.

        Args:
            forecast: with two quantile levels or more: give all that the model has.
            ranks: `rank_outcomes` of past forecasts [D, H], a column per step after the cutoff; one for all series, or
                one for each by name. No rows: the paths move as a first-order autoregression does.
            zones: civil zone of each series; UTC without it.
            count: paths per origin.
            seed: of the paths.
            whole: only days whose every period is forecast; otherwise also the rest of a day that has begun.

        Raises:
            RequestError: a single level, too few paths for the levels, or no whole day. DeclarationError: a series
                has no zone. DataError: a series has no ranks, or they are none.
        """

        def place(shape: Shape, hours: float) -> Ints:
            return places(_ranks_of(ranks, shape.series), shape.steps_H, count, seed, hours)

        _check(forecast.levels, count)
        return cls._read(forecast, _Reader.of(forecast, zones, whole), place)

    @classmethod
    def added_up(
        cls, forecast: Forecast, zones: Zones | None = None, *, count: int = COUNT, whole: bool = True
    ) -> Self:
        """The naive rule, for comparison: the peak's quantile is the hours' highest, the energy's is their sum.

        That is what paths say which are at the same level in every period.

        Raises:
            RequestError, DeclarationError: as `from_forecast`.
        """

        def place(shape: Shape, _: float) -> Ints:
            return np.tile(np.arange(count)[:, None], len(shape.steps_H))

        _check(forecast.levels, count)
        return cls._read(forecast, _Reader.of(forecast, zones, whole), place)

    @classmethod
    def _read(cls, forecast: Forecast, reader: _Reader, place: Callable[[Shape, float], Ints]) -> Self:
        known: dict[tuple[str, bytes], Ints] = {}
        parts: list[pd.DataFrame] = []
        for shape in reader.shapes():
            key = (shape.series, shape.steps_H.tobytes())
            if key not in known:
                known[key] = place(shape, reader.hours)
            parts += reader.days(shape, known[key])
        if not parts:
            found = "no forecast spans a whole delivery day"
            raise RequestError(found, "every period of a civil day", "ask for a longer horizon, or for a delivery day")
        days = pd.concat(parts, ignore_index=True).sort_values(DAY_KEYS, kind="stable", ignore_index=True)
        return cls(days, forecast.unit, f"{power_unit(forecast.unit)}h", forecast.model, tuple(forecast.levels))


@dataclass(frozen=True, eq=False)
class _Reader:
    """A forecast laid out by origin, and how its days are read.

    Attributes:
        frame: rows by series, cutoff and period.
        levels: the Q levels; `quantiles_RQ` are the frame's.
        step: length of a period; `factor`: what a sum of values is multiplied by to be energy.
        zones, whole: see `Daily.from_forecast`.
    """

    frame: pd.DataFrame
    levels: tuple[float, ...]
    quantiles_RQ: Doubles
    step: pd.Timedelta
    factor: float
    zones: Zones | None
    whole: bool

    @classmethod
    def of(cls, forecast: Forecast, zones: Zones | None, whole: bool) -> Self:
        frame, levels = ordered(forecast), tuple(forecast.levels)
        quantiles_RQ = frame[quantile_columns(levels)].to_numpy(dtype=np.float64)
        step = step_of(frame)
        factor = step / HOUR / output_factor(forecast.unit, step)
        return cls(frame, levels, quantiles_RQ, step, factor, zones, whole)

    @property
    def hours(self) -> float:
        """Length of a step."""
        return float(self.step / HOUR)

    def shapes(self) -> list[Shape]:
        """The origins by what their days look like."""
        return shapes(self.frame, self.step, self.zones)

    def days(self, shape: Shape, place_SH: Ints) -> Iterator[pd.DataFrame]:
        """The rows of one shape's days, a few origins at a time."""
        for turn, inside in shape.days():
            spanned = (inside.stop - inside.start) * self.hours
            whole_N = whole_days(shape.series, shape.day_N + turn, inside.stop - inside.start, self.step, self.zones)
            kept_N = np.flatnonzero(whole_N | (not self.whole))
            size = max(1, CHUNK // place_SH[:, inside].size)
            for begin in range(0, len(kept_N), size):
                part = kept_N[begin : begin + size]
                read = self._read(shape, part, inside, place_SH[:, inside])
                first = self.frame.iloc[shape.rows_NH[part, 0]]
                yield _rows(first, shape.day_N[part] + turn, spanned, read, self.levels)

    def _read(self, shape: Shape, part_N: Ints, inside: slice, place_SH: Ints) -> DayReading:
        quantiles_NHQ = self.quantiles_RQ[shape.rows_NH[part_N, inside]]
        paths_NSH = along(quantiles_NHQ, self.levels, place_SH)
        return daily(paths_NSH, quantiles_NHQ, self.levels, shape.hour_H[inside], self.factor)


def _rows(
    first: pd.DataFrame, day_N: Ints, spanned: float, read: DayReading, levels: tuple[float, ...]
) -> pd.DataFrame:
    names = quantile_columns(levels)
    figures = {
        "unique_id": first["unique_id"].to_numpy(),
        "cutoff": first["cutoff"].array,
        "day": [civil(day).isoformat() for day in day_N],
        "hours": spanned,
        "peak_hour": read.hour_NK.argmax(1),
        **_columns("peak", names, read.peak_NQ),
        **_columns("energy", names, read.energy_NQ),
        **dict(zip(HOUR_COLUMNS, read.hour_NK.T, strict=True)),
    }
    return pd.DataFrame(figures)


def _columns(side: str, names: list[str], values_NQ: Doubles) -> dict[str, Doubles]:
    return {f"{side}_{name}": values_NQ[:, at] for at, name in enumerate(names)}


def _ranks_of(ranks: Ranks, series: str) -> Floats:
    if not isinstance(ranks, Mapping):
        return ranks
    if series not in ranks:
        raise DataError("no history of ranks", "one for every series", "give an array without rows", series=series)
    return ranks[series]


def _check(levels: Sequence[float], count: int) -> None:
    if len(levels) < 2:
        raise RequestError(
            f"a forecast of the single level {levels[0]:g}", "two levels or more: a day's peak needs distributions",
            "forecast all levels and keep one of the days' afterwards",
        )  # fmt: skip
    least = int(np.ceil(1 / min(levels[0], 1 - levels[-1]) - 1e-9)) - 1
    if count < least:
        raise RequestError(f"{count} paths for levels {levels[0]:g} to {levels[-1]:g}", f"{least} or more")
