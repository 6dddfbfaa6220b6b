"""What a store does with a source, without a store: takes batches, keeps the mark as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pandas as pd

from forecast.errors import ForecastError
from forecast.sources import Batch, Mark, Source


@dataclass
class Reader:
    """Reads a source again and again.

    Attributes:
        mark: where the last run ended.
        batches: those of the last run.
        error: with which the last run ended.
    """

    mark: Mark | None = None
    batches: list[Batch] = field(default_factory=list)
    error: ForecastError | None = None

    def read(self, source: Source, stop_after: int | None = None) -> Reader:
        """One run; with `stop_after` the process dies after so many batches."""
        self.batches, self.error = [], None
        batches = source.batches(self.mark)
        try:
            for batch in batches:
                self.batches.append(batch)
                self.mark = json.loads(json.dumps(batch.mark))
                if len(self.batches) == stop_after:
                    break
        except ForecastError as error:
            self.error = error
        return self

    @property
    def frame(self) -> pd.DataFrame:
        """The rows of the last run."""
        frames = [batch.frame for batch in self.batches if len(batch.frame)]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({"unique_id": [], "ds": [], "y": []})

    @property
    def values(self) -> list[float]:
        """The demands of the last run, in the order in which they came."""
        return [float(value) for value in self.frame["y"]]

    @property
    def notes(self) -> str:
        """All that was noted in the last run."""
        return " | ".join(note for batch in self.batches for note in batch.notes)
