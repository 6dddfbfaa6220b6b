"""What calendar, weather and inertia each add to a forecast, in the demand's unit: exact Shapley values of groups.

Three groups of inputs play a game whose value v(S) is the median that a model forecasts when the groups of S say what
they say today and the others say what they said on a reference day; every reference day is a real one of the same
series, taken whole, and v(S) is the mean over them. A group's share is its marginal value averaged over all orders in
which the groups can join. The shares add up to v(all) - v(none): the forecast minus the baseline, at every lead.

Sources: Shapley 1953, "A value for n-person games"; Štrumbelj and Kononenko 2014, "Explaining prediction models and
individual predictions with feature contributions"; Lundberg and Lee 2017, arXiv 1705.07874; the reference is drawn as
Janzing, Minorics and Blöbaum 2020 advise (interventional), arXiv 1910.13413.

K reference days, H steps, P context columns, F columns ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from itertools import combinations
from math import factorial
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from forecast.features import Features, Inputs
from forecast.features.civil import NAMES

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

CALENDAR, WEATHER, INERTIA, CORRECTION = "calendar", "weather", "inertia", "error correction"
GROUPS = (CALENDAR, WEATHER, INERTIA)
Coalition = frozenset[str]


class Attribution(NamedTuple):
    """`baseline_H` and what each group adds to it, mean power; their sum is the forecast."""

    baseline_H: Doubles
    groups: dict[str, Doubles]


@dataclass(frozen=True)
class ColumnGroups:
    """Which group each column belongs to.

    Calendar: the civil clock, day types and holidays, also where they are given as a flag. Weather: all other
    covariates, behind and ahead. Inertia: the demand's own past, so also the level that a network scales by, and the
    past of the other series. Static
    columns never change within a series: what they do is in the baseline.

    Attributes:
        past_P: group of every context column.
        future_F: group of every column ahead.
    """

    past_P: tuple[str, ...]
    future_F: tuple[str, ...]

    @classmethod
    def of(cls, features: Features) -> Self:
        """The groups of a recipe's columns, told by their names."""
        covariates = covariate_groups(features)
        past = [INERTIA if name == "y" else covariates.get(name, CALENDAR) for name in features.past_names]
        loads = zip(features.future_names, features.future_load_columns, strict=True)
        return cls(tuple(past), tuple(INERTIA if load else _ahead(name, covariates) for name, load in loads))

    @property
    def present(self) -> tuple[str, ...]:
        """The groups that have columns."""
        return tuple(name for name in GROUPS if name in {*self.past_P, *self.future_F})

    def mixed(self, today: Inputs, references: Inputs, coalition: Coalition) -> Inputs:
        """The reference days [K, ...] with the coalition's columns and their masks replaced by today's [1, ...]."""
        past_P, future_F = (np.array([name in coalition for name in told]) for told in (self.past_P, self.future_F))
        own: dict[str, Bools] = {
            "past_BLP": past_P, "past_mask_BLP": past_P, "future_BHF": future_F, "future_mask_BHF": future_F,
        }  # fmt: skip
        # Whatever else a batch holds is about what was measured before the cutoff.
        other = np.array(INERTIA in coalition)
        names = [field.name for field in fields(today) if getattr(today, field.name) is not None]
        made = {name: np.where(own.get(name, other), getattr(today, name), getattr(references, name)) for name in names}
        return replace(references, **made)


def covariate_groups(features: Features) -> dict[str, str]:
    """The group of every covariate: a holiday known ahead is calendar, all others count as weather."""
    flags = [name for name in features.state.binary if "holiday" in name.lower() and name in features.columns.known]
    return {name: CALENDAR if name in flags else WEATHER for name in features.columns.dynamic[1:]}


def attribute(
    median: Callable[[Inputs], npt.NDArray[np.floating]], today: Inputs, references: Inputs, groups: ColumnGroups,
    forecast_H: Doubles,
) -> Attribution:  # fmt: skip
    """Shares of the groups in forecast - baseline; one batched call of the model for every coalition.

    Args:
        median: a model's q0.5 [B, H] of some windows.
        today: the window that is explained, [1, ...].
        references: the windows of the reference days, [K, ...].
        groups: which columns move together.
        forecast_H: the model's median today.
    """
    players = groups.present
    values: dict[Coalition, Doubles] = {frozenset(players): forecast_H.astype(np.float64)}
    for size in range(len(players)):
        for chosen in combinations(players, size):
            said_KH = median(groups.mixed(today, references, frozenset(chosen)))
            values[frozenset(chosen)] = said_KH.mean(0, dtype=np.float64)
    shares = shapley(values, players)
    nothing_H = np.zeros(len(forecast_H))
    return Attribution(values[frozenset()], {name: shares.get(name, nothing_H) for name in GROUPS})


def shapley(values: Mapping[Coalition, Doubles], players: tuple[str, ...]) -> dict[str, Doubles]:
    """Every player's Shapley value from the values of all coalitions.

    >>> v = {frozenset(): 0.0, frozenset("a"): 1.0, frozenset("b"): 2.0, frozenset("ab"): 4.0}
    >>> {name: float(value) for name, value in shapley({s: np.array(x) for s, x in v.items()}, ("a", "b")).items()}
    {'a': 1.5, 'b': 2.5}
    """
    count = len(players)
    shares = {}
    for player in players:
        others = [one for one in players if one != player]
        terms = []
        for size in range(count):
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            for chosen in map(frozenset, combinations(others, size)):
                terms.append(weight * (values[chosen | {player}] - values[chosen]))
        shares[player] = np.asarray(np.sum(terms, axis=0))
    return shares


def _ahead(name: str, covariates: Mapping[str, str]) -> str:
    """A column ahead is named after its covariate; the calendar's are named after none."""
    mine = [one for one in covariates if name == one or name.startswith((f"{one}, ", f"{one} above "))]
    return covariates[max(mine, key=len)] if mine and name not in NAMES else CALENDAR
