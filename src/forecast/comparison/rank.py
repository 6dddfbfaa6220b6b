"""Which of several candidates is best, and whether it beats the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from forecast.comparison.guards import STANDARD, Guards
from forecast.comparison.pairs import Loss, pair
from forecast.comparison.verdict import TrainedUntil, Verdict, compare
from forecast.errors import DataError
from forecast.metrics import Zones


class Ranking(BaseModel):
    """Candidates by mean loss on the rows that all of them answered.

    Attributes:
        best: the candidate with the lowest mean loss; None when every candidate is excluded.
        losses: mean loss per model, the reference included, lowest first.
        excluded: candidates that learned from scored moments; their verdicts say so.
        verdicts: each candidate against the reference.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: str
    best: str | None
    losses: dict[str, float]
    excluded: tuple[str, ...] = ()
    verdicts: dict[str, Verdict] = Field(default_factory=dict)

    @property
    def verdict(self) -> Verdict | None:
        """The best candidate's verdict against the reference."""
        return self.verdicts[self.best] if self.best is not None else None


def rank(
    table: pd.DataFrame,
    reference: str,
    *,
    candidates: Sequence[str] | None = None,
    scales: Mapping[str, float] | None = None,
    zones: Zones | None = None,
    trained_until: TrainedUntil | None = None,
    guards: Guards = STANDARD,
    loss: Loss = "absolute_error",
    seed: int = 0,
) -> Ranking:
    """Orders candidates by mean loss and judges each against a reference such as the seasonal naive.

    The best of k is lucky more often than one model fixed beforehand, so each p-value must lie below
    significance / k (Bonferroni). The winner's figures come from data that chose it: they are no test figures.

    Args:
        table: a walk's table in which all of them stand.
        reference: the model to beat.
        candidates: the models to rank; all others of the table without it.
        scales, zones, trained_until, guards, loss, seed: see `compare`.

    Raises:
        DataError: see `compare`; or there is no candidate.
    """
    if candidates is None:
        candidates = [name for name in table["model"].astype(str).unique() if name != reference]
    if not candidates or reference in candidates:
        raise DataError(f"there is no candidate beside '{reference}'", "candidates other than the reference")
    strict = guards.model_copy(update={"significance": guards.significance / len(candidates)})
    verdicts = {
        name: compare(
            table, name, reference, scales=scales, zones=zones, trained_until=trained_until, guards=strict, loss=loss,
            seed=seed,
        )
        for name in candidates
    }  # fmt: skip
    fair = [name for name in candidates if not verdicts[name].memorised]
    losses = pair(table, [*fair, reference], loss, scales).losses.mean().sort_values(kind="stable")
    best = next((str(name) for name, value in losses.items() if name in fair and pd.notna(value)), None)
    return Ranking(
        reference=reference, best=best, losses={str(name): float(value) for name, value in losses.items()},
        excluded=tuple(name for name in candidates if name not in fair), verdicts=verdicts,
    )  # fmt: skip
