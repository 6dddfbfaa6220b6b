"""The days that neither version learned from, answered by both: forecast again, or as the ledger has it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

import pandas as pd

from forecast import clock
from forecast.backtest import Plan
from forecast.calendars import civil_date, is_day_clock
from forecast.errors import DataError, NotEnoughHistory
from forecast.promotion.contenders import Contenders
from forecast.quality import cleaned
from forecast.store import Issued, Store
from forecast.store.purposes import BACKFILL, purpose_of
from forecast.tables import Demand
from forecast.tables.units import conversion_factor

MOST_SERIES = 500
"""So many series are judged at the most; of more, these are drawn by name, the same every time."""
SHADOW, SPOKEN = "challenger", "champion"
"""The rungs of the ledger under which the two speak."""


def fresh_days(demand: Demand, both: Contenders, gate: str | None, most_days: int) -> Plan:
    """The days whose forecast is due after both trainings and whose demand is measured to its end.

    Args:
        demand: what is known now.
        both: the two versions.
        gate: when a day's forecast is due, such as D-1T10:00; the one that the champion, else the challenger learned;
            where neither learned one, days are forecast from their midnight, as far as both reach.
        most_days: only the last so many of them.

    Raises:
        NotEnoughHistory: there is none yet.
    """
    zone, end = demand.series[0].zone, demand.last_known_end() - demand.delay
    first = civil_date(both.trained_until.tz_convert(clock.zone(zone)))
    last = civil_date(end.tz_convert(clock.zone(zone))) - timedelta(days=1)
    learned = both.trained_until
    if first <= last:
        measured = _plan(demand, both, gate, str(first), str(last)).measured_until(end, demand.step)
        kept = [place for place, cutoff in enumerate(measured.cutoffs) if cutoff >= learned][-most_days:]
        if kept:
            spans = None if measured.spans is None else [measured.spans[place] for place in kept]
            return Plan(measured.cutoffs[kept], spans, measured.horizon)
    raise NotEnoughHistory(
        f"no day is known to its end whose forecast was due after both trainings (until {learned:%Y-%m-%d %H:%M}Z)",
        "days that came later", "judge again when there are some",
    )  # fmt: skip


def _plan(demand: Demand, both: Contenders, gate: str | None, first: str, last: str) -> Plan:
    """The question that the two learned to answer: a model that is asked further than it learned errs."""
    zone, tasks = demand.series[0].zone, [one.forecaster.spec.task for one in (both.champion, both.challenger)]
    due = gate or tasks[0].gate or tasks[1].gate
    if due is not None:
        return Plan.of(first, last, "delivery-day", zone, demand.step, gate=due)
    return Plan.of(first, last, "1d", zone, demand.step, horizon=min(task.horizon for task in tasks))


def from_data(demand: Demand, both: Contenders, plan: Plan, most_series: int = MOST_SERIES) -> pd.DataFrame:
    """Both versions forecast every day of the plan from what was known at its own cutoff.

    Returns:
        a walk's table of two models, named as the contenders are.

    Raises:
        NotEnoughHistory: nothing was measured on these days.
        ForecastError: a version cannot answer this data.
    """
    some = _drawn([one.unique_id for one in demand.series], most_series)
    table = demand if some is None else demand.select(some)
    frames = [
        one.forecaster.predict(table, plan.cutoffs, horizon=plan.horizon, spans=plan.spans).frame.assign(model=one.name)
        for one in both.both
    ]
    masks = any(one.forecaster.spec.recipe.quality == "mask" for one in both.both)
    actual = (cleaned(table) if masks else table).to_frame()[["unique_id", "ds", "y"]]
    actual["y"] = actual["y"].astype("float64") * table.output_factor
    return _scorable(pd.concat(frames, ignore_index=True).merge(actual, on=["unique_id", "ds"], how="left"))


def from_ledger(
    store: Store, both: Contenders, series: Sequence[str] | None = None, most_series: int = MOST_SERIES
) -> pd.DataFrame:
    """What both versions said in the service and in the flow `issue`, before the day began: the champion's answers and
    the challenger's shadow, where both stand in the ledger for the same day, gate and series.

    Raises:
        NotEnoughHistory: there is no day of which both said something, or nothing of these days was measured.
    """
    known = store.series()
    names = list(series or sorted(known))
    some = _drawn(names, most_series) or names
    parts = [part for name in some for part in _said(store, name, both, known[name].unit or "MW", known[name].step)]
    if not parts:
        raise NotEnoughHistory(
            f"the ledger holds no day after {both.trained_until:%Y-%m-%d %H:%M}Z of which both versions speak",
            "answers of the champion and the challenger's shadow", "judge from the data, without --ledger",
        )  # fmt: skip
    return _scorable(pd.concat(parts, ignore_index=True))


def _said(store: Store, name: str, both: Contenders, unit: str, step: pd.Timedelta | str) -> Iterator[pd.DataFrame]:
    """A series' rows of both versions beside what was measured."""
    learned = both.trained_until
    wanted = {
        (SPOKEN, both.champion.version): both.champion.name,
        (SHADOW, both.challenger.version): both.challenger.name,
    }
    found = [
        (wanted[one.rung, str(one.model_version)], one)
        for one in store.forecasts(name, first=learned)
        if (one.rung, str(one.model_version)) in wanted and _in_time(one, learned)
    ]
    if len({model for model, _ in found}) < len(wanted):
        return
    frame = pd.concat([_rows(one, unit, step).assign(model=model) for model, one in found], ignore_index=True)
    # Said again for the same cutoff: the last word counts.
    frame = frame.drop_duplicates(["model", "cutoff", "ds"], keep="last")
    actual = _measured(store, name, learned)
    if actual is not None:
        yield frame.merge(actual, on=["unique_id", "ds"], how="left")


