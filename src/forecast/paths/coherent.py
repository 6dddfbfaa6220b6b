"""Coherent paths: joint outcomes of a whole horizon whose every period keeps the forecast's own distribution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecast.errors import RequestError
from forecast.paths.dependence import places
from forecast.paths.marginals import Doubles, Floats, Ints, plotting_positions, values_at

COUNT = 499
"""Paths: with 499 every decile is a path's own value in every period."""


def paths(
    quantiles_NHQ: Floats,
    levels: Sequence[float],
    rank_DH: Floats,
    count: int = COUNT,
    seed: int = 0,
    *,
    steps: Sequence[int] | Ints | None = None,
    step_hours: float = 1.0,
) -> Doubles:
    """Equally likely paths through the forecast's own distributions, moving as past errors moved together.

    All origins share one pattern of ranks (the history's, see `dependence.places`), each with its own values.

    Args:
        quantiles_NHQ: [H, Q] or [N, H, Q], non-decreasing along Q.
        levels: the Q levels, ascending within (0, 1).
        rank_DH: `rank_outcomes` of past forecasts, a row per day and a column per step after the cutoff.
        count: S paths.
        seed: the same seed gives the same paths.
        steps: which step after the cutoff each of the H periods is; 0 to H - 1 where None.
        step_hours: length of a step; used only where the history is short.

    Returns:
        [S, H] or [N, S, H], in the unit of the quantiles.

    Raises:
        RequestError: not one path is asked for. DataError: levels or ranks are none.
    """
    if count < 1:
        raise RequestError(f"{count} paths", "one or more")
    steps_H = np.arange(np.shape(quantiles_NHQ)[-2]) if steps is None else np.asarray(steps, dtype=np.int64)
    return along(quantiles_NHQ, levels, places(rank_DH, steps_H, count, seed, step_hours))


def along(quantiles_NHQ: Floats, levels: Sequence[float], place_SH: Ints) -> Doubles:
    """Paths [N, S, H] (or [S, H]) that take these places among each period's values.

    The last two axes are transposed in memory: what is read off paths goes period by period.
    """
    u_S = plotting_positions(len(place_SH))
    quantiles_NHQ = np.asarray(quantiles_NHQ, dtype=np.float64)
    out_NHS = np.empty((*quantiles_NHQ.shape[:-1], len(u_S)))
    for step in range(quantiles_NHQ.shape[-2]):
        values_NS = values_at(quantiles_NHQ[..., step, :], levels, u_S)
        out_NHS[..., step, :] = values_NS[..., place_SH[:, step]]
    return np.swapaxes(out_NHS, -1, -2)
