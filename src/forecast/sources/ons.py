"""`Ons`: hourly demand of Brazil's four subsystems, the "curva de carga horária" of the Operador Nacional do Sistema.

One file per year, semicolon CSV or Parquet, in mean MW of the hour. Stamps are starts of hours on the clock of
Brasília without an offset. Until 2019 that clock knew daylight saving: the files hold the hour that it repeated once,
and at times a row for the hour that it skipped.
Source: https://dados.ons.org.br/dataset/curva-carga
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from pyarrow import ArrowException

from forecast import clock
from forecast.errors import DataError, DeclarationError, SourceError
from forecast.sources.contract import Batch, Mark
from forecast.sources.localclock import moments_of_local
from forecast.sources.polite import Answer, Manners, Polite, Unreadable
from forecast.sources.reach import with_reach
from forecast.sources.rows import CHANGED, numbers
from forecast.tables import SeriesInfo

ONS_URL = "https://ons-aws-prod-opendata.s3.amazonaws.com"
ONS_ZONE = "America/Sao_Paulo"
SUBSYSTEMS = ("N", "NE", "S", "SE")
FIRST_YEAR = 2000
MANNERS = Manners()
FIELDS = ("id_subsistema", "din_instante", "val_cargaenergiahomwmed")
MISSING = (403, 404)  # the storage answers 403 for a file that is not there


@dataclass(frozen=True)
class Ons:
    """Hourly demand `y`, one series per subsystem ("ons-SE"), one batch per year.

    Attributes:
        subsystems: N, NE, S or SE.
        start: the first year.
        look_back: years before the newest one whose file is asked for again; unchanged files are not sent again.
        delay: how long after its hour a demand is published; the files are renewed daily, and no time is promised.
        form: of the files.
        base: address of the storage.
        manners: how it is asked.

    Raises:
        DeclarationError: a subsystem is unknown.
    """

    subsystems: tuple[str, ...]
    start: int = FIRST_YEAR
    look_back: int = 1
    delay: str = "36h"
    form: Literal["csv", "parquet"] = "csv"
    base: str = ONS_URL
    manners: Manners = MANNERS

    def __post_init__(self) -> None:
        unknown = [name for name in self.subsystems if name not in SUBSYSTEMS]
        if unknown or not self.subsystems:
            raise DeclarationError(
                f"ONS has no subsystem {', '.join(unknown) or 'without a name'}", f"some of {', '.join(SUBSYSTEMS)}"
            )

    @property
    def name(self) -> str:
        """Under which the store keeps the mark: also what is read, for the store remembers of each name when it was
        last read to its end, and holds what comes later than that for late.
        """
        return f"ons:{','.join(sorted(self.subsystems))}"

    def batches(self, mark: Mark | None) -> Iterator[Batch]:
        """The files that changed since `mark`, oldest year first; see `Source.batches`."""
        present = clock.now().tz_convert(ONS_ZONE).year
        with Polite(self.manners) as web:
            for year in range(self.start, present + 1):
                kept = dict((mark or {}).get("files", {}).get(str(year), {}))
                read = set(kept.pop("subsystems", ()))
                known = read >= set(self.subsystems)
                if known and year < present - self.look_back:
                    continue
                answer = self._file(web, year, kept if known else {}, present)
                if answer is None or answer.unchanged:
                    continue
                frame, notes = self._frame(answer, year)
                also = read if answer.validators == kept else set()
                entry = {**answer.validators, "subsystems": sorted(also | set(self.subsystems))}
                mark = with_reach(mark, "files", {str(year): entry})
                yield Batch(frame, series=self._series(), mark=mark, notes=notes)

    def _file(self, web: Polite, year: int, validators: dict[str, str], present: int) -> Answer | None:
        """The file of a year, None where that of the present year is not there yet."""
        url = f"{self.base}/dataset/curva-carga-ho/CURVA_CARGA_{year}.{self.form}"
        answer = web.read(url, self._whole, validators=validators, accept=MISSING)
        if answer.status not in MISSING:
            return answer
        if year < present:
            raise SourceError(
                f"ONS has no file of {year} at {url} ({answer.status})", "one file per year since 2000",
                "start with a later year, or look up where ONS keeps the file now",
            )  # fmt: skip
        return None

    def _whole(self, answer: Answer) -> Answer:
        """The answer, if its file is there to its end: the last line has all fields, or Parquet its foot."""
        if answer.status in (304, *MISSING):
            return answer
        lines = answer.content.split(b"\n")
        last = next((line for line in reversed(lines) if line.strip()), b"")
        whole = answer.content.endswith(b"PAR1") if self.form == "parquet" else last.count(b";") == lines[0].count(b";")
        if not whole:
            raise Unreadable(f"answered a file of {len(answer.content):,} bytes that breaks off")
        return answer

    def _frame(self, answer: Answer, year: int) -> tuple[pd.DataFrame, tuple[str, ...]]:
        table = self._table(answer, year)
        table = table[table["id_subsistema"].astype(str).str.strip().isin(self.subsystems)]
        stamps = _stamps(table["din_instante"], year)
        y = numbers(table["val_cargaenergiahomwmed"], f"ONS's file of {year}, column val_cargaenergiahomwmed")
        names = "ons-" + table["id_subsistema"].astype(str).str.strip()
        rows = pd.DataFrame({"unique_id": names, "stamp": stamps, "y": y})
        rows, skipped = _without_skipped(rows)
        rows, twins = _without_twins(rows)
        ids = rows["unique_id"]
        rows["ds"] = moments_of_local(rows["stamp"], ids, dict.fromkeys(ids, ONS_ZONE), "din_instante", "row")
        return rows.loc[rows["y"].notna(), ["unique_id", "ds", "y"]].reset_index(drop=True), (*skipped, *twins)

    def _table(self, answer: Answer, year: int) -> pd.DataFrame:
        try:
            if self.form == "parquet":
                table = pd.read_parquet(io.BytesIO(answer.content))
            else:
                table = pd.read_csv(io.StringIO(answer.text), sep=";", dtype=str, keep_default_na=False)
        except (ValueError, ArrowException) as error:
            raise DataError(f"ONS's file of {year} is no table ({error})", f"a {self.form} file", CHANGED) from None
        missing = [name for name in FIELDS if name not in table]
        if missing:
            raise DataError(
                f"ONS's file of {year} has no column {', '.join(missing)}, but {', '.join(map(str, table))}",
                ", ".join(FIELDS), CHANGED,
            )  # fmt: skip
        return table

    def _series(self) -> tuple[SeriesInfo, ...]:
        return tuple(
            SeriesInfo(unique_id=f"ons-{name}", zone=ONS_ZONE, unit="MW", step="1h", delay=self.delay, country="BR")
            for name in self.subsystems
        )


def _stamps(texts: pd.Series, year: int) -> pd.Series:
    stamps = pd.to_datetime(texts, format="%Y-%m-%d %H:%M:%S", errors="coerce")
    bad = stamps.isna()
    if bad.any():
        raise DataError(
            f"ONS's file of {year}, column din_instante, holds {int(bad.sum())} stamps of another form",
            "2024-12-31 23:00:00", CHANGED, stamps=texts[bad],
        )  # fmt: skip
    return stamps


def _without_skipped(rows: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Drops rows of hours that never occurred; their figure is none of that hour's."""
    moments = rows["stamp"].dt.tz_localize(clock.zone(ONS_ZONE), ambiguous=[True] * len(rows), nonexistent="NaT")
    never = moments.isna().to_numpy()
    told = ", ".join(sorted({f"{stamp:%Y-%m-%d %H:%M}" for stamp in rows.loc[never, "stamp"]}))
    notes = (f"ONS has rows for hours that Brazil's clock skipped ({told}); they were left out",) if told else ()
    return rows[~never].reset_index(drop=True), notes


def _without_twins(rows: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """In time order with one row per hour, the last one; an hour that the clock repeats may have two."""
    rows = rows.sort_values(["unique_id", "stamp"], kind="stable")
    there = rows["stamp"].dt.tz_localize(clock.zone(ONS_ZONE), ambiguous="NaT")
    again = there.isna() & (rows.groupby(["unique_id", "stamp"]).cumcount(ascending=False) == 1)
    keys = rows.assign(again=again)
    kept = rows[~keys.duplicated(["unique_id", "stamp", "again"], keep="last")]
    extra = len(keys.drop_duplicates()) - len(kept)
    notes = (f"ONS has {extra} hours twice with different numbers; the last one was taken",) if extra > 0 else ()
    return kept.reset_index(drop=True), notes
