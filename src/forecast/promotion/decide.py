"""`decide`: what two versions' losses on fresh days are worth, with the number of looks counted in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from forecast.comparison import STANDARD, Guards, Sheet, Verdict, weigh
from forecast.registry.decisions import Decision, Outcome, figures_of, now
from forecast.settings import Settings

if TYPE_CHECKING:
    from forecast.promotion.contenders import Contenders

GROWTH = 1.5
"""A next look is taken when there are so many times the days of the last one: each look costs certainty."""


@dataclass(frozen=True)
class Trial:
    """One look at a challenger.

    Attributes:
        challenger, champion: names of the models in the sheet.
        version, against: their numbers.
        recipe: of the challenger.
        trained_until: the end of both trainings, by name (aware).
        look: the first, the second, ...
        least_days: fewer decide nothing.
        trial_days: with so many the trial is over, and who has not won is refused.
        evidence: where the rows come from: "data" or "ledger".
        by: who asked.
        data_sha256: of the table.
    """

    challenger: str
    champion: str
    version: str
    against: str
    recipe: str
    trained_until: Mapping[str, pd.Timestamp]
    look: int = 1
    least_days: int = 28
    trial_days: int = 182
    evidence: str = "data"
    by: str = "promotion"
    data_sha256: str = ""

    @classmethod
    def of(cls, both: Contenders, settings: Settings, *, evidence: str, by: str, data_sha256: str = "") -> Trial:
        """The next look at a challenger."""
        one, reigning = both.both
        ends = {each.name: each.trained_until for each in both.both}
        return cls(
            one.name, reigning.name, one.version, reigning.version, one.recipe, ends,
            1 + max((past.look for past in both.looks), default=0), settings.promotion_least_days,
            settings.promotion_trial_days, evidence, by, data_sha256,
        )  # fmt: skip

    @property
    def guards(self) -> Guards:
        """The limits of this look.

        Of the p-value, which counts both sides, only one promotes. Look k asks for a p-value below
        2 significance / (k (k + 1)): so all looks together promote an equal model with the probability `significance`
        at the most.
        """
        spent = 2 * STANDARD.significance / (self.look * (self.look + 1))
        return STANDARD.model_copy(update={"significance": spent, "least_origins": max(5, self.least_days)})


def next_look(looks: Sequence[Decision], least_days: int) -> int:
    """Days with which the next look is taken.

    >>> next_look([], 28)
    28
    """
    last = max((one.figures.get("days", 0.0) for one in looks), default=0.0)
    return max(least_days, int(-(-GROWTH * last // 1)))


def decide(
    sheet: Sheet, trial: Trial, *, figures: Mapping[str, Mapping[str, float]] | None = None, seed: int = 0
) -> Decision:
    """The decision on a challenger.

    Promoted is who saw none of the days in training, loses less by more than chance explains at this look, and breaks
    no guard (`comparison.weigh`). Refused is who learned from a scored day, who loses more by more than chance
    explains, and who has not won when the trial is over. Else more days are waited for.

    Args:
        sheet: both models on the same days.
        trial: the look.
        figures: of `metrics.score` by model, to be kept with the decision.
        seed: of the bootstrap.

    Raises:
        DataError: the ends of the trainings have no zone.
    """
    verdict = weigh(
        sheet, trial.challenger, trial.champion, trained_until=trial.trained_until, guards=trial.guards, seed=seed
    )
    outcome, said = _outcome(verdict, trial, len(sheet))
    told = verdict.model_copy(update={"figures": {name: dict(row) for name, row in (figures or {}).items()}})
    first, last = (f"{stamp:%Y-%m-%d}" for stamp in sheet.days) if len(sheet) else (None, None)
    return Decision(
        kind="promotion", outcome=outcome, at=now(), by=trial.by, version=trial.version, recipe=trial.recipe,
        against=trial.against, reasons=(*verdict.reasons, *said),
        figures=figures_of(told) | {"days": float(len(sheet)), "significance": trial.guards.significance},
        first_day=first, last_day=last, evidence=trial.evidence,
        look=trial.look if verdict.judged else 0, data_sha256=trial.data_sha256,
    )  # fmt: skip


def _outcome(verdict: Verdict, trial: Trial, days: int) -> tuple[Outcome, tuple[str, ...]]:
    if verdict.promote:
        return "promoted", ()
    if verdict.memorised:
        return "refused", ()
    if not verdict.judged:
        return "undecided", ()
    if verdict.gain_percent < 0 and verdict.p_value < trial.guards.significance and verdict.ci_high < 0:
        return "refused", ("The trial is over: it loses more than the champion, beyond chance.",)
    if days >= trial.trial_days:
        return "refused", (f"The trial is over: {days} days did not show that it is better.",)
    wanted = next_look([Decision(kind="promotion", outcome="undecided", at="", version="0", figures={"days": days})], 0)
    return "undecided", (f"It stays the challenger; the next look is taken with {wanted} days.",)
