"""Units of demand: energy per period becomes mean power at birth and is converted back on the way out."""

from __future__ import annotations

import pandas as pd

from forecast.errors import DeclarationError

UNITS = ("MW", "kW", "GW", "MWh", "kWh")
MEGAWATTS = {"MW": 1.0, "kW": 1e-3, "GW": 1e3}


def check_unit(unit: str) -> str:
    """The unit itself, when it is one of `UNITS`.

    Raises:
        DeclarationError: it is none of them.
    """
    if unit not in UNITS:
        raise DeclarationError(f"unit '{unit}' is not known", f"one of {', '.join(UNITS)}", "declare it with --unit")
    return unit


def power_unit(unit: str) -> str:
    """The unit in which `y` is held: "kWh" is held as "kW".

    >>> power_unit("kWh")
    'kW'
    """
    return check_unit(unit).removesuffix("h")


def output_factor(unit: str, step: pd.Timedelta) -> float:
    """What mean power is multiplied by to be said in `unit`: the period's hours for energy, else 1.

    >>> output_factor("MWh", pd.Timedelta("30min"))
    0.5
    """
    return step / pd.Timedelta(hours=1) if check_unit(unit).endswith("h") else 1.0


def conversion_factor(unit: str, into: str, step: pd.Timedelta) -> float:
    """What numbers in `unit` are multiplied by to be said in another unit, power or energy per period of `step`.

    >>> conversion_factor("kWh", "MW", pd.Timedelta("30min"))
    0.002
    """
    size = MEGAWATTS[power_unit(unit)] / MEGAWATTS[power_unit(into)]
    return size * output_factor(into, step) / output_factor(unit, step)
