"""What can go wrong, as one tree.

ForecastError
├── DeclarationError      the options that describe the data contradict it or each other
├── DataError             the data itself is wrong (stamps, numbers, units)
│   ├── NotEnoughHistory  too few steps for what was asked
│   └── PartlyRead        some files are broken, the others were read
├── SourceError           an origin of data does not answer, or refuses (key, quota)
├── StoreError            the store cannot be opened, read or written
│   ├── StoreDown         it does not answer now; the same may work later
│   └── KeyReused         an idempotency key that stands for another content
├── RecipeError           a recipe that cannot be built
├── RequestError          a forecast request that cannot be answered
│   └── NoSeries          it is about series that the store does not hold
├── ModelFolderError      a saved forecaster that cannot be read
├── RegistryError         no such model, version or alias
├── SupervisingError      processes that cannot be kept running here
└── TrainingError         learning failed
    └── NonFiniteLoss     loss or weights stopped being numbers
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any


class ForecastError(Exception):
    """A mistake that a user can mend; its text is one composed sentence.

    Args:
        found: what was met ("column 'demand' holds 3 texts that are not numbers").
        expected: what would have been right.
        do: what to do next.
        series: the series concerned, where one is.
        column: the column concerned, where one is.
        stamps: the stamps or rows concerned; the first five are shown.
    """

    def __init__(
        self,
        found: str,
        expected: str = "",
        do: str = "",
        *,
        series: str | None = None,
        column: str | None = None,
        stamps: Iterable[object] = (),
    ) -> None:
        self.found, self.expected, self.do = found, expected, do
        self.series, self.column = series, column
        self.stamps = tuple(str(stamp) for stamp in stamps)
        super().__init__(self._sentence())

    def __reduce__(self) -> tuple[Any, ...]:
        """The same mistake in another process: parts are sent, the sentence is composed there."""
        made = partial(type(self), series=self.series, column=self.column, stamps=self.stamps)
        return made, (self.found, self.expected, self.do)

    def _sentence(self) -> str:
        where = [f"series '{self.series}'"] if self.series is not None else []
        where += [f"column '{self.column}'"] if self.column is not None else []
        parts = [f"{', '.join(where)}: {self.found}" if where else self.found]
        if self.stamps:
            more = f" and {len(self.stamps) - 5} more" if len(self.stamps) > 5 else ""
            parts[0] += f" ({', '.join(self.stamps[:5])}{more})"
        parts += [f"expected {self.expected}"] if self.expected else []
        sentence = "; ".join(parts) + "."
        return f"{sentence} {self.do[0].upper()}{self.do[1:]}." if self.do else sentence


class DeclarationError(ForecastError):
    """The options that describe the data contradict it or each other."""


class DataError(ForecastError):
    """The data itself is wrong."""


class NotEnoughHistory(DataError):
    """Too few steps for what was asked."""


class PartlyRead(DataError):
    """Some files of a source are broken and all of them named; what the others hold was given before."""


class SourceError(ForecastError):
    """An origin of data does not answer, or refuses (key, quota)."""


class StoreError(ForecastError):
    """The store cannot be opened, read or written."""


class StoreDown(StoreError):
    """The store does not answer now: the same may work later."""


class KeyReused(StoreError):
    """An idempotency key came again with another content."""


class RecipeError(ForecastError):
    """A recipe that cannot be built."""


class RequestError(ForecastError):
    """A forecast request that cannot be answered."""


class NoSeries(RequestError):
    """A request is about series that the store does not hold."""


class ModelFolderError(ForecastError):
    """A saved forecaster that cannot be read."""


class RegistryError(ForecastError):
    """No such model, version or alias."""


class SupervisingError(ForecastError):
    """Processes cannot be kept running here: a port is taken, another keeper is there, one does not start."""


class TrainingError(ForecastError):
    """Learning failed."""


class NonFiniteLoss(TrainingError):
    """Loss or weights stopped being numbers; a checkpoint, where one is written, holds the last good epoch."""
