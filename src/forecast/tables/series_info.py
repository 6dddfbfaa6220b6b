"""`SeriesInfo`: what is known of a series apart from its values, as the registry of the store keeps it."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from forecast import clock
from forecast.errors import DeclarationError
from forecast.tables.units import check_unit


class SeriesInfo(BaseModel):
    """One metered series: its clock, its unit, its place.

    Attributes:
        unique_id: its name.
        zone: its civil zone, in which people live and days are counted; None: not told (the store's default is UTC).
        unit: MW, kW, GW, MWh or kWh, in which its source speaks; None: not told (MW).
        step: length of a period ("30min"); None: not told, and read from the stamps.
        delay: how long after its period's end a value becomes known, where nothing says so ("6h").
        latitude, longitude: degrees, for weather.
        parent: the series that it is a part of; children sum to their parent.
        capacity: largest power that can flow, in the power of `unit`; beyond it a value is impossible.
        country: ISO code whose public holidays its calendar marks ("AU-VIC").
        static: covariates that never change.

    Raises:
        DeclarationError: a zone, unit or length is unknown, or the series is its own parent.

    >>> SeriesInfo(unique_id="north", zone="Europe/Lisbon", parent="all").parent
    'all'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unique_id: str = Field(min_length=1)
    zone: str | None = None
    unit: str | None = None
    step: str | None = None
    delay: str | None = None
    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=180)
    parent: str | None = None
    capacity: float | None = Field(None, gt=0)
    country: str | None = None
    static: dict[str, float] = {}

    @field_validator("zone")
    @classmethod
    def _zone_known(cls, zone: str | None) -> str | None:
        if zone is not None:
            clock.zone(zone)
        return zone

    @field_validator("unit")
    @classmethod
    def _unit_known(cls, unit: str | None) -> str | None:
        return None if unit is None else check_unit(unit)

    @field_validator("step", "delay")
    @classmethod
    def _length(cls, text: str | None) -> str | None:
        if text is None:
            return None
        return str(clock.duration(text, "the length"))

    @model_validator(mode="after")
    def _not_its_own(self) -> Self:
        if self.parent == self.unique_id:
            raise DeclarationError(f"series '{self.unique_id}' is its own parent", "the name of another series")
        return self
