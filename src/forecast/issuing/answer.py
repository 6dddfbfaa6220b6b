"""What is said of the series of one table, rung by rung, as the service's ladder says it: models, then what needs none.

S series, H periods of the day, Q levels.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import ForecastError
from forecast.fallback import (
    ERROR,
    HISTORY_DAYS,
    IMPLAUSIBLE,
    NON_FINITE,
    PREVIOUS,
    Known,
    Profile,
    below,
    doubts,
    examined,
    last_resort,
    middle,
    plausible,
    sound,
    unable,
    widened,
    widening,
)
from forecast.forecaster import Forecaster, Wish
from forecast.issuing.due import Block
from forecast.issuing.reading import Span
from forecast.registry.reader import ModelRef
from forecast.store.issued import CHAMPION
from forecast.tables import Demand
from forecast.tables.forecast import LEVELS

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
log = logging.getLogger("forecast")


@dataclass(frozen=True, eq=False)
class Spoken:
    """What is said of one series.

    Attributes:
        unique_id: its name.
        ds_H: START of each period, UTC nanoseconds, on the clock of the series.
        mean_H, quantiles_HQ: in the unit of the block.
        levels: of the quantiles.
        rung, reason: who spoke, and why not a higher one.
        ref: the version that spoke; None of the rungs below the models.
    """

    unique_id: str
    ds_H: Ints
    mean_H: Doubles
    quantiles_HQ: Doubles
    levels: tuple[float, ...]
    rung: str
    reason: str | None
    ref: ModelRef | None


@dataclass(frozen=True, eq=False)
class Speaker:
    """A version that can be asked: its entry in the registry, and itself."""

    ref: ModelRef
    forecaster: Forecaster

    @property
    def levels(self) -> tuple[float, ...]:
        """The quantiles that it tells."""
        return self.forecaster.spec.recipe.quantiles


@dataclass(eq=False)
class Climb:
    """How far the answers about one table have come.

    Attributes:
        block, span: what is asked.
        demand: what was known, without what cannot be true.
        levels: of the answers.
        spoken: what is said, by series.
        reasons: why those of which nothing is said yet have no answer, by series.
        failed: series of which nothing can be said, and why.
        silent: series that said nothing as far back as the table reaches, and why no model speaks of them.
    """

    block: Block
    span: Span
    demand: Demand
    levels: tuple[float, ...]
    spoken: dict[str, Spoken] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)
    _doubts: Mapping[str, str] = field(default_factory=dict)
    _wider: Mapping[str, float] = field(default_factory=dict)
    _believed: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, block: Block, span: Span, demand: Demand, speaker: Speaker | None, why: str | None) -> Climb:
        """Looks at a table before anything is said of it.

        Args:
            block, span, demand: what is asked, and what was known.
            speaker: the champion, where it can read the table.
            why: the reason of all series where it cannot.
        """
        names = [one.unique_id for one in demand.series]
        if speaker is None:
            return cls(block, span, demand, LEVELS, reasons=dict.fromkeys(names, why or ERROR))
        spec = speaker.forecaster.spec
        demand, health = examined(demand, span.cutoff, context=spec.context, horizon=span.steps)
        doubted = doubts(health)
        bounds = zip(health.least_S.tolist(), health.most_S.tolist(), strict=True)
        lost = unable(health, starts_from_static=spec.starts_from_static, learned=spec.learned_by_networks)
        return cls(
            block, span, demand, speaker.levels, reasons=lost, _doubts=doubted,
            _wider=dict(zip(health.names, widening(health).tolist(), strict=True)) if doubted else {},
            _believed=dict(zip(health.names, bounds, strict=True)),
        )  # fmt: skip

    def ask(self, speaker: Speaker, rung: str, names: Sequence[str]) -> None:
        """Puts some series to a version in one pass; what it says well is taken, the others get a reason."""
        if not names:
            return
        try:
            told, broken = _replies(speaker.forecaster, self._about(names), self.span.cutoff, self.block.question.day)
        except Exception as error:
            if len(names) == 1:
                log.warning("%s %s says nothing of a series: %s", speaker.ref.name, speaker.ref.version, error)
                self.reasons.setdefault(names[0], ERROR)
                return
            # One that breaks it spoils no other.
            half = len(names) // 2
            self.ask(speaker, rung, names[:half])
            self.ask(speaker, rung, names[half:])
            return
        for name in broken:
            self.reasons.setdefault(name, NON_FINITE)
        doubtful = self._unbelievable(told)
        for name, (ds_H, mean_H, quantiles_HQ) in told.items():
            if name in doubtful:
                self.reasons.setdefault(name, IMPLAUSIBLE)
                continue
            reason = self.reasons.pop(name, None) or self._doubts.get(name)
            factor = self._wider.get(name, 1.0)
            if factor != 1.0:
                quantiles_HQ = widened(middle(mean_H, quantiles_HQ, self.levels), quantiles_HQ, factor)
            self.spoken[name] = Spoken(name, ds_H, mean_H, quantiles_HQ, self.levels, rung, reason, speaker.ref)

    def fall(self, profile: Profile | None, days: int = HISTORY_DAYS, *, last: bool = False) -> None:
        """The rungs below the models, for all that have no answer yet.

        Args:
            profile: the average week that a model learned.
            days: of history.
            last: also of series that said nothing in it; else they become `silent`.
        """
        if not self.reasons:
            return
        # All series at hand, since they tell the shape of those of which little is known.
        known = Known.of(self.demand, self.span.cutoff, days * self.demand.steps_per_day)
        if not last:
            quiet = [known.names[row] for row in np.flatnonzero(~np.isfinite(known.y_SL).any(1))]
            self.silent = {name: self.reasons.pop(name) for name in quiet if name in self.reasons}
        start, end = (self.block.inside(one).value for one in (self.block.start, self.block.end))
        begins_S = np.maximum(-((known.first_S - start) // known.step), 0)
        ends_S = -((known.first_S - end) // known.step)
        most = max(int(ends_S.max()), 1)
        try:
            said = below(known, most, self.levels, profile)
        except Exception:
            log.exception("the rungs below the models fail; a constant is said")
            said = last_resort(known, most, self.levels)
        factor, rows = self.demand.output_factor, {name: row for row, name in enumerate(known.names)}
        for name, reason in self.reasons.items():
            row = rows[name]
            part = slice(int(begins_S[row]), int(ends_S[row]))
            if part.start >= part.stop:
                self.failed[name] = f"no period of {self.block.step} starts on {self.block.question.day} after the gate"
                continue
            self.spoken[name] = Spoken(
                name, known.stamps(row, part.start, part.stop), said.mean_SH[row, part] * factor,
                said.quantiles_SHQ[row, part] * factor, self.levels, str(said.rungs[row]), reason, None,
            )  # fmt: skip

    def _about(self, names: Sequence[str]) -> Demand:
        return self.demand if len(names) == len(self.demand.series) else self.demand.select(names)

    def _unbelievable(self, told: Mapping[str, Answer]) -> set[str]:
        """The series whose median lies far from all that is known of them."""
        suspects = self._beyond(told, self._believed)
        if not suspects:
            return set()
        # A model may see a weekend only, and a Monday is told: what was known before decides.
        demand = self.demand.select(suspects)
        known = Known.of(demand, self.span.cutoff, HISTORY_DAYS * demand.steps_per_day)
        bounds = zip(*(side_S.tolist() for side_S in plausible(known.y_SL, known.day)), strict=True)
        longer = dict(zip(known.names, bounds, strict=True))
        return set(self._beyond({name: told[name] for name in suspects}, longer))

    def _beyond(self, told: Mapping[str, Answer], believed: Mapping[str, tuple[float, float]]) -> list[str]:
        beyond, factor = [], self.demand.output_factor
        for name, (_, mean_H, quantiles_HQ) in told.items():
            middle_H = middle(mean_H, quantiles_HQ, self.levels)
            least, most = believed.get(name, (-np.inf, np.inf))
            if middle_H.min() < least * factor or middle_H.max() > most * factor:
                beyond.append(name)
        return beyond


Answer = tuple[Ints, Doubles, Doubles]
"""Stamps, mean and quantiles of one series."""


def climbed(climb: Climb, speaker: Speaker | None, before: Speaker | None, rung: str = CHAMPION) -> None:
    """The answers about one table: a version, the one before it where it fails, then the rungs below the models.

    Nothing is said of series that are silent.

    Args:
        climb: as it stands.
        speaker: the version that is asked first, as `rung`.
        before: the version that is asked where that one fails.
        rung: of the first.
    """
    unasked = set(climb.reasons)
    if speaker is not None:
        climb.ask(speaker, rung, [one.unique_id for one in climb.demand.series if one.unique_id not in unasked])
        left = [name for name in climb.reasons if name not in unasked]
        if before is not None and left and _fits(before, speaker):
            climb.ask(before, PREVIOUS, left)
    climb.fall(profile_of(speaker, before))


def _replies(
    forecaster: Forecaster, demand: Demand, cutoff: pd.Timestamp, day: str
) -> tuple[dict[str, Answer], list[str]]:  # fmt: skip
    """What a forecaster says of the series of a table, and those of which it says no forecast."""
    (told,) = forecaster.replies([Wish(demand, cutoff, day=day)])
    if isinstance(told, ForecastError):
        raise told
    levels = len(forecaster.spec.recipe.quantiles)
    good = {
        one.unique_id: (one.ds_H, one.mean_H, one.quantiles_HQ)
        for one in told.told
        if sound(one.mean_H, one.quantiles_HQ, (len(one.ds_H), levels))
    }
    return good, [one.unique_id for one in told.told if one.unique_id not in good]


def _fits(one: Speaker, other: Speaker) -> bool:
    """Whether a version can be asked about a table that was made for another one."""
    mine, theirs = one.forecaster.spec, other.forecaster.spec
    return mine.step == theirs.step and mine.columns == theirs.columns and one.levels == other.levels


def profile_of(*speakers: Speaker | None) -> Profile | None:
    """The average week that one of the versions learned."""
    told = (one.forecaster.spec.profile for one in speakers if one is not None)
    return next((one for one in told if one is not None), None)


def shadowed(block: Block, span: Span, demand: Demand, challenger: Speaker, rung: str) -> list[Spoken]:
    """What the challenger says of the series that it can be asked about, as it says it."""
    climb = Climb.of(block, span, demand, challenger, None)
    climb.ask(challenger, rung, [one.unique_id for one in demand.series if one.unique_id not in climb.reasons])
    return [replace(one, reason=None) for one in climb.spoken.values()]
