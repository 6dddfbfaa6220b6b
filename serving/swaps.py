"""What happens to served versions: `Roles` that they hold, a `Swap` of one for another, and `Refused` ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from forecast.registry.reader import Pointer
from serving.served import Served
from serving.stamps import written


@dataclass(frozen=True, eq=False)
class Roles:
    """Who is served now, who was before, who is tried beside it; replaced as one.

    Attributes:
        champion, previous, challenger: None where nobody holds the role.
    """

    champion: Served | None = None
    previous: Served | None = None
    challenger: Served | None = None

    def __iter__(self) -> Iterator[tuple[str, Served | None]]:
        yield "champion", self.champion
        yield "previous", self.previous
        yield "challenger", self.challenger

    def holder(self, digest: str) -> Served | None:
        """Who was made from a folder with this digest."""
        return next((one for _, one in self if one is not None and digest and one.ref.digest == digest), None)


@dataclass(frozen=True)
class Swap:
    """One change of what is served.

    Attributes:
        outcome: `swapped`, or `returned` to the previous version.
        before: the version until then; None where nothing was served.
        after: the version since.
        why: in words.
        at: when.
    """

    outcome: str
    before: str | None
    after: str
    why: str
    at: pd.Timestamp

    def told(self) -> dict[str, Any]:
        """As `GET /v1/status` says it."""
        return {
            "outcome": self.outcome, "at": written(self.at), "from": self.before, "to": self.after, "why": self.why,
        }  # fmt: skip


@dataclass(frozen=True)
class Refused:
    """A version that is not served although an alias points to it.

    Attributes:
        pointer: which one.
        why: in words.
        at: since when.
        again_at: when it is tried again; None for not by itself.
    """

    pointer: Pointer
    why: str
    at: pd.Timestamp
    again_at: pd.Timestamp | None = None

    def stands(self, pointer: Pointer, now: pd.Timestamp) -> bool:
        """Whether a version that an alias points to is not to be tried now."""
        return pointer == self.pointer and (self.again_at is None or now < self.again_at)

    def told(self, alias: str) -> dict[str, Any]:
        """As `GET /v1/status` says it."""
        again = written(self.again_at) if self.again_at is not None else None
        return {
            "alias": alias, "version": self.pointer.version, "digest": self.pointer.digest, "why": self.why,
            "since": written(self.at), "again_at": again,
        }  # fmt: skip
