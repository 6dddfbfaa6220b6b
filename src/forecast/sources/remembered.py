"""The store as a table: what was ingested, with every version of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from forecast.addresses import shown
from forecast.errors import DeclarationError
from forecast.settings import Settings
from forecast.sources.declaration import Declaration
from forecast.sources.raw import Raw, roles_of
from forecast.sources.tidy import with_declared_events
from forecast.store import Store
from forecast.tables import Demand, SeriesInfo

WORD = "store"
_FREE = ("only", "known", "past", "static", "country", "events", "forecast_only", "event_names")


def is_store(data: str) -> bool:
    """Whether `data` names the store: "store", or "store:" and its URL.

    >>> is_store("store:sqlite:///meters.db")
    True
    """
    return data == WORD or data.startswith(f"{WORD}:")


def store_url(data: str) -> str | None:
    """The address in "store:URL"; None for the store of the settings."""
    return data.removeprefix(WORD).removeprefix(":") or None


@dataclass(frozen=True, repr=False)
class Remembered:
    """The series of a store.

    Attributes:
        data: "store", or "store:" and a URL.
        asked: which series and covariates are read; everything else the store tells itself.
    """

    data: str
    asked: Declaration

    def __post_init__(self) -> None:
        told = sorted(self.asked.model_fields_set - set(_FREE))
        wrong = [name for name in told if getattr(self.asked, name) != Declaration.model_fields[name].default]
        if wrong:
            raise DeclarationError(
                f"the store tells clock, unit and columns itself, and --{wrong[0].replace('_', '-')} is given",
                f"only {', '.join(f'--{name}' for name in _FREE[:6])} beside it", "leave it away",
            )  # fmt: skip

    @cached_property
    def _demand(self) -> Demand:
        asked = self.asked
        chosen = (*asked.known, *asked.past, *asked.static)
        with Store.open(store_url(self.data), Settings.read()) as store:
            demand = store.demand(
                only=asked.only, covariates=chosen or None, forecast_only=asked.forecast_only, country=asked.country
            )
        return with_declared_events(demand, asked)

    def info(self) -> dict[str, SeriesInfo]:
        """What is known of the series apart from their values."""
        with Store.open(store_url(self.data), Settings.read()) as store:
            return store.series()

    def read(self) -> Demand:
        """The stored series with all their versions.

        Raises:
            StoreError: the store does not answer, or lacks a series.
            DataError: the series do not fit one table.
            DeclarationError: a covariate is not stored, or in another role.
        """
        demand = self._demand
        for role in ("known", "past", "static"):
            missing = [name for name in getattr(self.asked, role) if name not in getattr(demand.columns, role)]
            if missing:
                raise DeclarationError(
                    f"the store has no {role} covariate {', '.join(missing)}",
                    f"some of {', '.join(getattr(demand.columns, role)) or '(none)'}", f"correct --{role}",
                )  # fmt: skip
        return demand

    @property
    def declaration(self) -> Declaration:
        """What the store tells of its series, as a file's options would; raises as `read`."""
        demand, columns = self.read(), self.read().columns
        zones = set(demand.zones.values())
        return Declaration(
            time="ds", target=("y",), series="unique_id", known=columns.known, past=columns.past, static=columns.static,
            only=self.asked.only, unit=demand.unit, freq=str(demand.step), delay=str(demand.delay),
            country=demand.country, zone=zones.pop() if len(zones) == 1 else None, zones=demand.zones,
        )  # fmt: skip

    def raw(self) -> Raw:
        """The newest values as a long table in the unit of the source."""
        demand = self.read()
        frame = demand.to_frame()
        frame["y"] *= demand.output_factor
        frame.index += 1
        headers = tuple(map(str, frame.columns))
        return Raw(frame, roles_of(headers, self.declaration), headers, shown(self.data), "row")
