"""The store as a table: what was ingested, with every version of it."""

from __future__ import annotations

from dataclasses import dataclass

from forecast.errors import DeclarationError
from forecast.settings import Settings
from forecast.sources.declaration import Declaration
from forecast.sources.raw import Raw, roles_of
from forecast.store import Store
from forecast.tables import Demand

WORD = "store"
_FREE = ("only", "known", "past", "static", "country", "forecast_only")


def is_store(data: str) -> bool:
    """Whether `data` names the store: "store", or "store:" and its URL.

    >>> is_store("store:sqlite:///meters.db")
    True
    """
    return data == WORD or data.startswith(f"{WORD}:")


@dataclass(frozen=True, repr=False)
class Remembered:
    """The series of a store.

    Attributes:
        data: "store", or "store:" and a URL.
        declaration: which series and covariates are read; everything else the store tells itself.
    """

    data: str
    declaration: Declaration

    def __post_init__(self) -> None:
        told = sorted(self.declaration.model_fields_set - set(_FREE))
        wrong = [name for name in told if getattr(self.declaration, name) != Declaration.model_fields[name].default]
        if wrong:
            raise DeclarationError(
                f"the store tells clock, unit and columns itself, and --{wrong[0].replace('_', '-')} is given",
                f"only {', '.join(f'--{name}' for name in _FREE[:5])} beside it", "leave it away",
            )  # fmt: skip

    @property
    def url(self) -> str | None:
        """The address; None: that of the settings."""
        return self.data.removeprefix(WORD).removeprefix(":") or None

    def read(self) -> Demand:
        """The stored series with all their versions.

        Raises:
            StoreError: the store does not answer, or lacks a series.
            DataError: the series do not fit one table.
        """
        declared = self.declaration
        chosen = (*declared.known, *declared.past, *declared.static)
        with Store.open(self.url, Settings.read()) as store:
            demand = store.demand(
                only=declared.only, covariates=chosen or None, forecast_only=declared.forecast_only,
                country=declared.country,
            )  # fmt: skip
        for role in ("known", "past", "static"):
            missing = [name for name in getattr(declared, role) if name not in getattr(demand.columns, role)]
            if missing:
                raise DeclarationError(
                    f"the store has no {role} covariate {', '.join(missing)}",
                    f"some of {', '.join(getattr(demand.columns, role)) or '(none)'}", f"correct --{role}",
                )  # fmt: skip
        return demand

    def raw(self) -> Raw:
        """The newest values as a long table in the unit of the source."""
        demand = self.read()
        frame = demand.to_frame()
        frame["y"] *= demand.output_factor
        frame.index += 1
        headers = tuple(map(str, frame.columns))
        return Raw(frame, roles_of(headers, self._as_read(demand)), headers, demand.source, "row")

    @staticmethod
    def _as_read(demand: Demand) -> Declaration:
        columns = demand.columns
        return Declaration(known=columns.known, past=columns.past, static=columns.static, unit=demand.unit)
