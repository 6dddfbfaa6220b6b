"""Holidays of a country or a part of it: which days, by which name, of which kind."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from forecast.calendars.offsets import Ints
from forecast.calendars.parts import EPOCH_ORDINAL
from forecast.calendars.region import Region
from forecast.errors import DeclarationError

PUBLIC = "public"
ENGLISH = "en_US"

Dates = Ints | npt.NDArray[np.datetime64] | Sequence[date]


@dataclass(frozen=True, order=True)
class Holiday:
    """A day that has a name.

    Attributes:
        day: civil date.
        name: in the language asked for; "; " stands between several of one kind.
        kind: the package's category: "public", "bank", "half_day", "optional", "school", ...
    """

    day: date
    name: str
    kind: str


def holiday_flags(dates: Dates, country: str | None, subdivision: str | None = None) -> npt.NDArray[np.bool_]:
    """Which civil dates are public holidays, bool [N]; all False without a country.

    Args:
        dates: civil dates [N]: day numbers (`LocalParts.date_ordinal`), datetime64 of the local clock, or dates.
        country: ISO code such as "AU", alone or with its part ("AU-VIC"); any case.
        subdivision: code or name of a part of the country such as "VIC".

    Raises:
        DeclarationError: the country or the subdivision is not known; some that are get named.

    >>> holiday_flags([date(2014, 11, 4), date(2014, 11, 5)], "AU", "VIC")
    array([ True, False])
    """
    days_N = days_of(dates)
    if country is None:
        return np.zeros(days_N.shape, dtype=np.bool_)
    region = Region.of(country, subdivision)
    holidays = [day for year in years_of(days_N) for day in _year(region, year)]
    return np.isin(days_N, np.array(holidays, dtype="datetime64[D]"))


def named_holidays(
    first: date, last: date, country: str, subdivision: str | None = None, *,
    kinds: Sequence[str] = (PUBLIC,), language: str | None = None,
) -> tuple[Holiday, ...]:  # fmt: skip
    """The holidays from `first` to `last` (inclusive), by day, then by name.

    Args:
        first, last: civil dates.
        country, subdivision: as in `holiday_flags`.
        kinds: which of `holiday_kinds(country)`.
        language: of the names, such as "de"; None: English where the package has it, else the country's own.

    Raises:
        DeclarationError: the country, the subdivision or a kind is not known.

    >>> [(str(one.day), one.name) for one in named_holidays(date(2024, 5, 1), date(2024, 5, 31), "DE-BY")][2:]
    [('2024-05-20', 'Pentecost Monday'), ('2024-05-30', 'Corpus Christi')]
    """
    region = Region.of(country, subdivision)
    offered = holiday_kinds(country)
    odd = [kind for kind in kinds if kind not in offered]
    if odd:
        raise DeclarationError(
            f"holidays of kind {', '.join(map(repr, odd))} of {region.country}", f"some of {', '.join(offered)}"
        )
    found = [
        Holiday(day, name, kind)
        for kind in kinds
        for year in range(first.year, last.year + 1)
        for day, name in _named(region, year, kind, language)
    ]
    return tuple(sorted(one for one in found if first <= one.day <= last))


def holiday_kinds(country: str) -> tuple[str, ...]:
    """The kinds of holidays that the package tells apart for a country; "public" is what the calendar columns mark.

    Raises:
        DeclarationError: the country is not known.

    >>> holiday_kinds("PT")
    ('optional', 'public')
    """
    import holidays

    return tuple(getattr(holidays, Region.of(country).country).supported_categories)


def days_of(dates: Dates) -> npt.NDArray[np.datetime64]:
    """Civil dates of any accepted kind as datetime64[D]."""
    given_N = np.asarray(dates)
    if given_N.dtype.kind in "iu":
        return (given_N.astype(np.int64) - EPOCH_ORDINAL).astype("datetime64[D]")
    return given_N.astype("datetime64[D]")


def years_of(days_N: npt.NDArray[np.datetime64]) -> list[int]:
    """The years that civil dates lie in."""
    return [int(year) + 1970 for year in np.unique(days_N.astype("datetime64[Y]").astype(np.int64))]


def calendar_of(region: Region, year: int, **options: Any) -> Any:
    """The package's own table of a region's year."""
    import holidays

    with warnings.catch_warnings():
        # It warns of years for which it knows fixed dates only (India's before 2001 and after 2035).
        warnings.simplefilter("ignore", UserWarning)
        return holidays.country_holidays(region.country, subdiv=region.subdivision, years=year, **options)


@lru_cache(maxsize=4096)
def _year(region: Region, year: int) -> tuple[date, ...]:
    return tuple(calendar_of(region, year))


@lru_cache(maxsize=1024)
def _named(region: Region, year: int, kind: str, language: str | None) -> tuple[tuple[date, str], ...]:
    import holidays

    kept = getattr(holidays, region.country)
    # Without a language the package asks the process' environment.
    chosen = language or (ENGLISH if ENGLISH in kept.supported_languages else kept.default_language)
    days = calendar_of(region, year, categories=kind, language=chosen)
    return tuple((day, str(name)) for day, name in days.items())
