"""`Drawn`: coherent paths of an answer, and what is read off them: peak, energy, and the sum of all series.

N series, S paths, H steps, Q levels, U steps that any of the series is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast import clock
from forecast.calendars import delivery_day, inside, is_day_clock
from forecast.errors import RequestError
from forecast.fallback import Known
from forecast.paths import COUNT, along, between, places_together, sample_quantiles
from forecast.store.issued import CHAMPION
from forecast.tables import output_factor, power_unit, quantile_columns
from serving.bodies import Options
from serving.questions import Question
from serving.told import Answered, Doubles, Stamps, Told

SEED = 0
"""The same question has the same paths."""
MOST_CELLS = 8_000_000
"""Series x paths x steps that are held at once (64 MB)."""
MOST_SAID = 1_000_000
"""Numbers of paths in one answer."""
HISTORY_DAYS, WEEK_DAYS = 56, 7
HOUR = pd.Timedelta(hours=1)
_NO_RANKS: npt.NDArray[np.float32] = np.zeros((0, 0), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Day:
    """The periods of an answer that peak and energy are about: those of a day, else all.

    Attributes:
        name: the day; None: the whole span.
        inside: which periods.
        ds_H: their starts (UTC).
        zone: on whose clock.
    """

    name: str | None
    inside: slice
    ds_H: Stamps
    zone: str


@dataclass(frozen=True, eq=False)
class Drawn:
    """Paths of all series of an answer, the s-th of each together.

    Attributes:
        question, answered: what they are about; the answer has every level that the model offers.
        wanted: the levels of what is read off.
        paths: [S, H] by series.
        warnings: what had to be assumed.
    """

    question: Question
    answered: Answered
    wanted: tuple[float, ...]
    paths: Mapping[str, Doubles]
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, question: Question, answered: Answered, wanted: tuple[float, ...], least: int) -> Drawn:
        """Draws them.

        Args:
            question: what was asked.
            answered: the answer, with two levels or more.
            wanted: the levels of what is read off the paths.
            least: so many paths at the least.

        Raises:
            RequestError: a single level, or too many series and steps.
        """
        levels, step = answered.levels, question.demand.step
        if len(levels) < 2:
            raise RequestError(f"the single level {levels[0]:g}", "a model of two levels or more")
        count = max(COUNT, least, int(np.ceil(1 / min(levels[0], 1 - levels[-1]) - 1e-9)) - 1)
        leads = [_leads(question, one) for one in answered.told]
        steps_U = np.unique(np.concatenate(leads))
        if count * len(steps_U) * len(leads) > MOST_CELLS:
            raise RequestError(
                f"{len(leads)} series, {len(steps_U)} steps and {count} paths", f"{MOST_CELLS:,} values", "ask for less"
            )
        ranks = answered.served.forecaster.ranks_DH if answered.served is not None else _NO_RANKS
        each = [ranks if one.rung == CHAMPION else _NO_RANKS for one in answered.told]
        between_NN, warnings = _between(question, [one.unique_id for one in answered.told])
        place_NSU = places_together(each, steps_U, between_NN, count, SEED, step / HOUR)
        paths = {
            one.unique_id: along(one.quantiles_HQ, levels, place_SU[:, np.searchsorted(steps_U, lead_H)])
            for one, lead_H, place_SU in zip(answered.told, leads, place_NSU, strict=True)
        }
        return cls(question, answered, wanted, paths, warnings)

    def of_series(self, one: Told, options: Options) -> dict[str, Any]:
        """What is read off one series' paths."""
        return {
            **self._read(one, self.paths[one.unique_id], self.question.demand.zones[one.unique_id], options),
            **({"paths": np.ascontiguousarray(self.paths[one.unique_id][: options.paths])} if options.paths else {}),
        }

    def total(self, options: Options) -> dict[str, Any]:
        """What is said about the sum of all series.

        Raises:
            RequestError: they do not share their periods.
        """
        first, zones = self.answered.told[0], set(self.question.demand.zones.values())
        if any(not np.array_equal(one.ds_H, first.ds_H) for one in self.answered.told):
            raise RequestError("series of different periods", "the same periods for all", "ask for a horizon")
        paths_SH = np.sum(list(self.paths.values()), axis=0)
        mean_H = np.sum([one.mean_H for one in self.answered.told], axis=0)
        every_HQ = sample_quantiles(paths_SH.T, self.answered.levels)
        whole = Told("", first.ds_H, mean_H, every_HQ)
        quantiles_HQ = sample_quantiles(paths_SH.T, self.wanted)
        columns = zip(quantile_columns(self.wanted), quantiles_HQ.T, strict=True)
        return {
            "ds": first.ds_H, "mean": mean_H,
            "quantiles": {name: np.ascontiguousarray(values_H) for name, values_H in columns},
            **self._read(whole, paths_SH, zones.pop() if len(zones) == 1 else "UTC", options),
        }  # fmt: skip

    def _read(self, one: Told, paths_SH: Doubles, zone: str, options: Options) -> dict[str, Any]:
        day = _day(self.question, one.ds_H, clock.lived_zone(zone))
        part_SH = paths_SH[:, day.inside]
        told: dict[str, Any] = {}
        if options.peak:
            told["peak"] = self._peak(one, part_SH, day)
        if options.energy:
            told["energy"] = self._energy(one, part_SH, day)
        return told

    def _peak(self, one: Told, part_SH: Doubles, day: Day) -> dict[str, Any]:
        """Of equal values the first counts; no quantile is below the forecast's own of any period."""
        peak_S, places = part_SH.max(1), [self.answered.levels.index(level) for level in self.wanted]
        value_Q = np.maximum(sample_quantiles(peak_S, self.wanted), one.quantiles_HQ[day.inside].max(0)[places])
        chance_H = np.bincount(part_SH.argmax(1), minlength=part_SH.shape[1]) / len(part_SH)
        hours = _hours(day, chance_H) if self.question.demand.step <= HOUR else []
        return {"day": day.name, "value": _named(peak_S.mean(), self.wanted, value_Q), "hour": hours}

    def _energy(self, one: Told, part_SH: Doubles, day: Day) -> dict[str, Any]:
        unit, step = self.answered.unit, self.question.demand.step
        factor = step / HOUR / output_factor(unit, step)
        quantiles_Q = sample_quantiles(part_SH.sum(1) * factor, self.wanted)
        mean = one.mean_H[day.inside].sum() * factor
        return {**_named(mean, self.wanted, quantiles_Q), "unit": f"{power_unit(unit)}h", "day": day.name}


