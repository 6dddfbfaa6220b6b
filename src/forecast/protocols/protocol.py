"""`Protocol`: one way to judge forecasts, down to the number of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from forecast.backtest import Plan
from forecast.protocols.peers import Goal, Peer, standing
from forecast.recipe import Task
from forecast.tables import Demand

Figures = Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Protocol:
    """One way to judge; peers and goals come from `peers.json` under the same name.

    Attributes:
        name: the command's word.
        about: what is forecast, from when, knowing what.
        read: from the data file to the table.
        days: first and last day with a cutoff.
        clock: the clock whose midnights are the cutoffs; a forecaster is trained for these moments.
        horizon: steps of each forecast.
        scored: the number of rows that must be scored: the check that the protocol is right.
        checks: what the period a day (24 hours) and a week (168 hours) before reach, by figure: the second check.
        truth: from the data file to unique_id, ds, y and other columns that scoring reads; where None the table's own
            y is the truth.
        figures: from scores by series and the scored rows of the truth to figures by model beyond `metrics.score`'s.
        headline: the figures that are compared with the peers', the leading one first.
        assumptions: what is taken for granted, printed with the result.
        every: the moments that a forecaster is trained for, on `clock`.
    """

    name: str
    about: str
    read: Callable[[Path], Demand]
    days: tuple[str, str]
    clock: str
    horizon: int
    scored: int
    checks: Mapping[str, Mapping[str, float]]
    truth: Callable[[Path], pd.DataFrame] | None = None
    figures: Figures | None = None
    headline: tuple[str, ...] = ("mae",)
    assumptions: tuple[str, ...] = ()
    every: str = field(default="1d")

    def plan(self, demand: Demand) -> Plan:
        """The cutoffs and how far each forecast reaches."""
        return Plan.of(*self.days, self.every, self.clock, demand.step, horizon=self.horizon)

    def task(self, demand: Demand) -> Task:
        """What a forecaster is trained for: the plan's own moments."""
        return Task(horizon=self.horizon, every=self.every, clock=self.clock)

    @property
    def peers(self) -> tuple[Peer, ...]:
        """What others reached, the best first."""
        return tuple(sorted(standing(self.name).peers, key=lambda peer: peer.low(self.headline[0])))

    @property
    def goals(self) -> tuple[Goal, ...]:
        """What is to be reached."""
        return standing(self.name).goals
