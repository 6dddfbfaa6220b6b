"""Who is told how training goes."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told once per epoch; a progress bar, an MLflow run, or nobody."""

    def epoch(self, stage: str, epoch: int, epochs: int, metrics: dict[str, float]) -> None:
        """`epoch` of `epochs` of a stage ("learn", "refit") is over, with these metrics."""
        ...


class Silent:
    """Nobody is told."""

    def epoch(self, stage: str, epoch: int, epochs: int, metrics: dict[str, float]) -> None:
        """Says nothing."""
