"""`Issuance`: what became of an issue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

SHOWN = 20


@dataclass(frozen=True)
class Issuance:
    """What was written for a delivery day, and what was there.

    Attributes:
        written: series whose forecast is new in the ledger.
        known: series whose forecast was there already.
        shadow: series of which the challenger's forecast is new.
        rungs: series that were written, by who spoke and why not a higher one.
        failed: series that nothing can be said of, and why.
        left: series of zones whose gate is not near yet, or that have no such day; by zone, why.
        last: when the last of them was written (UTC).
        late_s: seconds from a gate to the writing of its last forecast; negative: so much before it.
        notes: what else to know, one sentence each.
    """

    written: int = 0
    known: int = 0
    shadow: int = 0
    rungs: Mapping[tuple[str, str | None], int] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    left: Mapping[str, str] = field(default_factory=dict)
    last: pd.Timestamp | None = None
    late_s: float | None = None
    notes: tuple[str, ...] = ()

    def __add__(self, other: Issuance) -> Issuance:
        """Both together."""
        lasts = [one.last for one in (self, other) if one.last is not None]
        lates = [one.late_s for one in (self, other) if one.late_s is not None]
        return Issuance(
            self.written + other.written, self.known + other.known, self.shadow + other.shadow,
            Counter(self.rungs) + Counter(other.rungs), {**self.failed, **other.failed}, {**self.left, **other.left},
            max(lasts, default=None), max(lates, default=None), tuple(dict.fromkeys((*self.notes, *other.notes))),
        )  # fmt: skip

    @property
    def whole(self) -> bool:
        """Whether every series that can have a forecast of this day has one, and there are such series."""
        return not self.failed and not self.left and self.written + self.known > 0

    @property
    def below(self) -> int:
        """Series that were answered by no model."""
        return sum(count for (rung, _), count in self.rungs.items() if rung not in ("champion", "previous"))

    def plain(self) -> dict[str, Any]:
        """As the mark of the run keeps it."""
        rungs = {rung if reason is None else f"{rung}: {reason}": count for (rung, reason), count in self.rungs.items()}
        return {
            "written": self.written, "known": self.known, "shadow": self.shadow, "rungs": rungs,
            "failed": dict(list(self.failed.items())[:SHOWN]), "late_s": self.late_s, "notes": list(self.notes[:SHOWN]),
        }  # fmt: skip
