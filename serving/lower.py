"""What the rungs below the models say to a question, in the shape of a model's answer."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from forecast.calendars import is_day_clock, outside
from forecast.errors import RequestError
from forecast.fallback import HISTORY_DAYS, Known, Profile, Said, below, last_resort
from forecast.forecaster import MAX_HORIZON_DAYS
from serving.questions import Question
from serving.told import Told

log = logging.getLogger("serving")


def lower(
    question: Question, reasons: dict[str, str], levels: Sequence[float], steps: int, profile: Profile | None
) -> dict[str, Told]:  # fmt: skip
    """The series of `reasons`, each from its highest rung that can speak; takes milliseconds and does not fail.

    Args:
        question: the demand and what is asked.
        reasons: by series, why no model answers.
        levels: quantile levels, ascending.
        steps: of the horizon, where the question names none.
        profile: of the series that a model learned from.

    Raises:
        RequestError: the span that is asked for holds no period or is too long, which no rung can mend.
    """
    demand = question.demand
    known = Known.of(demand, question.cutoff, HISTORY_DAYS * demand.steps_per_day)
    begins, ends = _spans(question, known, steps)
    try:
        # All series at hand, since they tell the shape of those of which little is known.
        said = below(known, int(ends.max()), levels, profile)
    except Exception:
        log.exception("the rungs below the models fail; a constant is said")
        said = last_resort(known, int(ends.max()), levels)
    places = {name: row for row, name in enumerate(known.names)}
    return {
        name: _told(known, said, places[name], int(begins[places[name]]), int(ends[places[name]]), reason,
                    demand.output_factor)
        for name, reason in reasons.items()
    }  # fmt: skip


def _spans(question: Question, known: Known, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last period [S] that is asked for, counted from each series' first after the cutoff."""
    count, most = len(known.names), MAX_HORIZON_DAYS * question.demand.steps_per_day
    if question.day is None:
        steps = question.horizon if question.horizon is not None else steps
        if not 1 <= steps <= most:
            raise RequestError(f"a horizon of {steps} steps", f"1 to {most} ({MAX_HORIZON_DAYS} days)", "ask for less")
        return np.zeros(count, dtype=np.int64), np.full(count, steps)
    spans = {zone: question.span(zone) for zone in dict.fromkeys(known.zones)}
    bounds_S2 = np.array([[side.value for side in spans[zone]] for zone in known.zones])
    begins_S, ends_S = (-((known.first_S - bounds_S2[:, side]) // known.step) for side in (0, 1))
    begins_S = np.maximum(begins_S, 0)
    for row in np.flatnonzero(begins_S >= ends_S):
        raise RequestError(
            f"no period of {question.demand.step} starts on the rest of the day {question.day} in {known.zones[row]}",
            "a day in which a period starts after the cutoff", "ask for another day, or an earlier cutoff",
            series=known.names[row],
        )  # fmt: skip
    return begins_S, ends_S


def _told(known: Known, said: Said, row: int, begin: int, end: int, reason: str, factor: float) -> Told:
    ds_H = known.stamps(row, begin, end).view("datetime64[ns]")
    if is_day_clock(known.zones[row]):
        ds_H = outside(pd.DatetimeIndex(ds_H, tz="UTC"), known.zones[row]).asi8.view("datetime64[ns]")
    mean_H, quantiles_HQ = said.mean_SH[row, begin:end], said.quantiles_SHQ[row, begin:end]
    return Told(known.names[row], ds_H, mean_H * factor, quantiles_HQ * factor, said.rungs[row], reason)
