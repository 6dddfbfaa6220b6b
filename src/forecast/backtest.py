"""Walk forward through history: fit on what was known, forecast every cutoff from what was known then, score later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast import calendars
from forecast.crew import crew
from forecast.errors import DeclarationError, NotEnoughHistory
from forecast.forecaster import Span
from forecast.settings import Settings
from forecast.tables import Demand
from forecast.training import Fitted, begin_worker

FitFunction = Callable[[Demand], Fitted]
RefreshFunction = Callable[[Fitted, Demand], Fitted]
NO_GAP = pd.Timedelta(0)


class WalkProgress(Protocol):
    """Told about every fold of every model."""

    def fold(self, model: str, done: int, folds: int) -> None:
        """`done` of `folds` folds of a model are over."""
        ...


@dataclass(frozen=True, eq=False)
class Walk:
    """What a walk said and who said it.

    Attributes:
        table: unique_id, ds, cutoff, y, model, mean, q*; in the data's own unit.
        fitted: per model, what was fitted in each fold.
        folds: each fold's cutoffs.
    """

    table: pd.DataFrame
    fitted: dict[str, list[Fitted]] = field(default_factory=dict)
    folds: list[pd.DatetimeIndex] = field(default_factory=list)


Result = tuple[str, int, pd.DataFrame, Fitted]


class _Job(NamedTuple):
    """One fold of one model."""

    model: str
    fold: int
    fit: FitFunction
    demand: Demand
    known_until: pd.Timestamp
    window: pd.Timedelta | None
    cutoffs: pd.DatetimeIndex
    spans: list[Span] | None
    horizon: int

    def run(self, before: Fitted | None = None, refresh: RefreshFunction | None = None) -> Result:
        """Fits on what was known, or refreshes the fit before, and forecasts all cutoffs of the fold in one pass."""
        known = self.demand if self.window is None else self.demand.since(self.known_until - self.window)
        known = known.as_of(self.known_until)
        fitted = refresh(before, known) if before is not None and refresh is not None else self.fit(known)
        said = fitted.forecaster.predict(self.demand, self.cutoffs, horizon=self.horizon, spans=self.spans)
        return self.model, self.fold, said.frame.assign(model=self.model), fitted


@dataclass(frozen=True, eq=False)
class Plan:
    """When forecasts are issued and which periods they are for.

    Attributes:
        cutoffs: the moments.
        spans: the reported periods of each, or None: `horizon` steps from the cutoff.
        horizon: steps that the network must reach.
    """

    cutoffs: pd.DatetimeIndex
    spans: list[Span] | None
    horizon: int

    @classmethod
    def of(
        cls, start: str, end: str, every: str, zone: str, step: pd.Timedelta, *, horizon: int | None = None,
        gate: str | None = None,
    ) -> Plan:  # fmt: skip
        """The plan of the options `--start --end --every --gate --horizon`.

        Raises:
            DeclarationError: delivery days together with a horizon, or a gate without delivery days.
        """
        moments = calendars.cutoffs(start, end, every, zone, gate)
        if every != "delivery-day":
            if horizon is None:
                horizon = int(pd.Timedelta(days=1) / step)
            return cls(moments, None, horizon)
        if horizon is not None:
            raise DeclarationError(
                "a horizon together with every delivery-day", "one of the two: a delivery day says its own length",
                "leave out --horizon",
            )  # fmt: skip
        days = calendars.lived_days(calendars.civil_date(start), calendars.civil_date(end), zone)
        spans = [calendars.delivery_day(day, zone) for day in days]
        assert gate is not None  # `cutoffs` refuses delivery days without one
        return cls(moments, spans, calendars.longest_reach(gate, step, zone))

    def measured_until(self, end: pd.Timestamp, step: pd.Timedelta) -> Plan:
        """The plan without cutoffs whose last period ends after `end`."""
        lasts = (
            [last for _, last in self.spans] if self.spans is not None
            else [cutoff + self.horizon * step for cutoff in self.cutoffs]
        )  # fmt: skip
        kept = [place for place, last in enumerate(lasts) if last <= end]
        spans = [self.spans[place] for place in kept] if self.spans is not None else None
        return Plan(self.cutoffs[kept], spans, self.horizon)


def walk(
    demand: Demand,
    fits: Mapping[str, FitFunction],
    plan: Plan,
    *,
    refit: str | int = "never",
    window: pd.Timedelta | None = None,
    gap: pd.Timedelta = NO_GAP,
    workers: int = 1,
    refresh: RefreshFunction | None = None,
    truth: Demand | None = None,
    progress: WalkProgress | None = None,
) -> Walk:
    """Walks forward; each model is fitted at its fold's first cutoff and answers all its cutoffs in one pass.

    Args:
        demand: the whole table; every fit sees `demand.as_of(first cutoff − gap)`, every forecast its own cutoff.
        fits: from a narrowed table to what was fitted, by model name.
        plan: when and for which periods.
        refit: "never", "monthly" (civil months), or a number of cutoffs.
        window: slide: learn from the last such span only; None expands.
        gap: time between the end of training and the fold's first cutoff.
        workers: processes that run folds side by side; where more than one is asked for and the settings name a Dask
            scheduler, its workers do.
        refresh: makes a fold's fit from the fold's before instead of fitting anew; the first is always fitted.
        truth: the table that is scored against, such as one without what quality finds wrong; `demand` where None.
        progress: told after every fold.

    Raises:
        NotEnoughHistory: the plan is empty, or nothing was measured in the walked span.
    """
    if not len(plan.cutoffs):
        raise NotEnoughHistory("no cutoff to forecast from", "one or more", "walk over a span that the data covers")
    folds = _folds(plan.cutoffs, refit, demand.series[0].zone)
    jobs = [
        _Job(
            name, number, fit, demand, plan.cutoffs[places][0] - gap, window, plan.cutoffs[places],
            [plan.spans[place] for place in places] if plan.spans is not None else None, plan.horizon,
        )
        for name, fit in fits.items()
        for number, places in enumerate(folds)
    ]  # fmt: skip
    done: dict[tuple[str, int], tuple[pd.DataFrame, Fitted]] = {}
    for name, number, frame, fitted in _results(_chains(jobs, refresh), workers, refresh):
        done[name, number] = frame, fitted
        if progress is not None:
            progress.fold(name, sum(model == name for model, _ in done), len(folds))
    ordered = [(job.model, *done[job.model, job.fold]) for job in jobs]
    table = _with_actuals(
        pd.concat([frame for _, frame, _ in ordered], ignore_index=True), demand if truth is None else truth
    )
    fitted_by = {name: [one for model, _, one in ordered if model == name] for name in fits}
    return Walk(table, fitted_by, [plan.cutoffs[places] for places in folds])


def _chains(jobs: list[_Job], refresh: RefreshFunction | None) -> list[list[_Job]]:
    """Jobs that must follow one another: none, or those of a model that is refreshed from fold to fold."""
    if refresh is None:
        return [[job] for job in jobs]
    return [[job for job in jobs if job.model == name] for name in dict.fromkeys(job.model for job in jobs)]


def _run(chain: list[_Job], refresh: RefreshFunction | None) -> Iterator[Result]:
    before: Fitted | None = None
    for job in chain:
        result = job.run(before, refresh)
        before = result[3]
        yield result


def _whole(chain: list[_Job], refresh: RefreshFunction | None) -> list[Result]:
    return list(_run(chain, refresh))


def _results(chains: list[list[_Job]], workers: int, refresh: RefreshFunction | None) -> Iterator[Result]:
    """Runs the jobs here, in fresh processes that share nothing, or on the workers of a scheduler."""
    scheduler = Settings.read().dask_scheduler if workers > 1 else None
    with crew(workers, scheduler, begin_worker) as pool:
        if pool is None:
            for chain in chains:
                yield from _run(chain, refresh)
            return
        for future in as_completed([pool.submit(_whole, chain, refresh) for chain in chains]):
            yield from future.result()


def _folds(cutoffs: pd.DatetimeIndex, refit: str | int, zone: str) -> list[Sequence[int]]:
    """The places of each fold's cutoffs."""
    if refit == "never":
        return [range(len(cutoffs))]
    if refit == "monthly":
        local = calendars.local_parts(cutoffs, zone)
        months = pd.Series(local.date_ordinal).map(pd.Timestamp.fromordinal).dt.to_period("M")
        return [list(group.index) for _, group in months.groupby(months)]
    size = int(refit) if str(refit).isdecimal() else 0
    if size < 1:
        raise DeclarationError(f"refit '{refit}' cannot be read", "never, monthly, or a number of cutoffs from 1")
    return [range(begin, min(begin + size, len(cutoffs))) for begin in range(0, len(cutoffs), size)]


def _with_actuals(said: pd.DataFrame, demand: Demand) -> pd.DataFrame:
    """Joins what was measured; periods without a measurement stay, with y missing, and are never scored."""
    actual = demand.to_frame()[["unique_id", "ds", "y"]]
    actual["y"] = _shortest(actual["y"].to_numpy()) * demand.output_factor
    table = said.merge(actual, on=["unique_id", "ds"], how="left")
    if not table["y"].notna().any():
        raise NotEnoughHistory(
            f"no value of y was measured between {said['ds'].min()} and {said['ds'].max()}", "measured values to score",
            "walk over a span that the data covers",
        )  # fmt: skip
    first = ["unique_id", "ds", "cutoff", "y", "model", "mean"]
    return table[[*first, *[name for name in table.columns if name not in first]]]


def _shortest(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Float32 values as the shortest decimals that name them: 4653.3, not 4653.2998046875."""
    return values.astype(np.str_).astype(np.float64)
