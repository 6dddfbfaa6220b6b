"""The past days that a model sees as most like today, and what happened then. N days, H steps, D numbers of a space."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.explanations.inside import SEQUENCES, Held, networks_of
from forecast.explanations.past import PastDays, joined
from forecast.features import Inputs
from forecast.forecaster import Model

Doubles = npt.NDArray[np.float64]

MOST_ALIKE = 5
CLIP = 3.0
"""Deviations at the most: a hinge that bends twice a year would decide alone which day is like today."""
BATCH = 256


@dataclass(frozen=True, eq=False)
class SimilarDay:
    """A past cutoff: how like today it is (cosine, at most 1), and what happened at each step after it."""

    cutoff: pd.Timestamp
    similarity: float
    outcome_H: Doubles


@dataclass(frozen=True, eq=False)
class SimilarDays:
    """The days most like today, the most alike first.

    Attributes:
        space: where the cosine was taken.
        days: the days.
        candidates: how many were looked at.
    """

    space: str
    days: tuple[SimilarDay, ...]
    candidates: int

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON; null where the meter has a gap."""
        days = [
            {"cutoff": one.cutoff.isoformat(), "similarity": one.similarity,
             "outcome": [float(y) if np.isfinite(y) else None for y in one.outcome_H]}
            for one in self.days
        ]  # fmt: skip
        return {"space": self.space, "candidates": self.candidates, "days": days}


def similar_days(model: Model, today: Inputs, past: PastDays, factor: float) -> SimilarDays:
    """The past days most like today.

    The cosine is taken between final states of the first recurrent, convolution or transformer encoder in the model;
    a model without one has its inputs compared: the columns ahead, standardised over the past days.

    Args:
        model: any fitted model.
        today: the window that is explained, [1, ...].
        past: the candidates.
        factor: from mean power to the source's unit.
    """
    held = next((one for one in networks_of(model) if one.encoder in SEQUENCES), None)
    windows = joined(today, past.inputs)
    if held is None:
        space, vector_ND = "the columns ahead, standardised (the model has no encoder)", _standardised(windows)
    else:
        space, vector_ND = f"the final state of the encoder ({held.encoder})", _states(held, windows)
    similarity_N = _cosine(vector_ND[0], vector_ND[1:])
    chosen = np.argsort(-similarity_N, kind="stable")[:MOST_ALIKE]
    days = [SimilarDay(past.cutoffs[n], float(similarity_N[n]), past.outcome_NH[n] * factor) for n in chosen]
    return SimilarDays(space, tuple(days), len(past))


def _states(held: Held, windows: Inputs) -> Doubles:
    from forecast.networks.embedding import look_inside

    count = len(windows.past_BLP)
    parts = []
    for begin in range(0, count, BATCH):
        some = windows.only(np.arange(begin, min(begin + BATCH, count)))
        parts.append(look_inside(held.network, partial(held.model.quantiles, some)).state_BD)
    return np.concatenate(parts).astype(np.float64)


def _standardised(windows: Inputs) -> Doubles:
    """Columns ahead [N, H x F] by the past days' mean and deviation of each column, clipped; zero where unknown."""
    known_NHF = windows.future_mask_BHF > 0
    value_NHF = np.where(known_NHF, windows.future_BHF, np.float32(0))
    count_F = np.maximum(known_NHF[1:].sum((0, 1)), 1)
    mean_F = value_NHF[1:].sum((0, 1), dtype=np.float64) / count_F
    square_F = (known_NHF[1:] * (value_NHF[1:] - mean_F.astype(np.float32)) ** 2).sum((0, 1), dtype=np.float64)
    std_F = np.sqrt(square_F / count_F)
    # A column that never moves says nothing about which day is like today.
    scale_F = np.where(std_F > 1e-6 * np.maximum(np.abs(mean_F), 1e-6), 1 / np.maximum(std_F, 1e-12), 0.0)
    standard_NHF = (value_NHF - mean_F.astype(np.float32)) * scale_F.astype(np.float32)
    standard_NHF = known_NHF * np.clip(standard_NHF, -CLIP, CLIP)
    return np.asarray(standard_NHF.reshape(len(standard_NHF), -1), dtype=np.float64)


def _cosine(one_D: Doubles, others_ND: Doubles) -> Doubles:
    length_N = np.linalg.norm(others_ND, axis=1) * np.linalg.norm(one_D)
    return np.asarray(np.clip(others_ND @ one_D / np.maximum(length_N, 1e-12), -1.0, 1.0))
