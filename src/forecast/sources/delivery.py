"""`Delivery`: a raw table in the form in which the store takes rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self

import pandas as pd

from forecast import clock
from forecast.calendars.dayclock import is_day_clock
from forecast.errors import DataError, DeclarationError, ForecastError
from forecast.sources.clockwork import clock_problems, steps_of, table_step
from forecast.sources.contract import Batch, Mark
from forecast.sources.declaration import Declaration
from forecast.sources.raw import Raw
from forecast.sources.stamps import Place
from forecast.sources.tidy import Tidy, tidy
from forecast.tables import Columns, SeriesInfo

BATCH_ROWS = 200_000


@dataclass(frozen=True, eq=False)
class Delivery:
    """The rows of one file or answer, checked, and what it says of its series.

    Attributes:
        frame: as in `Batch`.
        columns: roles of the covariates in `frame`.
        series: every series of the table, with what was declared about it.
        notes: what was assumed.
    """

    frame: pd.DataFrame
    columns: Columns
    series: tuple[SeriesInfo, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, raw: Raw, declaration: Declaration, since: pd.Timestamp | None = None, *, piece: bool = False) -> Self:
        """The rows of a raw table from `since` on.

        A meter without any value is no mistake here: it may be silent for the length of one file.

        Args:
            raw: the table.
            declaration: how it is read.
            since: rows before it are left out.
            piece: whether it is a part of a table, in which rows may stand alone.

        Raises:
            DataError: the first thing that is wrong, with its line or row; then nothing of the table is to be stored.
        """
        table = tidy(raw, declaration.model_copy(update={"forecast_only": True}))
        problems = _problems_of_piece(table, raw, declaration) if piece else table.problems
        if problems or table.frame is None:
            raise problems[0]
        if piece:
            _refuse_lone_repeated_hour(table, raw, declaration)
        frame, columns = table.frame, Columns(past=declaration.past, known=declaration.known)
        values = ["y", *columns.past, *columns.known]
        if not frame[values].notna().any(axis=None):
            raise DataError("every value is missing", "at least one number", "check --target and the export")
        _check_knowledge(frame, ["y", *columns.past], raw.place)
        series = _series(frame, declaration, table.zones)
        told = [name for name in ("unique_id", "ds", "available_at", *values) if name in frame]
        kept = frame[told] if since is None else frame.loc[frame["ds"] >= since, told]
        notes = (*raw.notes, *table.notes)
        return cls(kept.reset_index(drop=True), columns, series, notes)

    def telling(self, told: set[str]) -> Self:
        """The same without the notes that were `told` before; they are added to it."""
        fresh = tuple(note for note in self.notes if note not in told)
        told.update(fresh)
        return replace(self, notes=fresh)

    def batches(self, before: Mark, after: Mark, rows: int = BATCH_ROWS) -> Iterator[Batch]:
        """The rows in batches of at most `rows`, each with its series; the mark moves with the last one."""
        steps = steps_of(self.frame) if len(self.frame) > rows else {}
        for start in range(0, max(len(self.frame), 1), rows):
            last, part = start + rows >= len(self.frame), self.frame.iloc[start : start + rows]
            here = set(part["unique_id"].astype(str))
            told = tuple(_stepped(one, steps) for one in self.series if one.unique_id in here)
            yield Batch(part, self.columns, told, after if last else before, self.notes if last else ())


def _stepped(info: SeriesInfo, steps: Mapping[str, pd.Timedelta]) -> SeriesInfo:
    """A series with the step of the whole table, of which a batch may hold a single row."""
    step = steps.get(info.unique_id)
    return info if info.step is not None or step is None else info.model_copy(update={"step": str(step)})


def news(mark: Mark, *notes: str) -> Batch:
    """A batch without rows: only a mark, and what the user should know."""
    stamps = pd.Series(dtype="datetime64[ns, UTC]")
    frame = pd.DataFrame({"unique_id": pd.Series(dtype=object), "ds": stamps, "y": pd.Series(dtype=float)})
    return Batch(frame, mark=mark, notes=notes)


def check_pieces(declaration: Declaration) -> None:
    """Whether a table that comes piece by piece can be read one piece at a time.

    Raises:
        DeclarationError: stamps mark the end of a period whose length would be guessed anew in every piece.
    """
    if declaration.stamp == "end" and declaration.step is None:
        raise DeclarationError(
            "--stamp end without --freq, of a table that comes piece by piece", "the length of a period",
            "declare it, for instance --freq 1h",
        )  # fmt: skip


def _problems_of_piece(table: Tidy, raw: Raw, declaration: Declaration) -> list[ForecastError]:
    """What is wrong with a part of a table: not that its few rows show no frequency, which the store knows."""
    frame, declared = table.frame, declaration.step
    if not table.problems or frame is None or (declared is not None and _off_clock(frame, declared)):
        return table.problems
    steps = steps_of(frame)
    try:
        table_step(steps, declared)
    except DataError as alone:
        # Without a step nothing was compared with the clock: whether rows lie in the future is asked here.
        other = [problem for problem in table.problems if str(problem) != str(alone)]
        return other or [*clock_problems(frame, steps, pd.Timedelta("1s"), raw.place, None)]
    of_clock = clock_problems(frame, steps, declared, raw.place, None)
    future = frame["y"].notna() & (frame["ds"] > clock.now())
    passed = {str(problem) for problem in of_clock[1 if future.any() else 0 :]}
    return [problem for problem in table.problems if str(problem) not in passed]


def _refuse_lone_repeated_hour(table: Tidy, raw: Raw, declaration: Declaration) -> None:
    """In autumn a clock says an hour twice: of a row that stands alone nothing tells which of the two is meant."""
    frame = table.frame
    assert frame is not None
    if pd.api.types.is_datetime64_any_dtype(raw.frame[raw.roles.time]) and raw.frame[raw.roles.time].dt.tz is not None:
        return
    for name, part in frame.groupby("unique_id", sort=False):
        zone = declaration.stamp_zone or declaration.zone_of(str(name))
        if zone is None or _with_offsets(raw.frame.loc[part.index, raw.roles.time]):
            continue
        wall = part["ds"].dt.tz_convert(clock.zone(zone)).dt.tz_localize(None)
        twice = wall.dt.tz_localize(clock.zone(zone), ambiguous="NaT", nonexistent="NaT").isna()
        edge = [place for place in {part.index[0], part.index[-1]} if twice[place] and (wall == wall[place]).sum() == 1]
        if edge:
            raise DataError(
                f"the clock of {zone} says this hour twice, and nothing here tells which of the two it is",
                "both of them in one file, or stamps with their offset (2024-10-27T01:00+00:00)",
                "deliver the whole day in one file, or write UTC", series=str(name),
                stamps=Place(raw.roles.time, raw.place).named(pd.Index(edge), raw.frame.loc[edge, raw.roles.time]),
            )  # fmt: skip


def _with_offsets(texts: pd.Series) -> bool:
    """Whether stamps say how far they are from UTC."""
    return bool(texts.astype(str).str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$", regex=True).all())


def _off_clock(frame: pd.DataFrame, step: pd.Timedelta) -> bool:
    first = frame.groupby("unique_id")["ds"].transform("first")
    return bool(((frame["ds"] - first) % step != pd.Timedelta(0)).any())


def _check_knowledge(frame: pd.DataFrame, measured: list[str], word: str) -> None:
    """Nothing is measured before its period begins; a covariate that is known ahead may be told earlier."""
    if "available_at" not in frame:
        return
    early = frame[measured].notna().any(axis=1) & (frame["available_at"] < frame["ds"])
    if early.any():
        place = Place("available_at", word)
        raise DataError(
            f"{int(early.sum())} rows of measured values were available before their period began",
            "available_at at or after the period", "check the column and its zone", column=place.column,
            stamps=place.named(frame.index[early], frame.loc[early, "available_at"]),
        )  # fmt: skip


def _series(frame: pd.DataFrame, declaration: Declaration, zones: Mapping[str, str]) -> tuple[SeriesInfo, ...]:
    """What a declaration and the static columns say of every series; its zone also where days are counted in it."""
    static = _static(frame, declaration.static)
    told = {
        "unit": declaration.unit, "step": None if declaration.step is None else str(declaration.step),
        "delay": str(declaration.lag) if declaration.lag else None,
    }  # fmt: skip
    return tuple(
        SeriesInfo(
            unique_id=name, zone=zones[name] if is_day_clock(zones[name]) else declaration.zone_of(name),
            static=static.get(name, {}),
            country=declaration.countries.get(name, declaration.country), **told,
        )
        for name in frame["unique_id"].astype(str).unique()
    )  # fmt: skip


def _static(frame: pd.DataFrame, names: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """The static values of every series; one that is missing in all rows is not told."""
    if not names:
        return {}
    grouped = frame.groupby("unique_id")[list(names)]
    for name, many in (grouped.nunique() > 1).any().items():
        if many:
            raise DataError("a static covariate changes within a series", "one value per series", column=str(name))
    first = grouped.first()
    return {str(series): row.dropna().to_dict() for series, row in first.iterrows()}
