"""`Sight`: what a question lets its answerer see: health, stuck meters hidden, bands that have to be wider."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

import numpy as np

from forecast.fallback import (
    CONSTANT,
    GROUP_PROFILE,
    HISTORY_DAYS,
    PREVIOUS,
    SEASONAL_NAIVE,
    Health,
    Known,
    doubts,
    examined,
    middle,
    plausible,
    unable,
    widened,
    widening,
)
from forecast.fallback.absurd import TIMES
from forecast.forecaster import ForecasterSpec
from forecast.store.issued import CHAMPION
from serving.questions import Question
from serving.told import Told

log = logging.getLogger("serving")

SHOWN = 3
EVERYTHING = -np.inf, np.inf
_SPEAKERS = {
    SEASONAL_NAIVE: "the same hour of the last known week or day is said, with bands of its own past errors",
    GROUP_PROFILE: "the average week of the group at this series' level is said, with bands of its own past errors",
    CONSTANT: "one number, the last resort, is said, with bands of how much the known values vary",
}
_WHY = {
    "stale": "its newest values are missing",
    "incomplete": "too many of its values are missing",
    "weather": "the weather ahead is missing",
    "stuck": "its meter stands still",
    "absurd": "some of its values cannot be true",
    "non_finite": "the model's answer was no forecast",
    "implausible": "the model's answer lies far from all that is known of it",
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
    believed: Mapping[str, tuple[float, float]]

    def of_question(self, question: Question) -> Sight:
        """The sight again, of the same question."""
        return Sight(
            question, self.steps, self.unable, self.doubted, self.wider, overdue_s=self.overdue_s,
            believed=self.believed,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Sight:
    """What is seen of one question.

    Attributes:
        question: to be put: without what stuck meters said.
        steps: of the horizon, where the question names none.
        unable: series of which no model is asked, and why.
        doubted: series of which a model speaks with wider bands, and why.
        wider: how many times wider, by series.
        stuck, absurd: how many values were hidden, by series: those of a stuck meter, those that cannot be true.
        overdue_s: how long the newest value that is due has been missing, one number per series.
        believed: between which numbers [mean power] a model's median is believed, by series.
    """

    question: Question
    steps: int
    unable: Mapping[str, str] = field(default_factory=dict)
    doubted: Mapping[str, str] = field(default_factory=dict)
    wider: Mapping[str, float] = field(default_factory=dict)
    stuck: Mapping[str, int] = field(default_factory=dict)
    absurd: Mapping[str, int] = field(default_factory=dict)
    overdue_s: tuple[float, ...] = ()
    believed: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, question: Question, spec: ForecasterSpec | None) -> Sight:
        """Looks at a question; where that fails, it is put as it came: a doubt about data must not cost an answer."""
        if spec is not None:
            context, steps = spec.context, spec.task.horizon
        else:
            context, steps = 7 * question.demand.steps_per_day, question.demand.steps_per_day
        try:
            return cls._looked(question, context, steps, spec)
        except Exception:
            log.exception("the health of a question cannot be told")
            return cls(question, steps)

    @classmethod
    def _looked(cls, question: Question, context: int, steps: int, spec: ForecasterSpec | None) -> Sight:
        horizon = _horizon(question, steps)
        demand, health = examined(question.demand, question.cutoff, context=context, horizon=horizon)
        if demand is not question.demand:
            question = replace(question, demand=demand)
        believed = dict(
            zip(health.names, zip(health.least_S.tolist(), health.most_S.tolist(), strict=True), strict=True)
        )
        if health.in_order:
            return cls(question, steps, overdue_s=(0.0,) * len(health.names), believed=believed)
        overdue_s = tuple((health.late_S * question.demand.step.total_seconds()).tolist())
        doubted = doubts(health)
        if not doubted:
            return cls(question, steps, overdue_s=overdue_s, believed=believed)
        wider = dict(zip(health.names, widening(health).tolist(), strict=True))
        return cls(
            question, steps, _unable(health, spec), doubted, wider, health.stuck, health.absurd, overdue_s, believed
        )

    @property
    def hidden(self) -> bool:
        """Whether the question is put without some of its values."""
        return bool(self.stuck or self.absurd)

    def kept(self) -> Seen:
        """What can be kept of it, where nothing is `hidden`."""
        return Seen(self.steps, self.unable, self.doubted, self.wider, self.overdue_s, self.believed)

    def seen(self, one: Told, reason: str | None, rung: str, levels: Sequence[float]) -> Told:
        """A model's answer about one series, its bands as wide as what is missing asks for."""
        reason = reason or self.doubted.get(one.unique_id)
        if rung == CHAMPION and reason is None:
            return one
        factor = self.wider.get(one.unique_id, 1.0)
        if factor == 1.0:
            return replace(one, rung=rung, reason=reason)
        quantiles_HQ = widened(_middle(one, levels), one.quantiles_HQ, factor)
        return replace(one, quantiles_HQ=quantiles_HQ, rung=rung, reason=reason)

    def unbelievable(self, told: Sequence[Told], levels: Sequence[float]) -> set[str]:
        """The series whose median, as a model tells it, lies far from all that is known of them."""
        suspects = _beyond(told, levels, self.believed, self.question.demand.output_factor)
        if not suspects:
            return set()
        # A model may see a weekend only, and a Monday is told: what was known before decides.
        demand = self.question.demand.select([one.unique_id for one in suspects])
        known = Known.of(demand, self.question.cutoff, HISTORY_DAYS * demand.steps_per_day)
        least_S, most_S = plausible(known.y_SL, known.day)
        longer = dict(zip(known.names, zip(least_S.tolist(), most_S.tolist(), strict=True), strict=True))
        return {one.unique_id for one in _beyond(suspects, levels, longer, demand.output_factor)}

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
        more = self._hidden(names)
        said = [f"series {listed}: {_WHY[reason]}{more}"]
        if rung in _SPEAKERS:
            return f"{said[0]}; {_SPEAKERS[rung]}"
        if rung == PREVIOUS:
            said.append("the previous version of the model is said")
        if any(self.wider.get(name, 1.0) > 1 for name in names):
            said.append("the bands are wider")
        return "; ".join(said)

    def _hidden(self, names: list[str]) -> str:
        """What was not used of the first series that something was hidden of."""
        stuck = next((self.stuck[name] for name in names if name in self.stuck), 0)
        absurd = next((self.absurd[name] for name in names if name in self.absurd), 0)
        said = f"; its last {stuck} known values are equal and were not used" if stuck else ""
        if absurd:
            values = "1 known value is" if absurd == 1 else f"{absurd} known values are"
            was = "was" if absurd == 1 else "were"
            said += f"; {values} more than {TIMES} times as large as the others and {was} not used"
        return said