def _in_time(one: Issued, learned: pd.Timestamp) -> bool:
    """Whether a forecast was given out before its first period, from a cutoff after both trainings."""
    frame = one.forecast.frame
    if purpose_of(one.id) == BACKFILL or frame["cutoff"].iloc[0] < learned:
        return False
    return bool(one.issued_at <= frame["ds"].iloc[0])


def _rows(one: Issued, unit: str, step: pd.Timedelta | str) -> pd.DataFrame:
    frame = one.forecast.frame.copy()
    numbers = [name for name in frame.columns if name not in ("unique_id", "cutoff", "ds")]
    frame[numbers] *= conversion_factor(one.forecast.unit, unit, pd.Timedelta(step))
    return frame


def _measured(store: Store, name: str, since: pd.Timestamp) -> pd.DataFrame | None:
    """What is known of a series now, in its own unit; None where nothing is."""
    try:
        table = store.demand(only=[name], covariates=[], since=since, as_of=clock.now())
    except DataError:
        return None
    if is_day_clock(table.series[0].zone):
        return None
    frame = table.to_frame()[["unique_id", "ds", "y"]]
    frame["y"] = frame["y"].astype("float64") * table.output_factor
    return frame


def _scorable(table: pd.DataFrame) -> pd.DataFrame:
    if not table["y"].notna().any():
        raise NotEnoughHistory("nothing is measured yet on the days that both versions forecast", "measured demand")
    first = ["unique_id", "ds", "cutoff", "y", "model", "mean"]
    return table[[*first, *[name for name in table.columns if name not in first]]]


def _drawn(names: Sequence[str], most: int) -> list[str] | None:
    """Some of many series, the same every time; None where all are few enough."""
    if len(names) <= most:
        return None
    ordered: Mapping[str, str] = {name: hashlib.sha256(name.encode()).hexdigest() for name in names}
    return sorted(sorted(names, key=ordered.__getitem__)[:most])
