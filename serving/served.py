"""`Served`: a version in use, and who is working with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Self

import pandas as pd

from forecast import clock
from forecast.forecaster import Forecaster
from forecast.registry.reader import ModelRef

_numbers = count()


@dataclass(eq=False)
class Served:
    """A forecaster in use, and where it came from.

    Attributes:
        ref: which version it is, and its folder.
        forecaster: answers.
        since: when it was loaded.
        users: requests that it is answering.
        errors: answers that failed for reasons of its own.
        number: no other version in this process has it; what keeps it does not keep the version.
    """

    ref: ModelRef
    forecaster: Forecaster
    since: pd.Timestamp = field(default_factory=clock.now)
    users: int = 0
    errors: int = 0
    number: int = field(default_factory=_numbers.__next__)

    @classmethod
    def given(cls, forecaster: Forecaster) -> Self:
        """A forecaster that was handed over and not looked up."""
        return cls(ModelRef(forecaster.spec.name, None, None, None, Path(), ""), forecaster)

    @contextmanager
    def used(self) -> Iterator[Self]:
        """Counts one request as long as the block lasts; called in the event loop, so that no count is lost."""
        self.users += 1
        try:
            yield self
        finally:
            self.users -= 1

    def __str__(self) -> str:
        return f"{self.ref.name} version {self.ref.version}" if self.ref.version else self.ref.name
