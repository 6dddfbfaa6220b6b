"""Whether a series' stamps are a regular clock, in order and in the past; every complaint names them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from forecast import clock
from forecast.errors import DataError
from forecast.tables.birth import RUN
from serving.stamps import Nanoseconds, shown

Values = npt.NDArray[np.float64]


def check_history(
    name: str, ds: Nanoseconds, y: Values, step: pd.Timedelta, *, blank: bool = False, counted: bool = False
) -> None:  # fmt: skip
    """Refuses a history that is out of order, of another step, or from the future; or without any value.

    Args:
        name: of the series.
        ds, y: its periods.
        step: the model's.
        blank: whether a series may have no known value at all, as the model's static columns tell its level.
        counted: whether the stamps were counted by that step, and so are in order.
    """
    if not blank and not np.isfinite(y).any():
        raise DataError(
            "every value of y is missing" if len(ds) else "the history is empty", "at least one value of y",
            "send the last days; a meter without any needs a model that learned levels from static columns "
            "(networks trained with static columns and `unseen`)", series=name, column="y",
        )  # fmt: skip
    if not len(ds):
        return
    if not counted and (np.diff(ds) != step.value).any():
        _check_odd(name, ds, step)
    now = clock.now().value
    if ds[-1] <= now:
        return
    late = np.isfinite(y) & (ds > now)
    if late.any():
        raise DataError(
            f"{int(late.sum())} values of y are stamped in the future", f"stamps before {clock.now():%Y-%m-%dT%H:%MZ}",
            "check the offset of the stamps; covariates known ahead belong into `future`",
            series=name, column="y", stamps=shown(ds[late]),
        )  # fmt: skip


def _check_odd(name: str, ds: Nanoseconds, step: pd.Timedelta) -> None:
    """Refuses stamps that do not follow each other in the model's step, unless they only leave some out."""
    _check_order(name, ds)
    _check_runs(name, ds, step)
    gaps, counts = np.unique(np.diff(ds), return_counts=True)
    check_step(name, pd.Timedelta(int(gaps[counts.argmax()])), step)
    _check_clock(name, ds, int(ds[0]), step)


def check_future(name: str, ds_past: Nanoseconds, ds_ahead: Nanoseconds, step: pd.Timedelta) -> None:
    """Refuses a future that is out of order, off the history's clock, or not after it; and no periods at all."""
    if not len(ds_past) and not len(ds_ahead):
        raise DataError(
            "neither history nor future has a period", "one at the least", "send one with y null", series=name,
            column="ds",
        )  # fmt: skip
    if not len(ds_ahead):
        return
    _check_order(name, ds_ahead)
    overlap = ds_ahead <= ds_past[-1] if len(ds_past) else np.zeros(len(ds_ahead), dtype=bool)
    if overlap.any():
        raise DataError(
            f"{int(overlap.sum())} stamps of `future` lie within the history", "stamps after the last of the history",
            "send each period once; y may be null in the history", series=name, column="ds",
            stamps=shown(ds_ahead[overlap]),
        )  # fmt: skip
    _check_clock(name, ds_ahead, int(ds_past[0] if len(ds_past) else ds_ahead[0]), step)


def _check_order(name: str, ds: Nanoseconds) -> None:
    doubled = _doubled(ds)
    if len(doubled):
        raise DataError(
            f"{len(doubled)} stamps occur twice", "one row per stamp",
            "remove the second rows; give the offset or UTC where the clock went back an hour",
            series=name, column="ds", stamps=shown(doubled),
        )  # fmt: skip
    backwards = ds[1:][np.diff(ds) < 0]
    if len(backwards):
        raise DataError(
            "the rows are not in time order", "stamps that only go forward", "sort the rows by ds",
            series=name, column="ds", stamps=shown(backwards),
        )  # fmt: skip


def _doubled(ds: Nanoseconds) -> Nanoseconds:
    ordered = np.sort(ds)
    return np.unique(ordered[1:][np.diff(ordered) == 0])


def check_step(name: str, found: pd.Timedelta, step: pd.Timedelta) -> None:
    """Refuses another step than the model's."""
    if found != step:
        raise DataError(
            f"a step of {_length_text(found)}", f"the {_length_text(step)} that the model was trained on",
            "resample the history to that step", series=name, column="ds",
        )  # fmt: skip


def _check_runs(name: str, ds: Nanoseconds, step: pd.Timedelta) -> None:
    """Gaps do not come evenly: a long run of one longer step amid the model's is another frequency."""
    gaps = np.diff(ds)
    begins = np.flatnonzero(np.append(True, gaps[1:] != gaps[:-1]))
    sizes = np.diff(np.append(begins, len(gaps)))
    other = np.repeat(sizes >= RUN, sizes) & (gaps > step.value)
    if other.any() and (gaps == step.value).any():
        longer = pd.Timedelta(int(gaps[other][0]))
        raise DataError(
            f"the stamps change between every {_length_text(step)} and every {_length_text(longer)}: mixed frequencies",
            "one step for the whole history",
            "resample it to one step; where rows are missing in between, send them with y null",
            series=name, column="ds", stamps=shown(ds[1:][other]),
        )  # fmt: skip


def _check_clock(name: str, ds: Nanoseconds, start: int, step: pd.Timedelta) -> None:
    off = ds[(ds - start) % step.value != 0]
    if len(off):
        raise DataError(
            f"{len(off)} stamps are not on the clock of every {_length_text(step)}",
            f"stamps every {_length_text(step)} from {shown(np.array([start]))[0]}",
            "the data has mixed frequencies: resample it to one step", series=name, column="ds", stamps=shown(off),
        )  # fmt: skip


def _length_text(length: pd.Timedelta) -> str:
    return str(length).removeprefix("0 days ")
