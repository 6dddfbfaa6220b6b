"""How a frame becomes `Demand`: every check that a table passes once, when it is made."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecast import clock
from forecast.errors import DataError
from forecast.tables.cells import cells_of_frame, demand_of_cells
from forecast.tables.demand import Demand
from forecast.tables.series import Columns, Ints, Series
from forecast.tables.series_info import SeriesInfo
from forecast.tables.steps import usual_step
from forecast.tables.units import check_unit, output_factor

LARGEST = float(np.finfo(np.float32).max)
RUN = 24
MIN_STEP, MAX_STEP = pd.Timedelta("1min"), pd.Timedelta("1D")


def demand_from_frame(
    frame: pd.DataFrame,
    *,
    columns: Columns,
    zone: str | Mapping[str, str],
    unit: str,
    freq: str | pd.Timedelta | None,
    delay: pd.Timedelta,
    source: str = "",
    country: str | None = None,
    forecast_only: bool = False,
) -> Demand:
    """Checks a long frame and lays its series one after the other in one float32 array; see `Demand.from_frame`."""
    check_unit(unit)
    frame = _checked_columns(frame, columns)
    _check_names(frame)
    several = _check_stamps(frame)
    _check_numbers(frame, columns)
    groups = {str(name): part for name, part in frame.groupby("unique_id", sort=True)}
    step = _step(groups, pd.Timedelta(freq) if freq is not None else None)
    factor = output_factor(unit, step)
    _check_not_future(frame, step)
    if several:
        _availability(frame, 0)
        frame["y"] = frame["y"] / factor
        infos = [_info(name, part, zone, columns) for name, part in groups.items()]
        cells = cells_of_frame(frame, columns, list(groups), step + delay)
        return demand_of_cells(
            infos, cells, columns=columns, step=step, unit=unit, delay=delay, source=source, country=country,
            forecast_only=forecast_only,
        )  # fmt: skip
    starts = {name: part["ds"].iloc[0] for name, part in groups.items()}
    rows = {name: _rows(name, part["ds"], step) for name, part in groups.items()}
    sizes = [int(rows[name][-1]) + 1 for name in groups]
    arena_RC = np.full((sum(sizes), len(columns.dynamic)), np.nan, dtype=np.float32)
    available_R = _availability(frame, sum(sizes))
    series, first_row = [], 0
    for (name, part), size in zip(groups.items(), sizes, strict=True):
        view_TC = arena_RC[first_row : first_row + size]
        values_TC = part[list(columns.dynamic)].to_numpy(dtype=np.float64)
        values_TC[:, 0] /= factor
        view_TC[rows[name]] = values_TC
        if not forecast_only and not np.isfinite(view_TC[:, 0]).any():
            raise DataError("every value of y is missing", "at least one number", series=name)
        available_T = None
        if available_R is not None:
            available_T = available_R[first_row : first_row + size]
            _fill_availability(available_T, part, rows[name], step, delay)
        series.append(
            Series(
                unique_id=name,
                zone=_zone_of(name, zone),
                start=starts[name],
                values_TC=view_TC,
                available_at_T=available_T,
                static={column: float(part[column].iloc[0]) for column in columns.static},
                first_row=first_row,
            )
        )
        first_row += size
    arena_RC.flags.writeable = False
    return Demand(
        tuple(series), columns, step, unit, delay, arena_RC, source=source, country=country, forecast_only=forecast_only
    )


def _info(name: str, part: pd.DataFrame, zone: str | Mapping[str, str], columns: Columns) -> SeriesInfo:
    static = {column: float(part[column].iloc[0]) for column in columns.static}
    return SeriesInfo(unique_id=name, zone=_zone_of(name, zone), static=static)


def _zone_of(name: str, zone: str | Mapping[str, str]) -> str:
    chosen = zone if isinstance(zone, str) else zone[name]
    clock.zone(chosen)
    return chosen


def _checked_columns(frame: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    needed = ["unique_id", "ds", *columns.dynamic, *columns.static]
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise DataError(
            f"no column {', '.join(repr(name) for name in missing)}",
            f"{', '.join(needed)}; found {', '.join(map(str, frame.columns))}",
            "name the columns with --time, --target, --series, --known, --past or --static",
        )
    if frame.empty:
        raise DataError("the table is empty", "at least one row per series", "check the file or the query")
    return frame.copy(deep=False)


def _check_names(frame: pd.DataFrame) -> None:
    nameless = frame["unique_id"].isna()
    if nameless.any():
        raise DataError(
            f"{int(nameless.sum())} rows name no series", "a name in every row", "fill the series column",
            column="unique_id", stamps=frame.loc[nameless, "ds"],
        )  # fmt: skip


def _check_stamps(frame: pd.DataFrame) -> bool:
    """Checks the stamps; whether some occur again, as later versions."""
    stamps = frame["ds"]
    if not pd.api.types.is_datetime64_any_dtype(stamps):
        raise DataError("the stamps are not times", "dates with times", "check the time column", column="ds")
    if stamps.dt.tz is None:
        raise DataError("the stamps carry no zone", "aware stamps", "declare the zone with --zone", column="ds")
    if stamps.isna().any():
        at = [f"row {row}" for row in np.flatnonzero(stamps.isna())]
        raise DataError("some stamps are missing", "a stamp in every row", column="ds", stamps=at)
    frame["ds"] = stamps.dt.tz_convert("UTC").astype("datetime64[ns, UTC]")
    again = frame.duplicated(["unique_id", "ds"])
    several = "available_at" in frame.columns and bool(again.any())
    doubled = frame.duplicated(["unique_id", "ds", "available_at"]) if several else again
    if doubled.any():
        raise DataError(
            f"{int(doubled.sum())} stamps occur twice",
            "one row per series and stamp" + (" and available_at" if several else ""),
            "remove the second rows, or declare the series column with --series if the file holds several series",
            column="ds",
            stamps=frame.loc[doubled, "ds"],
        )
    if several:
        return True
    backwards = frame.groupby("unique_id", sort=False)["ds"].diff() < pd.Timedelta(0)
    if backwards.any():
        raise DataError(
            "the rows are not in time order", "stamps that only go forward", "sort the file by its time column",
            column="ds", stamps=frame.loc[backwards, "ds"],
        )  # fmt: skip
    return False


def _check_numbers(frame: pd.DataFrame, columns: Columns) -> None:
    for name in (*columns.dynamic, *columns.static):
        values = frame[name]
        if pd.api.types.is_numeric_dtype(values):
            frame[name] = values.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            bad = values[pd.to_numeric(values, errors="coerce").isna() & values.notna()]
            shown = [f"row {row}: {text!r}" for row, text in bad.items()]
            raise DataError(
                "some values are not numbers", "numbers, or nothing where a value is missing",
                "correct these rows; for comma decimals declare --decimal ,", column=name, stamps=shown,
            )  # fmt: skip
        # Beyond float32, in which tables are held, a number is infinite, too.
        infinite = np.abs(frame[name].to_numpy(dtype=np.float64)) > LARGEST
        if infinite.any():
            raise DataError(
                f"{int(infinite.sum())} values are infinite", "finite numbers, or nothing where a value is missing",
                "correct or empty them", column=name, stamps=frame.loc[infinite, "ds"],
            )  # fmt: skip
    for name in columns.static:
        if frame.groupby("unique_id")[name].nunique(dropna=False).max() > 1:
            raise DataError("a static covariate changes within a series", "one value per series", column=name)
        if frame[name].isna().any():
            raise DataError("a static covariate is missing", "one value per series", column=name)


def _check_not_future(frame: pd.DataFrame, step: pd.Timedelta) -> None:
    late = frame["y"].notna() & (frame["ds"] + step > clock.now() + step)
    if late.any():
        raise DataError(
            f"{int(late.sum())} values of y are stamped in the future", f"stamps before {clock.now():%Y-%m-%d %H:%M}Z",
            "check --zone and the file; future rows may only carry known-ahead columns",
            column="ds", stamps=frame.loc[late, "ds"],
        )  # fmt: skip


def _step(groups: Mapping[str, pd.DataFrame], declared: pd.Timedelta | None) -> pd.Timedelta:
    """The one step of all series: the declared one, or the most frequent difference of the first."""
    found: dict[str, pd.Timedelta] = {}
    for name, part in groups.items():
        usual = usual_step(part["ds"].to_numpy(dtype="datetime64[ns]").astype(np.int64))
        if usual is not None:
            found[name] = pd.Timedelta(usual)
    step = declared if declared is not None else next(iter(found.values()), None)
    if step is None:
        raise DataError("one row is too few to read the frequency from", "two or more", "declare it with --freq")
    if not MIN_STEP <= step <= MAX_STEP:
        raise DataError(f"the step between stamps is {step}", f"between {MIN_STEP} and {MAX_STEP}")
    other = [f"{name}: {gap}" for name, gap in found.items() if declared is None and gap != step]
    if other:
        raise DataError(
            f"the series have mixed frequencies, {step} and others", "one step for all series of a table",
            "split the file by frequency", stamps=other,
        )  # fmt: skip
    if declared is None:
        for name, part in groups.items():
            _check_runs(name, _clock(part), step)
    return step


def _clock(part: pd.DataFrame) -> pd.Series:
    """The stamps of a series, each once, in order; versions of one stamp count once."""
    stamps = part["ds"]
    in_order = stamps.is_monotonic_increasing and stamps.is_unique
    return stamps if in_order else stamps.drop_duplicates().sort_values()


def _check_runs(name: str, stamps: pd.Series, step: pd.Timedelta) -> None:
    """Gaps do not come evenly: a long run of one other difference is another frequency."""
    gaps = np.diff(stamps.to_numpy(dtype="datetime64[ns]").astype(np.int64))
    again = (gaps[1:] == gaps[:-1]) & (gaps[1:] != step.value)
    runs = np.convolve(again, np.ones(RUN - 1), "valid") == RUN - 1 if len(again) >= RUN - 1 else np.zeros(0, bool)
    if runs.any():
        first = int(np.argmax(runs))
        raise DataError(
            f"the series has mixed frequencies: {step}, but {pd.Timedelta(gaps[first])} for {RUN} rows and more",
            "one step from beginning to end", "resample it to one step, or declare the right one with --freq",
            series=name, stamps=stamps.iloc[first : first + RUN],
        )  # fmt: skip


def _rows(name: str, stamps: pd.Series, step: pd.Timedelta) -> Ints:
    """The row of each stamp on the series' clock."""
    since = stamps.to_numpy(dtype="datetime64[ns]").astype(np.int64) - stamps.iloc[0].value
    rows, rest = np.divmod(since, step.value)
    if rest.any():
        raise DataError(
            f"some stamps are not on the clock of every {step}", f"stamps every {step} from {stamps.iloc[0]}",
            "the data has mixed frequencies: resample it to one step, or declare the right one with --freq",
            series=name, stamps=stamps[rest != 0],
        )  # fmt: skip
    if rows[-1] + 1 > 50 * len(rows) + 100_000:
        raise DataError(
            f"{len(rows)} rows span {rows[-1] + 1} periods", "a table that is mostly filled",
            "check the stamps and the declared frequency", series=name,
            stamps=[stamps.iloc[0], stamps.iloc[-1]],
        )  # fmt: skip
    return np.asarray(rows, dtype=np.int64)


