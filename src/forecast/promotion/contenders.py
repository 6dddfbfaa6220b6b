"""Who stands against whom: the version that is tried and the one that reigns, as the registry tells it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from forecast.errors import RegistryError
from forecast.forecaster import Forecaster
from forecast.registry import reader
from forecast.registry.decisions import CHALLENGER, CHAMPION, Decision, decisions_of
from forecast.registry.versions import ModelVersion
from forecast.settings import Settings


@dataclass(frozen=True, eq=False)
class Contender:
    """A registered version.

    Attributes:
        found: what the registry says of it.
        forecaster: the version itself.
    """

    found: ModelVersion
    forecaster: Forecaster

    @property
    def version(self) -> str:
        """Its number."""
        return self.found.version

    @property
    def recipe(self) -> str:
        """Its recipe's name."""
        return self.forecaster.spec.name

    @property
    def name(self) -> str:
        """As tables and sentences call it."""
        return f"{self.recipe} (version {self.version})"

    @property
    def trained_until(self) -> pd.Timestamp:
        """The end of what it learned from (UTC)."""
        return pd.Timestamp(self.forecaster.spec.trained_until)


@dataclass(frozen=True, eq=False)
class Contenders:
    """Two versions, and what was decided before.

    Attributes:
        challenger, champion: the two.
        decisions: all that the registry holds, newest first.
    """

    challenger: Contender
    champion: Contender
    decisions: tuple[Decision, ...] = field(default=())

    @property
    def both(self) -> tuple[Contender, Contender]:
        """Challenger and champion."""
        return self.challenger, self.champion

    @property
    def trained_until(self) -> pd.Timestamp:
        """The later end of both trainings (UTC)."""
        return max(one.trained_until for one in self.both)

    @property
    def looks(self) -> list[Decision]:
        """The decisions on this challenger that looked at fresh days against this champion, newest first."""
        return [
            one for one in self.decisions
            if one.kind == "promotion" and one.look and one.version == self.challenger.version
            and one.against == self.champion.version
        ]  # fmt: skip


def contenders(settings: Settings, version: str | None = None) -> Contenders | None:
    """The version with the alias `challenger`, or a given one, and the champion; None where nobody is being tried.

    Args:
        settings: which registry and registered model.
        version: a registered version; that of the alias where None.

    Raises:
        RegistryError: nothing reigns, there is no such version, it reigns itself, or the registry does not answer.
        ModelFolderError: a version cannot be read.
    """
    every = {one.version: one for one in reader.versions(settings)}
    aliases = {alias: one for one in every.values() for alias in one.aliases}
    if CHAMPION not in aliases:
        raise RegistryError(
            f"model '{settings.model_name}' has no champion", "a version that reigns",
            "run `python -m flows.retrain DATA`, which promotes a winner",
        )  # fmt: skip
    if version is None and CHALLENGER not in aliases:
        return None
    challenger = every.get(version) if version is not None else aliases[CHALLENGER]
    if challenger is None:
        raise RegistryError(
            f"model '{settings.model_name}' has no version {version}", f"one of {', '.join(sorted(every, key=int))}"
        )
    champion = aliases[CHAMPION]
    if challenger.version == champion.version:
        if version is None:
            return None
        raise RegistryError(f"version {version} is the champion", "another version, to be judged against it")
    return Contenders(
        _contender(challenger, settings), _contender(champion, settings), tuple(decisions_of([*every.values()]))
    )


def _contender(found: ModelVersion, settings: Settings) -> Contender:
    ref = reader.resolve(f"models:/{found.name}/{found.version}", settings)
    return Contender(found, Forecaster.load(ref.folder))
