"""What others reached under each protocol and what is to be reached, from `peers.json`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

MEASURED = "measured on 2 cores, same data and cutoffs, November 2026"
Number = float | tuple[float, float]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Peer(_Frozen):
    """What another system reached under a protocol.

    Attributes:
        name: the system.
        figures: its figures by name, in the protocol's unit; two numbers are a range over its runs.
        source: where the figures come from.
    """

    name: str
    figures: dict[str, Number] = Field(min_length=1)
    source: str = MEASURED

    @property
    def mae(self) -> float:
        """Its mean absolute error; NaN where it has none."""
        return self.low("mae")

    def low(self, figure: str) -> float:
        """A figure, the lower end of a range; NaN where it has none."""
        value = self.figures.get(figure, float("nan"))
        return value[0] if isinstance(value, tuple) else value


class Goal(_Frozen):
    """A bound on one figure.

    Attributes:
        figure: which.
        at_most, at_least: the bound, included.
        below: the peers, run beside in the same command, that must all be undercut.
    """

    figure: str
    at_most: float | None = None
    at_least: float | None = None
    below: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_bound(self) -> Goal:
        if sum((self.at_most is not None, self.at_least is not None, bool(self.below))) != 1:
            raise ValueError(f"the goal on {self.figure} needs one of at_most, at_least and below")
        return self


class Standing(_Frozen):
    """Peers and goals of one protocol."""

    peers: tuple[Peer, ...]
    goals: tuple[Goal, ...]


class _File(_Frozen):
    format: Literal[1]
    protocols: dict[str, Standing]


@cache
def _file() -> _File:
    return _File.model_validate_json(files("forecast.protocols").joinpath("peers.json").read_text(encoding="utf-8"))


def standing(protocol: str) -> Standing:
    """Peers and goals of a protocol."""
    return _file().protocols[protocol]
