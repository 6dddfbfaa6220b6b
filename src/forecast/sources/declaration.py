"""`Declaration`: what a user says about a table of demand: columns, clock, unit, and when values become known."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, field_validator, model_validator

from forecast import clock
from forecast.calendars import Region
from forecast.errors import DeclarationError
from forecast.tables import Columns
from forecast.tables.units import check_unit

RESERVED = ("unique_id", "ds", "y", "available_at")


def _names(value: Any) -> Any:
    """ "north,south" as ("north", "south"); lists and tuples as they are."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]


def _pairs(value: Any) -> Any:
    """ "north=PT,south=ES-MD" as a mapping; a mapping as it is."""
    if not isinstance(value, str):
        return value
    pairs = [part.partition("=") for part in value.split(",") if part.strip()]
    odd = [name for name, sign, code in pairs if not (sign and name.strip() and code.strip())]
    if odd:
        raise DeclarationError(f"--countries holds '{odd[0]}'", "pairs such as north=PT,south=ES-MD")
    return {name.strip(): code.strip() for name, _, code in pairs}


Countries = Annotated[Mapping[str, str], BeforeValidator(_pairs)]


def _declared_zone(name: str) -> str:
    """The zone that people live by; that of a model of daily tables names their clock."""
    clock.zone(name)
    return clock.lived_zone(name)


class Declaration(BaseModel):
    """How to read a table; the same options for every command and every kind of source.

    Attributes:
        time: column of the stamps; None: one named ds, timestamp, time, datetime or date.
        target: columns of demand; none: one named y, demand or load. Several make several series of their names.
        series: column that names the series; None: `unique_id` where there is one, else the target names it.
        known: covariates that are known ahead (forecasts, holidays).
        past: covariates that are known up to the cutoff.
        static: covariates that never change within a series.
        only: series to read; none: all.
        zone: civil zone ("Australia/Melbourne"), in which people live and hours are counted.
        zones: civil zones of single series, where they differ from `zone`.
        stamp_zone: clock in which stamps without a zone are written, where it is not the civil one ("+10:00").
        stamp: whether stamps mark the start or the end of their period.
        freq: length of a period ("30min", "1h"); None: read from the stamps.
        unit: MW, kW, GW, MWh or kWh of the targets.
        available_at: column that says when each row became known.
        delay: how long after its period's end a value becomes known, where no column says so.
        decimal: the decimal mark, "." or ",".
        country: ISO code whose public holidays the calendar marks ("AU-VIC").
        countries: codes of single series, where they differ from `country`.
        events: file of events (`calendars.read_events`); each name becomes a known-ahead flag "event NAME".
        event_names: events that become columns; None: all of the file's.
        forecast_only: whether series may have no demand at all: the table is forecast from, and never learned from.

    Raises:
        DeclarationError: two options contradict each other, or one names a zone, unit or frequency that is unknown.

    >>> Declaration(target="north,south", zone="+10:00").target
    ('north', 'south')
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: str | None = None
    target: Names = ()
    series: str | None = None
    known: Names = ()
    past: Names = ()
    static: Names = ()
    only: Names = ()
    zone: str | None = None
    zones: Mapping[str, str] | None = None
    stamp_zone: str | None = None
    stamp: Literal["start", "end"] = "start"
    freq: str | None = None
    unit: str = "MW"
    available_at: str | None = None
    delay: str = "0h"
    decimal: Literal[".", ","] = "."
    country: str | None = None
    countries: Countries = {}
    events: str | None = None
    event_names: Names | None = None
    forecast_only: bool = False

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Declaration:
        """The declaration of a mapping (a file of options, a command line).

        Raises:
            DeclarationError: also for unknown names and wrong types.
        """
        try:
            return cls.model_validate(dict(options))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"])) or "options"
            if first["type"] == "extra_forbidden":
                raise DeclarationError(
                    f"option '{name}' is not known", f"one of {', '.join(cls.model_fields)}", "correct its name"
                ) from None
            raise DeclarationError(f"option '{name}' is {first['input']!r}", str(first["msg"])) from None

    @property
    def columns(self) -> Columns:
        """The covariates, as the tables name them."""
        return Columns(past=self.past, known=self.known, static=self.static)

    @property
    def step(self) -> pd.Timedelta | None:
        """The declared length of a period."""
        return None if self.freq is None else clock.duration(self.freq, "--freq")

    @property
    def lag(self) -> pd.Timedelta:
        """The declared delay."""
        return clock.duration(self.delay, "--delay")

    @property
    def named(self) -> tuple[str, ...]:
        """Every column that the declaration names."""
        return tuple(name for names in self._roles().values() for name in names)

    @property
    def written_zone(self) -> str | None:
        """The clock of stamps that carry no zone."""
        return self.stamp_zone or self.zone

    def zone_of(self, unique_id: str) -> str | None:
        """The civil zone of one series."""
        return (self.zones or {}).get(unique_id, self.zone)

    @field_validator("zone", "stamp_zone")
    @classmethod
    def _zone_known(cls, value: str | None) -> str | None:
        return None if value is None else _declared_zone(value)

    @model_validator(mode="after")
    def _consistent(self) -> Declaration:
        for name in (self.zones or {}).values():
            clock.zone(name)
        for code in self.countries.values():
            Region.of(code)
        check_unit(self.unit)
        if self.freq is not None and clock.duration(self.freq, "--freq") <= pd.Timedelta(0):
            raise DeclarationError(f"--freq is {self.freq}", "a positive length such as 30min")
        self._check_knowledge()
        self._check_roles()
        return self

    def _check_knowledge(self) -> None:
        if self.lag < pd.Timedelta(0):
            raise DeclarationError(f"--delay is {self.delay}", "0h or more: nothing is known before it is measured")
        if self.available_at is not None and self.lag > pd.Timedelta(0):
            raise DeclarationError(
                f"both --available-at {self.available_at} and --delay {self.delay}",
                "one rule of when values become known",
                "keep the column or the delay",
            )

    def _check_roles(self) -> None:
        if len(self.target) > 1 and self.series is not None:
            raise DeclarationError(
                f"both several targets ({', '.join(self.target)}) and --series {self.series}",
                "several demand columns, or one demand column with a series column",
                "keep one of the two",
            )
        for (one, first), (other, second) in combinations(self._roles().items(), 2):
            shared = [name for name in first if name in second]
            if shared:
                raise DeclarationError(
                    f"column '{shared[0]}' is declared both as {one} and as {other}", "one role per column",
                    f"remove it from {one} or from {other}",
                )  # fmt: skip
        for role, names in self._roles().items():
            doubled = sorted({name for name in names if names.count(name) > 1})
            if doubled:
                raise DeclarationError(f"{role} names '{doubled[0]}' twice", "each column once")
        taken = [name for name in (*self.known, *self.past, *self.static) if name in RESERVED]
        if taken:
            raise DeclarationError(
                f"a covariate is called '{taken[0]}'", f"a name other than {', '.join(RESERVED)}", "rename the column"
            )

    def _roles(self) -> dict[str, tuple[str, ...]]:
        single = {"--time": self.time, "--series": self.series, "--available-at": self.available_at}
        roles = {role: (name,) for role, name in single.items() if name is not None}
        return roles | {
            "--target": self.target, "--known": self.known, "--past": self.past, "--static": self.static,
        }  # fmt: skip
