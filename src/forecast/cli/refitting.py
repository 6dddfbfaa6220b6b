"""`Refitting`: when a walk learns again and from what, and who shares the cores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from forecast.cli.options import parse_refit
from forecast.errors import DeclarationError

if TYPE_CHECKING:
    from forecast.backtest import RefreshFunction
    from forecast.recipe import Recipe


@dataclass(frozen=True)
class Refitting:
    """How a walk learns again; as text what titles say: "monthly, warm".

    Attributes:
        when: "never", "monthly", or a number of cutoffs.
        warm: folds after the first go on from the fold before, instead of learning anew.
    """

    when: str | int
    warm: bool = False

    @classmethod
    def of(cls, refit: str, warm: bool) -> Self:
        """The options `--refit` and `--warm`.

        Raises:
            DeclarationError: the refit cannot be read, or there is none that could be warm.
        """
        when = parse_refit(refit)
        if warm and when == "never":
            raise DeclarationError(
                "--warm with --refit never", "a refit that can be warm: monthly, or a number of cutoffs",
                "add --refit monthly, or leave out --warm",
            )  # fmt: skip
        return cls(when, warm)

    @property
    def refresh(self) -> RefreshFunction | None:
        """What `backtest.walk` takes; None where every fold learns anew."""
        from forecast.training import refresh_fitted

        return refresh_fitted if self.warm else None

    def sharing(self, recipes: Sequence[Recipe], workers: int) -> tuple[int, int]:
        """Of these workers, how many run folds side by side, and how many run the members of one ensemble.

        Where nothing of a recipe can run beside its other folds, the members of an ensemble are what can.
        """
        chained = self.warm or self.when == "never"
        return (1, workers) if chained and any(len(one.members) > 1 for one in recipes) else (workers, 1)

    def __str__(self) -> str:
        return f"{self.when}, warm" if self.warm else str(self.when)
