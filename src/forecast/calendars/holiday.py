"""Public holidays of a country or a part of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from forecast.calendars.offsets import Ints
from forecast.calendars.parts import EPOCH_ORDINAL
from forecast.errors import DeclarationError


def holiday_flags(
    dates: Ints | npt.NDArray[np.datetime64] | Sequence[date], country: str | None, subdivision: str | None = None
) -> npt.NDArray[np.bool_]:
    """Which civil dates are public holidays, bool [N]; all False without a country.

    Args:
        dates: civil dates [N]: day numbers (`LocalParts.date_ordinal`), datetime64 of the local clock, or dates.
        country: ISO code such as "AU"; any case.
        subdivision: ISO code of a part of the country such as "VIC".

    Raises:
        DeclarationError: the country or the subdivision is not known; some that are get named.

    >>> holiday_flags([date(2014, 11, 4), date(2014, 11, 5)], "AU", "VIC")
    array([ True, False])
    """
    given_N = np.asarray(dates)
    if given_N.dtype.kind in "iu":
        days_N = (given_N.astype(np.int64) - EPOCH_ORDINAL).astype("datetime64[D]")
    else:
        days_N = given_N.astype("datetime64[D]")
    if country is None:
        return np.zeros(days_N.shape, dtype=np.bool_)
    _check(country, subdivision)
    years = np.unique(days_N.astype("datetime64[Y]").astype(np.int64)) + 1970
    holidays = [day for year in years for day in _year(country.upper(), subdivision, int(year))]
    return np.isin(days_N, np.array(holidays, dtype="datetime64[D]"))


def _check(country: str, subdivision: str | None) -> None:
    import holidays

    known: dict[str, list[str]] = holidays.list_supported_countries(include_aliases=True)
    code = country.upper()
    if code not in known:
        named = getattr(getattr(holidays, country.title().replace(" ", ""), None), "country", None)
        near = [named] if named in known else sorted(other for other in known if other[0] == code[:1])[:8]
        raise DeclarationError(
            f"country '{country}' is not known", f"an ISO code such as {', '.join(near or ['AU', 'DE', 'US'])}"
        )
    if subdivision is not None and subdivision not in known[code]:
        offered = ", ".join(known[code][:12]) or "no subdivision"
        raise DeclarationError(f"country '{code}' has no subdivision '{subdivision}'", f"one of {offered}")


@lru_cache(maxsize=4096)
def _year(country: str, subdivision: str | None, year: int) -> tuple[date, ...]:
    import holidays

    return tuple(holidays.country_holidays(country, subdiv=subdivision, years=year))
