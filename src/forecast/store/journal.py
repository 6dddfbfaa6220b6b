"""`Journal`: what the flows write down beside observations and forecasts: runs, scores, alarms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine

from forecast.store import alarms, runs, scores
from forecast.store.alarms import Alarm
from forecast.store.engine import reading, writing
from forecast.store.runs import Done
from forecast.store.scores import DayScore


class Journal:
    """The part of a store that flows write.

    Attributes:
        engine: of the database.
    """

    engine: Engine

    def done(self, flow: str, key: str) -> Done | None:
        """The mark of a flow's run for a key, None where it has none."""
        with reading(self.engine) as connection:
            return runs.done(connection, flow, key)

    def mark_done(self, flow: str, key: str, detail: Mapping[str, Any] | None = None) -> Done:
        """Marks that a flow is done for a key; returns the mark that stands: the first one stays.

        Raises:
            StoreError: flow or key is empty, or the detail cannot be written as JSON.
        """
        with writing(self.engine) as connection:
            return runs.mark_done(connection, flow, key, detail or {})

    def done_keys(self, flow: str, first: str | None = None, last: str | None = None) -> list[str]:
        """The keys that a flow is done for, ascending, from `first` to `last` (both included)."""
        with reading(self.engine) as connection:
            return runs.done_keys(connection, flow, first, last)

    def last_done(self, flow: str) -> Done | None:
        """The newest mark of a flow, None where it has none."""
        with reading(self.engine) as connection:
            return runs.last_done(connection, flow)

    def keep_scores(self, told: Sequence[DayScore]) -> int:
        """Writes how forecasts turned out, in place of what stood there; returns how many were new or changed.

        Raises:
            StoreError: a series is not registered.
        """
        with writing(self.engine) as connection:
            return scores.keep_scores(connection, told)

    def scores(
        self, series: Iterable[str] | None = None, first: str | None = None, last: str | None = None
    ) -> list[DayScore]:
        """How the forecasts of some series (all where None) turned out, from day to day, by name and day."""
        with reading(self.engine) as connection:
            return scores.scores(connection, series, first, last)

    def raise_alarms(self, told: Sequence[Alarm]) -> list[Alarm]:
        """Writes alarms; returns those that were new: of a series, kind and first day there is one.

        Raises:
            StoreError: a series is not registered, or a day is none.
        """
        with writing(self.engine) as connection:
            return alarms.raise_alarms(connection, told)

    def alarms(
        self, *, unanswered: bool = False, series: str | None = None, kind: str | None = None,
        first: str | None = None, last: str | None = None,
    ) -> list[Alarm]:  # fmt: skip
        """Alarms by first day: those that nothing answered, of a series, of a kind, from day to day."""
        with reading(self.engine) as connection:
            return alarms.alarms(
                connection, unanswered=unanswered, series=series, kind=kind, first=first, last=last
            )  # fmt: skip

    def answer_alarms(self, ids: Iterable[str], by: str) -> int:
        """Notes what answers some alarms, such as a retraining; the first answer stays. Returns how many."""
        with writing(self.engine) as connection:
            return alarms.answer_alarms(connection, ids, by)