def _named(mean: float, levels: Sequence[float], values_Q: Doubles) -> dict[str, Any]:
    return {"mean": float(mean), **dict(zip(quantile_columns(levels), values_Q.tolist(), strict=True))}


def _leads(question: Question, one: Told) -> npt.NDArray[np.int64]:
    """How many steps after the cutoff each period begins, on the clock on which they follow each other evenly."""
    ds_H, zone = one.ds_H.astype("datetime64[ns]").astype(np.int64), question.demand.zones[one.unique_id]
    if is_day_clock(zone):
        ds_H = inside(pd.DatetimeIndex(ds_H, tz="UTC"), zone).as_unit("ns").asi8
    return np.asarray((ds_H - question.cutoff.value) // question.demand.step.value)


def _between(question: Question, names: Sequence[str]) -> tuple[Doubles, tuple[str, ...]]:
    """The series' correlation, from their surprises after a week, else after a day."""
    if len(names) == 1:
        return np.ones((1, 1)), ()
    per_day = question.demand.steps_per_day
    known = Known.of(question.demand, question.cutoff, HISTORY_DAYS * per_day)
    y_NT = known.y_SL[[known.names.index(name) for name in names]]
    for days in (WEEK_DAYS, 1):
        found = between(y_NT, days * per_day, per_day)
        if found is not None:
            return found, ()
    told = "too little common history tells how the series move together: their errors are taken to have one cause"
    return np.ones((len(names), len(names))), (told,)


def _day(question: Question, ds_H: Stamps, zone: str) -> Day:
    """The delivery day asked for, or the first day that is there as a whole; else the whole span."""
    if question.day is not None:
        return Day(question.day, slice(0, len(ds_H)), ds_H, zone)
    step = question.demand.step
    local = pd.DatetimeIndex(ds_H, tz="UTC").tz_convert(clock.zone(zone))
    dates = np.array([moment.date() for moment in local], dtype=object)
    for date in dict.fromkeys(dates.tolist()):
        begin, end = delivery_day(date, zone)
        places = np.flatnonzero((local >= begin) & (local < end))
        if len(places) and len(places) >= (end - begin) // step:
            part = slice(int(places[0]), int(places[-1]) + 1)
            return Day(date.isoformat(), part, ds_H[part], zone)
    return Day(None, slice(0, len(ds_H)), ds_H, zone)


def _hours(day: Day, chance_H: Doubles) -> list[dict[str, Any]]:
    """The chance of each hour of the local clock; an hour that the clock shows twice stands twice."""
    local = pd.DatetimeIndex(day.ds_H, tz="UTC").tz_convert(clock.zone(day.zone)).tz_localize(None)
    begun_H = day.ds_H.astype("datetime64[ns]") - (local - local.floor("h")).to_numpy().astype("timedelta64[ns]")
    starts_K, place_H = np.unique(begun_H, return_inverse=True)
    chance_K = np.bincount(place_H, weights=chance_H)
    chances = zip(starts_K, chance_K.tolist(), strict=True)
    return [{"ds": start, "probability": chance} for start, chance in chances if chance]
