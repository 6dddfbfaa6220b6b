"""Several questions answered in one pass: what callers ask at the same time goes through a model together.

P questions, S series, M moments, H steps, Q levels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from forecast.forecaster.echo import Moments
from forecast.forecaster.models import Model
from forecast.forecaster.saying import Doubles, Said, calibrated, finished
from forecast.forecaster.spec import ForecasterSpec
from forecast.tables import Demand
from forecast.windows import Origins, WindowSet, origins_of

Scalar = TypeVar("Scalar", bound=np.generic)

NEAR_ROWS = 8192
"""Windows that start within so many rows share one calendar table; others are read in passes of their own."""


@dataclass(frozen=True, eq=False)
class Asked:
    """One question, checked.

    Attributes:
        demand: as the model reads it.
        moments: its cutoff, and the days before it whose errors correct the forecast.
        steps: H.
    """

    demand: Demand
    moments: Moments
    steps: int

    @property
    def alone(self) -> bool:
        """Whether its table says more than an arena can hold beside another's."""
        return bool(self.demand.versions) or self.demand.doubted_R is not None or self.demand.known_until is not None

    @property
    def shape(self) -> tuple[int, int]:
        """S and M."""
        return len(self.demand.series), len(self.moments.all_ns_M)

    @property
    def count(self) -> int:
        """Windows that it takes."""
        return self.shape[0] * self.shape[1]


def told_together(spec: ForecasterSpec, model: Model, asked: Sequence[Asked], batch: int) -> list[Doubles]:
    """The final quantiles [S, W, H, Q] of each question, in their order.

    Answers agree to 1e-5, however many questions go together.

    Args:
        spec, model: of the forecaster.
        asked: the questions.
        batch: windows per pass.
    """
    answers: dict[int, Doubles] = {}
    for places in _groups(asked, spec):
        group = [asked[place] for place in places]
        for place, said, moved_SMHQ in zip(places, *_said(spec, model, group, batch), strict=True):
            answers[place] = finished(spec, asked[place].demand, asked[place].moments, said, moved_SMHQ)
    return [answers[place] for place in range(len(asked))]


def _groups(asked: Sequence[Asked], spec: ForecasterSpec) -> Iterator[list[int]]:
    """Places of questions that go through the model in one pass."""
    groups: dict[object, list[int]] = {}
    near = NEAR_ROWS * spec.step.value
    for place, one in enumerate(asked):
        key = place if one.alone else (one.steps, one.demand.delay, int(one.moments.all_ns_M[-1] // near))
        groups.setdefault(key, []).append(place)
    yield from groups.values()


def _said(spec: ForecasterSpec, model: Model, group: Sequence[Asked], batch: int) -> tuple[list[Said], list[Doubles]]:
    """What the model says to each question of a group, and the same calibrated."""
    reader, steps = spec.column_reader, group[0].steps
    each = [reader.window_set(one.demand, origins_of(one.demand, one.moments.all_ns_M), steps) for one in group]
    if len(group) == 1:
        shape = group[0].shape
        said = Said.read(model, reader, each[0], shape, batch)
        return [said], [calibrated(spec, said)]
    peers_NSD = np.concatenate([reader.peers(one) for one in each]) if len(spec.features.series) > 1 else None
    whole = Said.read(model, reader, _merged(each), (sum(map(len, each)), 1), batch, peers_NSD)
    return list(_parted(whole, group, each)), _parts(calibrated(spec, whole), group)


def _merged(several: Sequence[WindowSet]) -> WindowSet:
    """One set of all windows, over one table of all series; who hears whom was settled before."""
    arena_RC = np.concatenate([one.demand.arena_RC for one in several])
    series, rows = [], 0
    for demand in (one.demand for one in several):
        series += [
            replace(one, first_row=one.first_row + rows, country=one.country or demand.country)
            for one in demand.series
        ]  # fmt: skip
        rows += len(demand.arena_RC)
    first = several[0]
    whole = replace(first.demand, series=tuple(series), arena_RC=arena_RC, beside=())
    counts = np.concatenate([np.diff(one.origins.ends_S, prepend=0) for one in several])
    listed = [(one.origins.rows_N, one.origins.cutoffs_N) for one in several]
    rows_N, cutoffs_N = (np.concatenate([pair[side] for pair in listed if pair[side] is not None]) for side in (0, 1))
    origins = Origins(np.zeros(len(series), np.int64), 0, np.cumsum(counts), rows_N, cutoffs_N)
    return WindowSet(whole, origins, first.reach, first.horizon)


def _parted(whole: Said, group: Sequence[Asked], each: Sequence[WindowSet]) -> Iterator[Said]:
    """The part of each question, as if it had been read alone."""
    columns = (
        _parts(whole.quantiles_SMHQ, group), _parts(whole.hour_SMH, group), _parts(whole.scale_SM, group),
        _parts(whole.blind_SM, group), _parts(whole.y_SMH, group), _parts(whole.known_SMH, group),
    )  # fmt: skip
    for windows, *arrays in zip(each, *columns, strict=True):
        yield Said(windows.origins, *arrays)


def _parts(array_N1: npt.NDArray[Scalar], group: Sequence[Asked]) -> list[npt.NDArray[Scalar]]:
    ends = np.cumsum([one.count for one in group])[:-1]
    return [_shaped(part, one.shape) for part, one in zip(np.split(array_N1, ends), group, strict=True)]


def _shaped(array_N1: npt.NDArray[Scalar], shape: tuple[int, int]) -> npt.NDArray[Scalar]:
    return array_N1.reshape(*shape, *array_N1.shape[2:])
