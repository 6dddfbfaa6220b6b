"""`DropMark`: which files of a drop folder were read, and in which columns they spoke."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from forecast.sources.arrivals import Arrival
from forecast.sources.contract import Mark
from forecast.sources.raw import Roles


@dataclass(eq=False)
class DropMark:
    """The memory of a drop folder; grows by the files that are read.

    Attributes:
        declared: fingerprint of how the files are read.
        files: name -> fingerprint of its content, size, time of modification in nanoseconds.
        gone: fingerprints of contents that were read and lie under no name any more.
        roles: columns of the files that were read; None before the first.
    """

    declared: str
    files: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    roles: Roles | None = None

    @classmethod
    def of(cls, mark: Mark | None, declared: str) -> Self:
        """What a mark remembers; nothing where files are to be read in another way than then."""
        if mark is None or mark["declared"] != declared:
            return cls(declared)
        roles = mark["roles"]
        return cls(
            declared, {name: (digest, size, at) for name, (digest, size, at) in mark["files"].items()},
            list(mark["gone"]), None if roles is None else _roles(roles),
        )  # fmt: skip

    def written(self) -> Mark:
        """The mark to store: a copy, for it is made before and after every file."""
        roles = None if self.roles is None else self.roles._asdict()
        return {"declared": self.declared, "files": dict(self.files), "gone": list(self.gone), "roles": roles}

    def has(self, arrival: Arrival) -> bool:
        """Whether exactly this file was read: name, size and time of modification."""
        return self.files.get(arrival.name, ("", -1, -1))[1:] == arrival[1:]

    def twin(self, arrival: Arrival, digest: str) -> str | None:
        """The file that brought this content already; None for a new content.

        A name that returns to a content of its own is no twin: its values changed back.
        """
        if arrival.name in self.files:
            return arrival.name if self.files[arrival.name][0] == digest else None
        names = (name for name, (known, _, _) in self.files.items() if known == digest)
        return next(names, "a file that is gone" if digest in self.gone else None)

    def remember(self, arrival: Arrival, digest: str, roles: Roles | None = None) -> None:
        """Notes a file that was read, or whose content is known."""
        before = self.files.get(arrival.name)
        self.files[arrival.name] = (digest, arrival.size, arrival.modified)
        self._let_go([before] if before is not None and before[0] != digest else [])
        self.roles = roles or self.roles

    def forget_all_but(self, present: Iterable[str]) -> None:
        """Forgets the names that left the folder, not what they held: it may be delivered again."""
        kept = set(present)
        self._let_go([self.files.pop(name) for name in [*self.files] if name not in kept])

    def _let_go(self, files: list[tuple[str, int, int]]) -> None:
        if not files:
            return
        known = {*self.gone, *(digest for digest, _, _ in self.files.values())}
        self.gone += sorted({digest for digest, _, _ in files} - known)


def _roles(told: Mapping[str, Any]) -> Roles:
    """Roles as JSON keeps them: lists instead of tuples."""
    return Roles(told["time"], tuple(told["targets"]), told["series"], told["available_at"], tuple(told["covariates"]))
