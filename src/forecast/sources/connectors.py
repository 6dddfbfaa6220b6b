"""A few words -> the connector that they name: `eia930:ERCO,PJM`, `entsoe:PT,DE_LU`, `ons:SE,S`, `open-meteo`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import pandas as pd

from forecast.errors import DeclarationError
from forecast.settings import Settings
from forecast.sources.contract import Source
from forecast.sources.keys import Key
from forecast.tables import SeriesInfo

Words = tuple[str, ...]
Maker = Callable[[Words, Settings, Sequence[SeriesInfo], "pd.Timestamp | None"], Source]


def eia_key(settings: Settings) -> Key:
    """The key of EIA's API."""
    return Key("eia_key", settings.eia_key, "api_key", "https://www.eia.gov/opendata/register.php")


def entsoe_key(settings: Settings) -> Key:
    """The security token of ENTSO-E's platform."""
    return Key("entsoe_key", settings.entsoe_key, "securityToken", "https://transparency.entsoe.eu (My Account)")


def open_meteo_key(settings: Settings) -> Key:
    """The key of Open-Meteo's customers; without one its free service is asked."""
    return Key("open_meteo_key", settings.open_meteo_key, "apikey", "https://open-meteo.com/en/pricing", required=False)


def connector(
    text: str, settings: Settings, series: Sequence[SeriesInfo] = (), since: pd.Timestamp | None = None
) -> Source:
    """The connector that `text` names.

    Args:
        text: name, colon, what to read: "eia930:ERCO,PJM", "entsoe:PT,DE_LU", "ons:SE,S"; "open-meteo" or
            "open-meteo:archive,previous,forecast,ensemble" for the parts.
        settings: hold the keys.
        series: the stored series; Open-Meteo reads the weather of those that have a place.
        since: where to begin (aware); None: each origin's own beginning.

    Raises:
        DeclarationError: no connector has this name, it is told nothing to read, or something that it does not have.
    """
    name, _, rest = text.partition(":")
    if name not in MAKERS:
        raise DeclarationError(f"no connector is called '{name}'", f"one of {', '.join(MAKERS)}")
    since = None if since is None else since.tz_convert("UTC").floor("h")
    words = tuple(dict.fromkeys(word.strip() for word in rest.split(",") if word.strip()))
    if not words and name in EXAMPLES:
        raise DeclarationError(f"'{text}' does not say what to read", f"for instance {EXAMPLES[name]}")
    return MAKERS[name](words, settings, series, since)


def _eia930(words: Words, settings: Settings, series: Sequence[SeriesInfo], since: pd.Timestamp | None) -> Source:
    from forecast.sources.eia930 import EIA_START, Eia930

    return Eia930(words, eia_key(settings), start=since or EIA_START)


def _entsoe(words: Words, settings: Settings, series: Sequence[SeriesInfo], since: pd.Timestamp | None) -> Source:
    from forecast.sources.entsoe import ENTSOE_START, Entsoe

    return Entsoe(words, entsoe_key(settings), start=since or ENTSOE_START)


def _ons(words: Words, settings: Settings, series: Sequence[SeriesInfo], since: pd.Timestamp | None) -> Source:
    from forecast.sources.ons import FIRST_YEAR, Ons

    return Ons(words, start=since.year if since is not None else FIRST_YEAR)


def _open_meteo(words: Words, settings: Settings, series: Sequence[SeriesInfo], since: pd.Timestamp | None) -> Source:
    from forecast.sources.open_meteo import START, OpenMeteo, Part

    parts = cast("tuple[Part, ...]", words or ("archive", "previous", "forecast"))
    return OpenMeteo(tuple(series), open_meteo_key(settings), parts=parts, start=since or START)


MAKERS: dict[str, Maker] = {"eia930": _eia930, "entsoe": _entsoe, "ons": _ons, "open-meteo": _open_meteo}
EXAMPLES = {"eia930": "eia930:ERCO,PJM", "entsoe": "entsoe:PT,DE_LU", "ons": "ons:SE,S"}
