"""Scenarios: the same question with other values of what is known ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from forecast.errors import RequestError
from forecast.features import FeatureState
from forecast.tables import Demand, Series
from forecast.tables.versions import Versions
from serving.bodies import Scenario
from serving.questions import Question

Change = str | float
ROUNDING = 1e-5
"""Columns are float32: what lies outside by less was seen."""


def check_scenarios(scenarios: Sequence[Scenario], known: Sequence[str], model: str) -> None:
    """Whether a model reads what is to be changed.

    Args:
        scenarios: as asked.
        known: the columns known ahead that the model reads.
        model: its name.

    Raises:
        RequestError: it does not.
    """
    for one in scenarios:
        odd = [name for name in one.shift if name not in known]
        if odd:
            offered = ", ".join(known) or "no column at all"
            raise RequestError(
                f"scenario '{one.name}' changes '{odd[0]}'", f"what model '{model}' reads ahead: {offered}",
                "leave it out", column="options.scenarios",
            )  # fmt: skip


def shifted(question: Question, shift: Mapping[str, Change]) -> Question:
    """The question with columns changed in the periods from the cutoff on; what came before stays.

    Args:
        question: as it was put.
        shift: by column, as `Scenario.shift`.
    """
    demand, cutoff = question.demand, question.cutoff.value
    arena_RC, versions = demand.arena_RC.copy(), dict(demand.versions)
    ahead = [
        slice(one.first_row + max(0, -((one.start.value - cutoff) // demand.step.value)), one.first_row + len(one))
        for one in demand.series
    ]  # fmt: skip
    for name, change in shift.items():
        plane = demand.columns.dynamic.index(name)
        for rows in ahead:
            arena_RC[rows, plane] = changed(arena_RC[rows, plane], change)
        if name in versions:
            versions[name] = _versions(demand, name, ahead, change)
    arena_RC.flags.writeable = False
    series, beside = (tuple(one.viewing(arena_RC) for one in group) for group in (demand.series, demand.beside))
    return replace(
        question, demand=replace(demand, arena_RC=arena_RC, series=series, beside=beside, versions=versions)
    )  # fmt: skip


def unchanged(question: Question, shift: Mapping[str, Change]) -> list[str]:
    """Columns of which nothing is known ahead, so that nothing of them can be changed."""
    demand, cutoff = question.demand, question.cutoff.value
    lost = []
    for name in shift:
        values = [
            demand.observed(one, name)[max(0, -((one.start.value - cutoff) // demand.step.value)) :]
            for one in demand.series
        ]
        if not any(np.isfinite(one).any() for one in values):
            lost.append(name)
    return lost


def beyond(question: Question, scenario: Scenario, features: FeatureState, until: np.datetime64) -> list[str]:
    """What a model has never seen the like of, of the columns that a scenario changes.

    Args:
        question: as the scenario puts it.
        scenario: its name and columns.
        features: between which values the model learned.
        until: the last stamp that is told (UTC); what comes later is not looked at.
    """
    demand, told = question.demand, []
    for name in scenario.shift:
        seen = features.seen_of(name)
        values = np.concatenate([_told_ahead(question, one, name, until) for one in demand.series])
        values = values[np.isfinite(values)]
        if seen is None or not len(values):
            continue
        slack = ROUNDING * max(1.0, *map(abs, seen))
        least, most = float(values.min()), float(values.max())
        if least < seen[0] - slack or most > seen[1] + slack:
            found = f"{least:g}" if least == most else f"{least:g} to {most:g}"
            told.append(
                f"scenario '{scenario.name}': column '{name}' would be {found}, and the model has learned from "
                f"{seen[0]:g} to {seen[1]:g}: beyond that its answer is a guess"
            )
    return told


def _told_ahead(question: Question, one: Series, name: str, until: np.datetime64) -> npt.NDArray[np.float64]:
    """Values of a column from the cutoff to a stamp."""
    first, step = one.start.value, question.demand.step.value
    begin = max(0, -((first - question.cutoff.value) // step))
    end = (until.astype("datetime64[ns]").astype(np.int64) - first) // step + 1
    return question.demand.observed(one, name)[begin : max(begin, end)].astype(np.float64)


def changed(values: npt.NDArray[np.float32], change: Change) -> npt.NDArray[np.float32]:
    """Values after a change; what is not known stays unknown.

    >>> changed(np.array([20, np.nan], np.float32), "+2").tolist()
    [22.0, nan]
    >>> changed(np.array([20, np.nan], np.float32), "*1.1").tolist()
    [22.0, nan]
    """
    x = values.astype(np.float64)
    if not isinstance(change, str):
        return np.where(np.isfinite(x), change, x).astype(np.float32)
    amount = float(change[1:])
    made = x * amount if change[0] == "*" else x + amount if change[0] == "+" else x - amount
    return made.astype(np.float32)


def _versions(demand: Demand, name: str, ahead: Sequence[slice], change: Change) -> Versions:
    """Every version of the periods ahead, changed."""
    versions = demand.versions[name]
    values_V = versions.values_V.copy()
    for rows in ahead:
        if rows.start < rows.stop:
            part = slice(int(versions.first_R1[rows.start]), int(versions.first_R1[rows.stop]))
            values_V[part] = changed(values_V[part], change)
    return replace(versions, values_V=values_V)