def _horizon(question: Question, steps: int) -> int:
    """Steps from the cutoff to the end of what is asked for."""
    if question.day is None:
        return question.horizon or steps
    ends = [question.span(zone)[1] for zone in dict.fromkeys(question.demand.zones.values())]
    return max(1, int((max(ends) - question.cutoff) / question.demand.step))


def _unable(health: Health, spec: ForecasterSpec | None) -> dict[str, str]:
    if spec is None:
        return unable(health)
    return unable(health, starts_from_static=spec.starts_from_static, learned=spec.learned_by_networks)


def _beyond(
    told: Sequence[Told], levels: Sequence[float], believed: Mapping[str, tuple[float, float]], factor: float
) -> list[Told]:
    """Those whose median leaves its bounds at any step; bounds are in mean power, of which the answer is a multiple."""
    if not told or not believed:
        return []
    middles = [_middle(one, levels) for one in told]
    middle_N = np.concatenate(middles)
    first_S = [0, *accumulate(len(middle_H) for middle_H in middles[:-1])]
    low_S, high_S = np.minimum.reduceat(middle_N, first_S), np.maximum.reduceat(middle_N, first_S)
    beyond = []
    for one, low, high in zip(told, low_S.tolist(), high_S.tolist(), strict=True):
        least, most = believed.get(one.unique_id, EVERYTHING)
        if low < least * factor or high > most * factor:
            beyond.append(one)
    return beyond


def _middle(one: Told, levels: Sequence[float]) -> np.ndarray:
    return middle(one.mean_H, one.quantiles_HQ, levels)
