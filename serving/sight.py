"""`Sight`: what a question lets its answerer see: health, stuck meters hidden, bands that have to be wider."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from forecast.fallback import CONSTANT, GROUP_PROFILE, PREVIOUS, SEASONAL_NAIVE, Health, doubts, unable, widening
from forecast.fallback import without_stuck as hidden
from forecast.forecaster import ForecasterSpec
from forecast.store.issued import CHAMPION
from serving.questions import Question
from serving.told import Told

log = logging.getLogger("serving")

SHOWN = 3
_SPEAKERS = {
    PREVIOUS: "the previous version of the model",
    SEASONAL_NAIVE: "the same hour of the last known week or day",
    GROUP_PROFILE: "the average week of the group at this series' level",
    CONSTANT: "one number, the last resort",
}
_WHY = {
    "stale": "its newest values are missing",
    "incomplete": "too many of its values are missing",
    "stuck": "its meter stands still",
    "non_finite": "the model's answer was no forecast",
    "deadline": "the model did not answer in time",
    "error": "the model failed",
    "no_model": "no model is loaded",
}


@dataclass(frozen=True, eq=False)
class Seen:
    """A sight without its question: what is kept of a table must not keep the table."""

    steps: int
    unable: Mapping[str, str]
    doubted: Mapping[str, str]
    wider: Mapping[str, float]
    overdue_s: tuple[float, ...]

    def of_question(self, question: Question) -> Sight:
        """The sight again, of the same question."""
        return Sight(question, self.steps, self.unable, self.doubted, self.wider, overdue_s=self.overdue_s)


@dataclass(frozen=True, eq=False)
class Sight:
    """What is seen of one question.

    Attributes:
        question: to be put: without what stuck meters said.
        steps: of the horizon, where the question names none.
        unable: series of which no model is asked, and why.
        doubted: series of which a model speaks with wider bands, and why.
        wider: how many times wider, by series.
        stuck: how many values were hidden, by series.
        overdue_s: how long the newest value that is due has been missing, one number per series.
    """

    question: Question
    steps: int
    unable: Mapping[str, str] = field(default_factory=dict)
    doubted: Mapping[str, str] = field(default_factory=dict)
    wider: Mapping[str, float] = field(default_factory=dict)
    stuck: Mapping[str, int] = field(default_factory=dict)
    overdue_s: tuple[float, ...] = ()

    @classmethod
    def of(cls, question: Question, spec: ForecasterSpec | None) -> Sight:
        """Looks at a question; where that fails, it is put as it came: a doubt about data must not cost an answer."""
        per_day = question.demand.steps_per_day
        context, steps = (spec.context, spec.task.horizon) if spec is not None else (7 * per_day, per_day)
        try:
            return cls._looked(question, context, steps, spec)
        except Exception:
            log.exception("the health of a question cannot be told")
            return cls(question, steps)

    @classmethod
    def _looked(cls, question: Question, context: int, steps: int, spec: ForecasterSpec | None) -> Sight:
        horizon = _horizon(question, steps)
        health = Health.of(question.demand, question.cutoff, context=context, horizon=horizon)
        stuck = health.stuck
        if stuck:
            question = replace(question, demand=hidden(question.demand, question.cutoff, stuck))
            seen = Health.of(question.demand, question.cutoff, context=context, horizon=horizon)
            health = replace(seen, stuck_S=health.stuck_S)
        overdue_s = tuple((health.late_S * question.demand.step.total_seconds()).tolist())
        doubted = doubts(health)
        if not doubted:
            return cls(question, steps, overdue_s=overdue_s)
        wider = dict(zip(health.names, widening(health).tolist(), strict=True))
        return cls(question, steps, _unable(health, spec), doubted, wider, stuck, overdue_s)

    def kept(self) -> Seen:
        """What can be kept of it, where no meter is stuck."""
        return Seen(self.steps, self.unable, self.doubted, self.wider, self.overdue_s)

    def seen(self, one: Told, reason: str | None, rung: str) -> Told:
        """A model's answer about one series, its bands as wide as what is missing asks for."""
        reason = reason or self.doubted.get(one.unique_id)
        if rung == CHAMPION and reason is None:
            return one
        factor = self.wider.get(one.unique_id, 1.0)
        if factor == 1.0:
            return replace(one, rung=rung, reason=reason)
        quantiles_HQ = _widened(one.quantiles_HQ, factor)
        return replace(one, quantiles_HQ=quantiles_HQ, rung=rung, reason=reason)

    def warnings(self, told: Sequence[Told]) -> list[str]:
        """Which series were answered below the champion or with wider bands, and why."""
        groups: dict[tuple[str, str], list[str]] = {}
        for one in told:
            if one.reason is not None:
                groups.setdefault((one.rung, one.reason), []).append(one.unique_id)
        return [self._sentence(rung, reason, names) for (rung, reason), names in groups.items()]

    def _sentence(self, rung: str, reason: str, names: list[str]) -> str:
        listed = ", ".join(f"'{name}'" for name in names[:SHOWN])
        listed += f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        hidden = [self.stuck[name] for name in names if name in self.stuck]
        more = f"; its last {hidden[0]} known values are equal and were not used" if hidden else ""
        if rung == CHAMPION:
            return f"series {listed}: {_WHY[reason]}{more}; the bands are wider"
        return f"series {listed}: {_WHY[reason]}{more}; {_SPEAKERS[rung]} is said, with bands of its own errors"


def _horizon(question: Question, steps: int) -> int:
    """Steps from the cutoff to the end of what is asked for."""
    if question.day is None:
        return question.horizon or steps
    ends = [question.span(zone)[1] for zone in dict.fromkeys(question.demand.zones.values())]
    return max(1, int((max(ends) - question.cutoff) / question.demand.step))


def _unable(health: Health, spec: ForecasterSpec | None) -> dict[str, str]:
    if spec is None:
        return unable(health)
    alone = spec.series[0] if spec.only_networks and len(spec.series) == 1 else None
    return unable(health, starts_from_static=spec.starts_from_static, by_heart=alone)


def _widened(quantiles_HQ: np.ndarray, factor: float) -> np.ndarray:
    """Quantiles further from their middle one."""
    middle_H1 = quantiles_HQ[:, quantiles_HQ.shape[1] // 2, None]
    return np.asarray(middle_H1 + factor * (quantiles_HQ - middle_H1))
