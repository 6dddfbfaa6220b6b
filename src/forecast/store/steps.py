"""The one step in which the periods of a forecast follow each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast.errors import DataError


def step_of(name: str, ds_H: npt.NDArray[np.int64], otherwise: int) -> int:
    """Seconds between the starts of periods (seconds since 1970); `otherwise` where there is one period only.

    Raises:
        DataError: they do not follow each other in one step.
    """
    if len(ds_H) < 2:
        return otherwise
    gaps = ds_H[1:] - ds_H[:-1]
    if (gaps != gaps[0]).any():
        told = ", ".join(str(pd.Timedelta(seconds=int(one))) for one in np.unique(gaps)[:3])
        raise DataError(
            f"a forecast with irregular periods ({told})", "periods that follow each other in one step",
            "record each stretch under an id of its own", series=name,
        )  # fmt: skip
    return int(gaps[0])
