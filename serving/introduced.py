"""`Introduced`: the zone and the step of a series that a body tells of, beside what the store holds of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast import clock
from forecast.calendars import are_days, day_zone, inside, is_day_clock, outside
from forecast.errors import DataError, DeclarationError
from forecast.store.catalogue import Entry
from forecast.tables import SeriesInfo
from serving.bodies import Clocked
from serving.stamps import read_stamp, read_stamps, read_step

DAY = pd.Timedelta(days=1)
SHORTEST = pd.Timedelta(seconds=1)


@dataclass(frozen=True)
class Introduced:
    """What a body says of one series.

    Attributes:
        said: by name, as in `SeriesInfo`; None where nothing is said.
        history, future: its values.
    """

    said: Mapping[str, object]
    history: Clocked | None
    future: Clocked | None

    @property
    def name(self) -> str:
        """Of the series."""
        return str(self.said["unique_id"])

    def info(self, entry: Entry | None, earlier: str | None) -> tuple[str, SeriesInfo]:
        """The clock on which its stamps are kept (a zone, or the civil days of one), and what is told to the store.

        Daily values whose stamps are the midnights of a zone that changes its clock are kept by civil days.

        Args:
            entry: what the store holds; None for a new series.
            earlier: the clock that an earlier part of the same body was kept on.

        Raises:
            DataError: the zone is another than that of the stored civil days.
            DeclarationError: a zone, unit or length cannot be read.
        """
        zone = self._zone()
        held = earlier or (None if entry is None else entry.info.zone)
        begins = earlier is None and (entry is None or entry.anchor is None)
        if held is not None and is_day_clock(held):
            self._check_same(zone, held)
            kept, told = held, held if earlier else None
        else:
            kept, told = zone or held or "UTC", zone
            if begins and self._counts_days(kept):
                kept = told = day_zone(kept)
        return kept, self._info(told, self._step() if entry is None else None)

    def _zone(self) -> str | None:
        zone = self.said["zone"]
        if zone is None:
            return None
        if is_day_clock(zone):
            # A word of the store's own.
            raise DeclarationError(
                f"zone '{zone}' is not known", f"an IANA name such as {clock.lived_zone(str(zone))}",
                series=self.name, column="zone",
            )  # fmt: skip
        with_name = str(zone)
        try:
            clock.zone(with_name)
        except DeclarationError as error:
            raise DeclarationError(error.found, error.expected, series=self.name, column="zone") from None
        return with_name

    def _check_same(self, zone: str | None, held: str) -> None:
        lived = clock.lived_zone(held)
        if zone not in (None, lived):
            raise DataError(
                f"zone {zone}, and the store counts its civil days in {lived}", f"zone {lived}",
                "leave the zone out, or store the values under another name", series=self.name, column="zone",
            )  # fmt: skip

    def _step(self) -> str | None:
        """The step that is declared: of the series, else that by which its values are counted."""
        parts = [part.step for part in (self.history, self.future) if part is not None][:1]
        told = self.said["step"] or next(iter(parts), None)
        return None if told is None else str(told)

    def _counts_days(self, zone: str) -> bool:
        part, declared = self.history or self.future, self._step()
        if part is None or (declared is not None and read_step(declared, series=self.name) != DAY):
            return False
        texts, column = (part.ds, "ds") if part.ds is not None else ([str(part.start)], "start")
        read = [read_stamp(texts[0], series=self.name, column=column).value] if column == "start" else None
        ds = np.array(read, dtype=np.int64) if read else read_stamps(texts, series=self.name, column=column)
        stamps = pd.DatetimeIndex(ds, tz="UTC")
        if declared is not None and len(stamps):
            # One midnight is enough to see it by, and the next one.
            days = day_zone(zone)
            stamps = stamps.append(outside(inside(stamps[-1:], days) + DAY, days))
        return are_days(stamps, zone)

    def _info(self, zone: str | None, step: str | None) -> SeriesInfo:
        try:
            info = SeriesInfo.model_validate({**self.said, "zone": zone, "step": self.said["step"] or step})
        except DeclarationError as error:
            raise DeclarationError(error.found, error.expected, error.do, series=self.name) from None
        if info.step is not None and pd.Timedelta(info.step) < SHORTEST:
            raise DeclarationError(f"step is {self._step()}", "a length such as PT1H", series=self.name, column="step")
        if info.delay is not None and pd.Timedelta(info.delay) < pd.Timedelta(0):
            raise DeclarationError(
                f"delay is {self.said['delay']}", "0h or more: a value cannot be known before its period ended",
                "leave it out, or send `available_at`", series=self.name, column="delay",
            )  # fmt: skip
        return info
