"""Whether the rows of a long frame stand in order on one clock, with the place of those that do not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast import clock
from forecast.errors import DataError
from forecast.tables.steps import usual_step

RUN = 24  # as many equal, longer steps in a row are another frequency, not gaps


def has_versions(frame: pd.DataFrame) -> bool:
    """Whether stamps occur again with other moments of knowledge: revisions, or forecasts issued again."""
    return "available_at" in frame.columns and bool(frame.duplicated(["unique_id", "ds"]).any())


def steps_of(frame: pd.DataFrame) -> dict[str, pd.Timedelta]:
    """The most frequent step of every series that has two rows or more, in the order of their names."""
    groups = frame["ds"].groupby(frame["unique_id"], observed=True)
    usual = {str(name): usual_step(ds.to_numpy(dtype="datetime64[ns]").astype(np.int64)) for name, ds in groups}
    return {name: pd.Timedelta(step) for name, step in usual.items() if step is not None}


def table_step(steps: dict[str, pd.Timedelta], declared: pd.Timedelta | None) -> pd.Timedelta:
    """The declared step, else that of the first series.

    Raises:
        DataError: nothing is declared and no series has two rows.
    """
    step = declared if declared is not None else next(iter(steps.values()), None)
    if step is None:
        raise DataError("one row is too few to read the frequency from", "two or more", "declare it with --freq")
    return step


def order_problems(frame: pd.DataFrame, word: str) -> list[DataError]:
    """What is wrong with the order of a long frame (unique_id, ds, y; the index is a row's place, called `word`)."""
    found = [_repeated(frame, word), None if has_versions(frame) else _backwards(frame, word)]
    return [problem for problem in found if problem is not None]


def clock_problems(
    frame: pd.DataFrame, steps: dict[str, pd.Timedelta], declared: pd.Timedelta | None, word: str, written: str | None
) -> list[DataError]:
    """What is wrong with the stamps of an ordered frame: in the future, or not on one clock.

    Args:
        frame: unique_id, ds (start of period), y; the index is a row's place.
        steps: the step of every series.
        declared: the declared step.
        word: what messages call a row.
        written: the clock in which stamps were written, where there is one.
    """
    found = [_future(frame, word), _frequency(frame, steps, declared, word, written)]
    return [problem for problem in found if problem is not None]


def _told(frame: pd.DataFrame, rows: pd.Series, word: str) -> list[str]:
    part = frame[rows]
    stamps = part["ds"].dt.strftime("%Y-%m-%dT%H:%MZ")
    return list(dict.fromkeys(f"{word} {row}: {stamp}" for row, stamp in zip(part.index, stamps, strict=True)))


def _repeated(frame: pd.DataFrame, word: str) -> DataError | None:
    several = has_versions(frame)
    doubled = frame.duplicated(["unique_id", "ds", *(["available_at"] if several else [])])
    if not doubled.any():
        return None
    return DataError(
        f"{int(doubled.sum())} stamps occur twice" + (" with one available_at" if several else ""),
        "one row per series and stamp" + (" and available_at" if several else ""),
        "remove the second rows, or declare the series column with --series if the table holds several series",
        column="ds", stamps=_told(frame, doubled, word),
    )  # fmt: skip


def _backwards(frame: pd.DataFrame, word: str) -> DataError | None:
    back = _gaps(frame) < pd.Timedelta(0)
    if not back.any():
        return None
    return DataError(
        "the rows are not in time order", "stamps that only go forward within a series",
        "sort the table by its time column; in the hour that a clock repeats, rows stay in the order they happened",
        column="ds", stamps=_told(frame, back, word),
    )  # fmt: skip


def _future(frame: pd.DataFrame, word: str) -> DataError | None:
    late = frame["y"].notna() & (frame["ds"] > clock.now())
    if not late.any():
        return None
    return DataError(
        f"{int(late.sum())} values of demand are stamped in the future", f"stamps before {clock.now():%Y-%m-%dT%H:%MZ}",
        "check --zone and the table; future rows may only carry covariates that are known ahead",
        column="ds", stamps=_told(frame, late, word),
    )  # fmt: skip


def empty_series(frame: pd.DataFrame) -> list[DataError]:
    """The series of a long frame in which no value of y is there."""
    filled = frame["y"].notna().groupby(frame["unique_id"].to_numpy()).any()
    return [
        DataError("every value of demand is missing", "at least one number", "check --target", series=str(name))
        for name in filled.index[~filled]
    ]


def _frequency(
    frame: pd.DataFrame, steps: dict[str, pd.Timedelta], declared: pd.Timedelta | None, word: str, written: str | None
) -> DataError | None:
    step = table_step(steps, declared)
    first = frame.groupby("unique_id", sort=False)["ds"].transform("first")
    off = (frame["ds"] - first) % step != pd.Timedelta(0)
    if declared is None and len(set(steps.values())) > 1:
        told = [f"{name}: every {short_step(gap)}" for name, gap in steps.items()]
        return DataError(
            "the series have mixed frequencies", "one step for all series", "split the table by frequency", stamps=told
        )
    if off.any():
        return _off_clock(frame, off, step, word, written)
    if declared is not None and steps and declared not in _gaps(frame).unique():
        return DataError(
            f"stamps come every {short_step(next(iter(steps.values())))}, never every {short_step(step)} as declared",
            "the step of the data", "correct --freq or leave it away",
        )  # fmt: skip
    return _other_frequency(frame, step, word) if declared is None else None


def _gaps(frame: pd.DataFrame) -> pd.Series:
    return frame.groupby("unique_id", sort=False)["ds"].diff()


def _off_clock(frame: pd.DataFrame, off: pd.Series, step: pd.Timedelta, word: str, written: str | None) -> DataError:
    if written is not None:
        local = frame["ds"].dt.tz_convert(clock.zone(written)).dt.tz_localize(None)
        first = local.groupby(frame["unique_id"].to_numpy()).transform("first")
        if ((local - first) % step == pd.Timedelta(0)).all():
            return DataError(
                f"every {short_step(step)} by the clock of {written}, but not once that clock changes",
                "stamps that are regular in UTC",
                "steps longer than an hour need a clock that never changes: declare --stamp-zone UTC or an offset, "
                "or use shorter steps", column="ds", stamps=_told(frame, off, word),
            )  # fmt: skip
    return DataError(
        f"{int(off.sum())} stamps are not on the clock of every {short_step(step)}",
        f"stamps every {short_step(step)} from the first on",
        "the table has mixed frequencies: resample it to one step, or declare the right one with --freq",
        column="ds", stamps=_told(frame, off, word),
    )  # fmt: skip


def _other_frequency(frame: pd.DataFrame, step: pd.Timedelta, word: str) -> DataError | None:
    """Finds a long run of one longer step: the table changes its frequency there."""
    by_series = frame.sort_values("unique_id", kind="stable")
    gaps = _gaps(by_series)
    run = (gaps != gaps.shift()).cumsum()
    long = (gaps > step) & (gaps.groupby(run.to_numpy()).transform("size") >= RUN)
    if not long.any():
        return None
    return DataError(
        f"the stamps change from every {short_step(step)} to every {short_step(gaps[long].iloc[0])}: mixed frequencies",
        "one step for the whole table",
        f"resample it to one step, or declare --freq {short_step(step)} if the rows between are missing",
        column="ds", stamps=_told(by_series, long, word),
    )  # fmt: skip


def short_step(step: pd.Timedelta) -> str:
    """A step as `--freq` wants it.

    >>> short_step(pd.Timedelta(minutes=30))
    '30min'
    """
    seconds = step.total_seconds()
    for size, unit in ((86_400, "D"), (3600, "h"), (60, "min")):
        if seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"