def _availability(frame: pd.DataFrame, size: int) -> Ints | None:
    if "available_at" not in frame.columns:
        return None
    stamps = frame["available_at"]
    if not pd.api.types.is_datetime64_any_dtype(stamps) or stamps.dt.tz is None:
        raise DataError(
            "the values are not stamps with a zone", "aware stamps", "declare the zone with --zone",
            column="available_at",
        )  # fmt: skip
    return np.zeros(size, dtype=np.int64)


def _fill_availability(
    available_T: Ints, part: pd.DataFrame, rows: Ints, step: pd.Timedelta, delay: pd.Timedelta
) -> None:
    """Writes when each row became known: as stated, else at its period's end plus the delay."""
    start = part["ds"].iloc[0].value
    available_T[:] = start + (np.arange(len(available_T)) + 1) * step.value + delay.value
    stated = part["available_at"].dt.tz_convert("UTC").to_numpy(dtype="datetime64[ns]")
    known = ~np.isnat(stated)
    early = known & (stated.astype(np.int64) < part["ds"].to_numpy(dtype="datetime64[ns]").astype(np.int64))
    if early.any():
        raise DataError(
            "some values were available before their period began", "available_at at or after the period",
            "check the column and its zone", column="available_at", stamps=part.loc[early, "ds"],
        )  # fmt: skip
    available_T[rows[known]] = stated[known].astype(np.int64)
