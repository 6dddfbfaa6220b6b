"""The step of a series, read from its stamps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def usual_step(stamps_N: npt.NDArray[np.int64]) -> int | None:
    """The most frequent distance of neighbouring stamps, in what they count; the smallest of several.

    Order and repetition of the stamps do not matter. None where there are fewer than two.

    >>> usual_step(np.array([60, 0, 30, 30, 120, 150]))
    30
    """
    gaps = np.diff(np.unique(stamps_N))
    if not len(gaps):
        return None
    sizes, counts = np.unique(gaps, return_counts=True)
    return int(sizes[np.argmax(counts)])
