"""Figures about learning: how far back the gradient reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from forecast.errors import DataError
from forecast.plots.paper import INK, QUIET, headline, legend, sheet, styles

VANISHING = 2.0**-24
"""Share of the largest norm under which the oldest steps no longer move a sum of float32 gradients."""


def gradient_report(
    norms: Sequence[float] | Mapping[str, Sequence[float]], *, title: str = "How far back the gradient reaches"
) -> Figure:
    """Gradient norm of the loss by encoder step, relative to the largest, newest first, on a logarithmic axis.

    Args:
        norms: [L] norms, newest encoder step first; or those of several recipes by name.
        title: over the figure.

    Raises:
        DataError: no norm is finite and positive.
    """
    named = norms if isinstance(norms, Mapping) else {"": norms}
    figure, (axis,) = sheet(8, 4)
    lines = styles(named)
    drawn = 0
    for name, values in named.items():
        norms_L = np.asarray(values, dtype=np.float64)
        positive_L = np.isfinite(norms_L) & (norms_L > 0)
        if positive_L.any():
            share_L = np.where(positive_L, norms_L / norms_L[positive_L].max(), np.nan)
            axis.plot(np.arange(len(share_L)), share_L, label=name or None, **lines[name])
            drawn += 1
    if not drawn:
        raise DataError("no gradient norm is finite and positive", "norms by encoder step, newest first")
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    axis.set_ylim(min(low, 1e-3), max(high, 2))
    if axis.get_ylim()[0] < VANISHING * 100:
        axis.axhline(VANISHING, color=QUIET, linewidth=1, linestyle=(0, (2, 2)))
        axis.annotate("vanishing: lost in a sum of float32", (0.01, VANISHING), xycoords=("axes fraction", "data"),
                      xytext=(0, 3), textcoords="offset points", fontsize=8, color=QUIET)  # fmt: skip
    axis.set_xlabel("encoder steps back from the cutoff (0 = newest)", color=QUIET, fontsize=9)
    axis.set_ylabel("gradient norm / its largest", color=INK, fontsize=9)
    headline(axis, title, "a flat line: old and new hours teach alike; a steep fall: old hours are forgotten")
    if any(named):
        legend(axis, loc="upper left", bbox_to_anchor=(0, -0.16), ncols=min(6, len(named)), borderaxespad=0)
    return figure
