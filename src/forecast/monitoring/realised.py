"""The realised error of what the ledger holds of one delivery day, beside last week again. H periods of the day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast import clock
from forecast.calendars import civil_date, days_before, delivery_day, inside, is_day_clock, periods
from forecast.calendars.days import exists
from forecast.errors import DataError, StoreError
from forecast.metrics import bias, coverage, mae, mape
from forecast.store import Issued, Store, catalogue
from forecast.tables import SeriesInfo, quantile_column
from forecast.tables.units import conversion_factor, output_factor

Doubles = npt.NDArray[np.float64]
LOOK_BACK_DAYS = 8
"""So many past days are looked at for one that can be judged."""
MOST_READ = 64
"""So many of the last forecasts that were issued before a day are looked at."""
WEEKS = (7, 14)
LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9
SHADOW = "challenger"
"""The rung of what is written down beside an answer and was given to nobody."""


@dataclass(frozen=True, eq=False)
class Score:
    """How one forecast of one day turned out; errors in `Realised.unit`, of the median (the mean where it is not told).

    Attributes:
        issued: the forecast.
        periods: of the day.
        scored: of these, periods with a forecast and a known demand; all errors but the two of the naive are of them.
        mae, bias: mean absolute error; mean of forecast - demand.
        mape: mean absolute error [%], NaN where there was no demand.
        coverage: share of the periods within the 80 % band; NaN where its quantiles were not told.
        demand: mean absolute demand, so that errors of several series can be put in proportion.
        naive_scored: of the scored periods, those for which the naive knew something at the forecast's own cutoff.
        naive_mae: of the same local hour a week before (two weeks where that was not known yet), over these.
        compared_mae: the forecast's own error over these.
    """

    issued: Issued
    periods: int
    scored: int
    mae: float
    bias: float
    mape: float
    coverage: float
    demand: float
    naive_scored: int
    naive_mae: float
    compared_mae: float

    @property
    def skill(self) -> float:
        """1 - error over that of the seasonal naive, over the same periods; NaN where there is nothing to compare."""
        return 1 - self.compared_mae / self.naive_mae if self.naive_mae > 0 else float("nan")


@dataclass(frozen=True, eq=False)
class Realised:
    """What became of the forecast of one delivery day.

    Attributes:
        unique_id, zone, unit: the series.
        day: the civil day; None where no past day can be judged.
        score: None where it cannot be judged.
        why: then the reason, as a sentence.
    """

    unique_id: str
    zone: str
    unit: str
    day: date | None
    score: Score | None
    why: str | None = None


def realised(store: Store, series: str, day: date | str | None = None) -> Realised:
    """Judges the last forecast that was issued before a day began.

    Forecasts of the whole day come first; what the challenger said in shadow does not count. A forecast made afterwards
    is none, whatever its cutoff.

    Args:
        store: holds the ledger and what was measured.
        series: its name.
        day: a civil day of the series; where None, the last day that is over and whose forecast and demand are
            complete, else the last one that can be judged at all, of the past 8 days.

    Raises:
        StoreError: there is no such series.
        DataError: the day is none, or does not exist in the zone of the series.
    """
    with store.snapshot() as connection:
        known = catalogue.entries(connection, [series])
    if series not in known:
        raise StoreError(f"the store holds no series {series}", "one that was ingested", "ingest some of it")
    file = _File(store, known[series].info)
    if day is not None:
        wanted = civil_date(day)
        found = file.judge(wanted)
        return file.told(wanted, found) if isinstance(found, Score) else file.untold(wanted, found)
    return file.last()


class _File:
    """One series, as it is judged."""

    def __init__(self, store: Store, info: SeriesInfo) -> None:
        self._store, self._info = store, info
        self._name, self._unit = info.unique_id, info.unit or "MW"
        self._clock, self._step = info.zone or "UTC", pd.Timedelta(info.step)
        self._zone = clock.lived_zone(self._clock)

    def told(self, day: date, score: Score) -> Realised:
        return Realised(self._name, self._zone, self._unit, day, score)

    def untold(self, day: date | None, why: str) -> Realised:
        return Realised(self._name, self._zone, self._unit, day, None, why)

    def last(self) -> Realised:
        """The newest day that can be judged, complete ones first."""
        today = civil_date(clock.now().tz_convert(clock.zone(self._zone)))
        partly: Realised | None = None
        why = ""
        for back in range(1, LOOK_BACK_DAYS + 1):
            day = today - timedelta(days=back)
            if not exists(day, self._zone):
                continue
            found = self.judge(day)
            if isinstance(found, Score):
                if found.scored == found.periods:
                    return self.told(day, found)
                partly = partly or self.told(day, found)
            why = why or (found if isinstance(found, str) else "")
        return partly or self.untold(None, why)

    def judge(self, day: date) -> Score | str:
        """The score of a day, or why there is none."""
        begin, end = delivery_day(day, self._clock)
        issued = self._issued(day, begin, end)
        if not issued:
            return f"no forecast of {day} was issued before it began"
        y_T = self._demand(begin - self._step, None)
        ds_H = self._periods(day, y_T)
        said = [self._said(one, ds_H) for one in issued]
        whole = [place for place, told_HQ in enumerate(said) if np.isfinite(told_HQ[:, 0]).all()]
        place = whole[-1] if whole else len(issued) - 1
        y_H = y_T.reindex(ds_H).to_numpy()
        if not (np.isfinite(y_H) & np.isfinite(said[place][:, 0])).any():
            return f"nothing that was measured on {day} is known yet"
        return self._score(issued[place], y_H, said[place], self._naive(issued[place], ds_H))

    def _periods(self, day: date, y_T: pd.Series) -> pd.DatetimeIndex:
        phase = y_T.index[0] if len(y_T) else None
        return periods(day, self._clock, self._step, phase).as_unit("ns")

    def _issued(self, day: date, begin: pd.Timestamp, end: pd.Timestamp) -> list[Issued]:
        """What was issued in time and speaks of the day, the last one last."""
        lived = delivery_day(day, self._zone)[0]
        found = self._store.forecasts(
            self._name, first=min(begin, lived), last=end - pd.Timedelta("1s"), as_of=lived, newest=MOST_READ
        )
        kept = [one for one in found if one.rung != SHADOW]
        return sorted(kept, key=lambda one: (one.issued_at, one.forecast.frame["cutoff"].iloc[0]))

    def _demand(self, since: pd.Timestamp, as_of: pd.Timestamp | None) -> pd.Series:
        """Demand by period in the unit of the series, where it is known."""
        try:
            table = self._store.demand(only=[self._name], covariates=[], since=since, as_of=as_of)
        except DataError:
            # Nothing of these days is known.
            return pd.Series(dtype=np.float64, index=pd.DatetimeIndex([], tz="UTC"))
        (one,) = table.series
        values_T = table.observed(one).astype(np.float64) * output_factor(self._unit, self._step)
        return pd.Series(values_T, index=table.stamps(one).as_unit("ns"))

    def _said(self, one: Issued, ds_H: pd.DatetimeIndex) -> Doubles:
        """Middle, low and high [H, 3] in the unit of the series; NaN where nothing was said."""
        frame = one.forecast.frame
        middle = quantile_column(MIDDLE) if MIDDLE in one.forecast.levels else "mean"
        wanted = [middle, quantile_column(LOW), quantile_column(HIGH)]
        index = self._inside(pd.DatetimeIndex(frame["ds"])).as_unit("ns")
        told = frame.set_axis(index).reindex(index=ds_H, columns=wanted).to_numpy(dtype=np.float64)
        return np.asarray(told * conversion_factor(one.forecast.unit, self._unit, self._step))

    def _inside(self, stamps: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """Stamps of the ledger on the clock of the series; of a daily table they may stand there as they were lived."""
        counted = not is_day_clock(self._clock) or bool((stamps == stamps.normalize()).all())
        return stamps if counted else inside(stamps, self._clock)

    def _naive(self, one: Issued, ds_H: pd.DatetimeIndex) -> Doubles:
        """The same local hour a week before, else two, as far as it was known at the forecast's cutoff."""
        cutoff = self._inside(pd.DatetimeIndex(one.forecast.frame["cutoff"].iloc[:1]))[0]
        known_T = self._demand(ds_H[0] - pd.Timedelta(days=WEEKS[-1] + 1), cutoff)
        said_H = np.full(len(ds_H), np.nan)
        for days in reversed(WEEKS):
            before_H = known_T.reindex(days_before(ds_H, days, self._clock).as_unit("ns")).to_numpy()
            said_H = np.where(np.isfinite(before_H), before_H, said_H)
        return said_H

    def _score(self, one: Issued, y_H: Doubles, said_H3: Doubles, naive_H: Doubles) -> Score:
        middle_H, low_H, high_H = said_H3.T
        both_H = np.isfinite(y_H) & np.isfinite(middle_H)
        three_H = both_H & np.isfinite(naive_H)
        y_N, middle_N = y_H[both_H], middle_H[both_H]
        return Score(
            one, len(y_H), int(both_H.sum()), mae(y_N, middle_N), bias(y_N, middle_N), mape(y_N, middle_N),
            coverage(y_N, low_H[both_H], high_H[both_H]), float(np.abs(y_N).mean()), int(three_H.sum()),
            mae(y_H[three_H], naive_H[three_H]), mae(y_H[three_H], middle_H[three_H]),
        )  # fmt: skip
