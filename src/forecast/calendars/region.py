"""`Region`: a country, or a part of it, as the `holidays` package knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

from forecast.errors import DeclarationError


@dataclass(frozen=True)
class Region:
    """Whose holidays and weekends count.

    Attributes:
        country: ISO code of two letters, such as "AU".
        subdivision: the package's code of a part of it, such as "VIC"; None: what holds in the whole country.
    """

    country: str
    subdivision: str | None = None

    @classmethod
    def of(cls, country: str, subdivision: str | None = None) -> Self:
        """The region of a text.

        Args:
            country: ISO code of two or three letters in any case, alone or with its part: "AU", "au-vic", "DEU-BY".
            subdivision: code or name of the part in any case ("BY", "Bayern"), where `country` does not hold it.

        Raises:
            DeclarationError: the country or the subdivision is not known; some that are get named.

        >>> Region.of("au-vic"), str(Region.of("DE", "Bayern"))
        (Region(country='AU', subdivision='VIC'), 'DE-BY')
        """
        code, dash, part = country.strip().partition("-")
        known = _known()
        code = code.upper()
        if code not in known:
            raise _unknown_country(country)
        told = (part if dash else subdivision or "").strip()
        return cls(_entity(code).country, _subdivision(code, told) if told else None)

    def __str__(self) -> str:
        return self.country if self.subdivision is None else f"{self.country}-{self.subdivision}"

    def within(self, other: Region) -> bool:
        """Whether it is the other one, or a part of it.

        >>> Region("DE", "BY").within(Region("DE")), Region("DE").within(Region("DE", "BY"))
        (True, False)
        """
        return self == other or (other.subdivision is None and self.country == other.country)


@lru_cache(maxsize=1)
def _known() -> Mapping[str, list[str]]:
    """Subdivisions by country code, codes of two and of three letters."""
    import holidays

    listed: dict[str, list[str]] = holidays.list_supported_countries(include_aliases=True)
    return listed


def _entity(code: str) -> Any:
    import holidays

    return getattr(holidays, code)


def _subdivision(code: str, part: str) -> str:
    """The package's code of a part, which may be written in any case or by its name."""
    known = _known()[code]
    names: dict[str, list[str]] = _entity(code).get_subdivision_aliases()
    written = {alias.lower(): one for one, aliases in names.items() for alias in aliases}
    written |= {one.lower(): one for one in known}
    if part in known:
        return part
    if part.lower() not in written:
        offered = ", ".join(known[:12]) or "no subdivision"
        raise DeclarationError(f"country '{code}' has no subdivision '{part}'", f"one of {offered}")
    return written[part.lower()]


def _unknown_country(country: str) -> DeclarationError:
    import holidays

    known = _known()
    named = getattr(getattr(holidays, country.title().replace(" ", ""), None), "country", None)
    near = [str(named)] if named in known else sorted(other for other in known if other[0] == country[:1].upper())[:8]
    return DeclarationError(
        f"country '{country}' is not known", f"an ISO code such as {', '.join(near or ['AU', 'DE', 'US'])}"
    )
