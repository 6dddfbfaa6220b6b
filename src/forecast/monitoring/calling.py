"""Whether the open alarms ask for a retraining: once, and not again before the cooldown is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from forecast import clock
from forecast.monitoring.limits import LIMITS, Limits
from forecast.monitoring.watching import Watched, series_needed
from forecast.settings import Settings
from forecast.store import Alarm, Store

BREACH = "breach"
"""The flow's name under which a call is marked as done."""


@dataclass(frozen=True)
class Call:
    """A retraining that is asked for.

    Attributes:
        key: what the retraining is keyed by: the id of the first alarm.
        alarms: that it answers.
        text: why, as a sentence.
    """

    key: str
    alarms: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Quiet:
    """No retraining is asked for; why, as a sentence."""

    text: str


def note_call(store: Store, asked: Call, day: date) -> None:
    """Notes that a retraining was asked for: its alarms are answered, and the cooldown begins."""
    store.mark_done(BREACH, asked.key, {"alarms": len(asked.alarms), "day": day.isoformat(), "why": asked.text})
    store.answer_alarms(asked.alarms, f"retrain {asked.key}")


def considered(store: Store, watched: Watched, settings: Settings, limits: Limits = LIMITS) -> Call | Quiet:
    """The retraining that the open alarms ask for, where enough series broke and none was asked for lately.

    Who starts it notes that afterwards (`note_call`): asked again before, the answer is the same.

    Args:
        store: where alarms and calls stand.
        watched: what was found.
        settings: `retrain_cooldown_days`.
        limits: how many series must have broken.
    """
    alarms = watched.learnable
    asked = [str(one.answered_by) for one in watched.alarms if one.answered_by is not None]
    if asked and not alarms:
        return Quiet(f"a retraining was asked for: {asked[0]}")
    if not alarms:
        return Quiet("no retraining is due: there is no alarm that a model could learn from")
    broken = {one.unique_id for one in alarms}
    needed = series_needed(max(len(watched.table), 1), limits)
    if len(broken) < needed:
        return Quiet(f"no retraining is due: {len(broken)} series broke, and {needed} of {len(watched.table):,} must")
    before = store.last_done(BREACH)
    cooldown = timedelta(days=settings.retrain_cooldown_days)
    if before is not None and clock.now() < before.at + cooldown:
        until = (before.at + cooldown).strftime("%Y-%m-%d %H:%MZ")
        return Quiet(f"no retraining is due before {until}: one was asked for on {before.at:%Y-%m-%d %H:%MZ}")
    first = alarms[0]
    return Call(first.id, tuple(one.id for one in alarms), f"a retraining is due: {_reasons(alarms)}")


def _reasons(alarms: Sequence[Alarm]) -> str:
    kinds = {kind: len({one.unique_id for one in alarms if one.kind == kind}) for kind in (one.kind for one in alarms)}
    return ", ".join(f"{kind} of {count} series" for kind, count in kinds.items())
