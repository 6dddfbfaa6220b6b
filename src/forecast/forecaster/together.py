"""Several questions answered in one pass: what callers ask at the same time goes through a model together.

P questions, S series, M moments, H steps, Q levels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from forecast.features import Features
from forecast.forecaster.echo import Moments
from forecast.forecaster.models import Model
from forecast.forecaster.saying import Doubles, Said, calibrated, finished
from forecast.forecaster.spec import ForecasterSpec
from forecast.tables import Demand, Series, mean_of_quantiles
from forecast.windows import Origins, WindowSet, origins_of

Told = tuple[Doubles, Doubles]
"""The mean [S, W, H] and the quantiles [S, W, H, Q] of a question, in its table's own unit."""
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
        demand, last = self.demand, self.moments.all_M[-1]
        return bool(demand.versions) or demand.doubted_R is not None or not demand.shows_all_at(last)

    @cached_property
    def shape(self) -> tuple[int, int]:
        """S and M."""
        return len(self.demand.series), len(self.moments.all_ns_M)


def told_together(spec: ForecasterSpec, model: Model, asked: Sequence[Asked], batch: int) -> list[Told]:
    """What is told of each question, in their order.

    Answers agree to 1e-5, however many questions go together.

    Args:
        spec, model: of the forecaster.
        asked: the questions.
        batch: windows per pass.
    """
    answers: dict[int, Told] = {}
    for places in _groups(asked, spec):
        answers |= dict(zip(places, _answers(spec, model, [asked[place] for place in places], batch), strict=True))
    return [answers[place] for place in range(len(asked))]


def _groups(asked: Sequence[Asked], spec: ForecasterSpec) -> Iterator[list[int]]:
    """Places of questions that go through the model in one pass."""
    groups: dict[object, list[int]] = {}
    near = NEAR_ROWS * spec.step.value
    for place, one in enumerate(asked):
        key = place if one.alone else (one.steps, one.demand.delay, int(one.moments.all_ns_M[-1] // near))
        groups.setdefault(key, []).append(place)
    yield from groups.values()


def _answers(spec: ForecasterSpec, model: Model, group: Sequence[Asked], batch: int) -> list[Told]:
    """What is told of each question of a group."""
    reader, levels = spec.column_reader, spec.recipe.quantiles
    windows = _merged(group, reader)
    alone = len(group) == 1
    heard = not alone and len(spec.features.series) > 1
    peers_NSD = np.concatenate([reader.peers(_windows(one, reader)) for one in group]) if heard else None
    shape = group[0].shape if alone else (len(windows), 1)
    whole = Said.read(model, reader, windows, shape, batch, peers_NSD)
    moved_SMHQ = calibrated(spec, whole)
    if spec.correction is None and not alone:
        # Each question has one moment: all are told in one go.
        moved_SMHQ = (
            moved_SMHQ * np.repeat([one.demand.output_factor for one in group], _counts(group))[:, None, None, None]
        )
        return list(zip(_parts(mean_of_quantiles(moved_SMHQ, levels), group), _parts(moved_SMHQ, group), strict=True))
    said = [whole] if alone else _parted(whole, group, reader)
    moved = [moved_SMHQ] if alone else _parts(moved_SMHQ, group)
    told = []
    for one, of_it, moved_SMHQ in zip(group, said, moved, strict=True):
        quantiles_SWHQ = finished(spec, one.demand, one.moments, of_it, moved_SMHQ) * one.demand.output_factor
        told.append((mean_of_quantiles(quantiles_SWHQ, levels), quantiles_SWHQ))
    return told


def _windows(one: Asked, reader: Features) -> WindowSet:
    return reader.window_set(one.demand, origins_of(one.demand, one.moments.all_ns_M), one.steps)


def _merged(group: Sequence[Asked], reader: Features) -> WindowSet:
    """One set of all windows, over one table of all series; who hears whom is settled apart."""
    if len(group) == 1:
        return _windows(group[0], reader)
    series: list[Series] = []
    rows_N: list[int] = []
    cutoffs_N: list[int] = []
    counts_S, first = [], 0
    for demand, moments in ((one.demand, one.moments.all_ns_M.tolist()) for one in group):
        step = demand.step.value
        for one in demand.series:
            country = one.country or demand.country
            series.append(
                Series(
                    one.unique_id, one.zone, one.start, one.values_TC, one.available_at_T, one.static,
                    one.first_row + first, country,
                )
            )  # fmt: skip
            start = one.start.value
            rows_N += [-((start - moment) // step) for moment in moments]
            cutoffs_N += moments
            counts_S.append(len(moments))
        first += len(demand.arena_RC)
    arena_RC = np.concatenate([one.demand.arena_RC for one in group])
    # Each window sees what was known at its own cutoff, and no table was narrowed to before that.
    whole = replace(group[0].demand, series=tuple(series), arena_RC=arena_RC, beside=(), known_until=None)
    origins = Origins(
        np.zeros(len(series), np.int64),
        0,
        np.cumsum(counts_S),
        np.array(rows_N, np.int64),
        np.array(cutoffs_N, np.int64),
    )
    return reader.window_set(whole, origins, group[0].steps)


def _parted(whole: Said, group: Sequence[Asked], reader: Features) -> Iterator[Said]:
    """The part of each question, as if it had been read alone."""
    columns = (
        _parts(whole.quantiles_SMHQ, group), _parts(whole.hour_SMH, group), _parts(whole.scale_SM, group),
        _parts(whole.blind_SM, group), _parts(whole.y_SMH, group), _parts(whole.known_SMH, group),
    )  # fmt: skip
    for one, *arrays in zip(group, *columns, strict=True):
        yield Said(_windows(one, reader).origins, *arrays)


def _counts(group: Sequence[Asked]) -> list[int]:
    """Windows of each question."""
    return [series * moments for series, moments in (one.shape for one in group)]


def _parts(array_N1: npt.NDArray[Scalar], group: Sequence[Asked]) -> list[npt.NDArray[Scalar]]:
    """The rows of each question, as [S, M, ...]."""
    parts, begin = [], 0
    for shape in (one.shape for one in group):
        end = begin + shape[0] * shape[1]
        parts.append(array_N1[begin:end].reshape(*shape, *array_N1.shape[2:]))
        begin = end
    return parts
